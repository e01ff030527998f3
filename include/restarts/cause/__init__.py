"""Why a container ended: network, memory, probe, image, settings, node, its own fault.

    classify(pod, container, events, logs) -> Finding

Everything is plain data as the API answers it. The words that are looked for are in ``include/config/causes.yaml``.
"""

from include.restarts.cause.classifying import classify
from include.restarts.cause.finding import Finding
from include.restarts.cause.rules import rules
from include.restarts.cause.status import culprits

__all__ = ["Finding", "classify", "culprits", "rules"]
