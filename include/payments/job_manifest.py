"""The Job of one command of a shop: its manifest, and its name, which is its content."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from include.jobs.naming import KEEP_SECONDS, short_digest
from include.payments.shop import Step
from include.release.frozen import FIELD_MANAGER, MANAGED_BY, NOTE_RUN

CONTAINER = "payments"
LABEL_CONTENT = f"{FIELD_MANAGER}/payments-content"
_OF_CONTAINER = (
    "image",
    "imagePullPolicy",
    "env",
    "envFrom",
    "volumeMounts",
    "securityContext",
    "workingDir",
    "resources",
)
_OF_POD = (
    "serviceAccountName",
    "automountServiceAccountToken",
    "imagePullSecrets",
    "securityContext",
    "volumes",
    "nodeSelector",
    "tolerations",
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
)


@dataclass(frozen=True)
class Errand:
    """One command: which step, for which run of which guard, and why."""

    step: Step
    run: str
    reason: str
    by: str
    command: tuple[str, ...]
    timeout_seconds: int


def manifest_of(errand: Errand, deployment: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The Job, in the image and environment of a Deployment's first container. Its name lacks a number of the try."""
    template = deployment["spec"]["template"]["spec"]
    main = template["containers"][0]
    container = {key: copy.deepcopy(main[key]) for key in _OF_CONTAINER if key in main}
    told = {
        "PAYMENTS_STEP": errand.step,
        "PAYMENTS_RUN": errand.run,
        "PAYMENTS_BY": errand.by,
        "PAYMENTS_REASON": errand.reason,
    }
    env = [each for each in container.get("env", []) if each.get("name") not in told]
    container["env"] = [*env, *({"name": name, "value": value} for name, value in told.items())]
    container |= {"name": CONTAINER, "command": list(errand.command)}
    pod = {key: copy.deepcopy(template[key]) for key in _OF_POD if key in template}
    pod |= {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 5}
    # The reason is no part of what makes it the same: a text may be put in other words by a later try.
    content = short_digest([errand.step, errand.run, errand.by, errand.command, main["image"]])
    labels = {**MANAGED_BY, LABEL_CONTENT: content}
    start = f"payments-{errand.step.replace('_', '-')}-{errand.by}"[:44].strip("-")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{start}-{content}",
            "namespace": namespace,
            "labels": labels,
            "annotations": {NOTE_RUN: errand.run},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": errand.timeout_seconds,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
