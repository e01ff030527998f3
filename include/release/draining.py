"""Waiting for pods that are on their way out: a rollout is complete while they still answer their last requests.

They need what their build needs. Taking a migration back while pods of its build still drain answers 500 to whoever
has a connection to one, so that comes after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from include.release.kube import Cluster
from include.release.rollout import label_selector
from include.release.texts import plural

POLL_SECONDS = 0.5
SPARE_SECONDS = 30.0
"""On top of the pods' grace period: the node's own time to tear a pod down."""


def leaving_pods(
    cluster: Cluster, namespace: str, deployments: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The pods behind these Deployments that were told to end and have not ended. Raises KubeError."""
    selectors = {label_selector(each) for each in deployments}
    found = [pod for labels in sorted(selectors) for pod in cluster.list("Pod", namespace, labels=labels)]
    return [pod for pod in found if pod["metadata"].get("deletionTimestamp")]


def wait_for_leaving_pods(
    cluster: Cluster, namespace: str, deployments: Sequence[dict[str, Any]], say: Callable[[str], None]
) -> list[str]:
    """Wait until they have ended, as long as their grace period allows and a little more. Raises KubeError.

    Args:
        cluster: where.
        namespace: of the Deployments.
        deployments: manifests; those of a Deployment that is being deleted too.
        say: receives a line when there is something to wait for.

    Returns:
        Names of the pods that are there in spite of their grace period: a node that does not answer keeps them.
    """
    deadline: float | None = None
    while leaving := leaving_pods(cluster, namespace, deployments):
        if deadline is None:
            grace = max(pod["metadata"].get("deletionGracePeriodSeconds") or 0 for pod in leaving)
            deadline = time.monotonic() + grace + SPARE_SECONDS
            say(f"{plural(len(leaving), 'pod')} of the build before still answer requests: waiting for them")
        elif time.monotonic() > deadline:
            return sorted(pod["metadata"]["name"] for pod in leaving)
        time.sleep(POLL_SECONDS)
    return []
