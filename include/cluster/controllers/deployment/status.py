"""The status of a deployment, from that of its replicasets."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

from include.cluster.controllers import conditions
from include.cluster.controllers.deployment import amounts
from include.cluster.registry.clock import now, parse

Object = dict[str, Any]

AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
NO_DEADLINE = 2147483647
"""The largest number stands for no deadline."""

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def has_deadline(deployment: Object) -> bool:
    """Whether progress is to be watched."""
    return int(deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE)) != NO_DEADLINE


def calculate(deployment: Object, sets: list[Object], new: Object | None) -> Object:
    """The counts and the Available condition. What counts zero is absent, except for ``terminatingReplicas``."""
    before = deployment.get("status") or {}
    available = amounts.counted(sets, "availableReplicas")
    counts = {
        "replicas": amounts.counted(sets, "replicas"),
        "updatedReplicas": amounts.counted([new] if new else [], "replicas"),
        "readyReplicas": amounts.counted(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(amounts.wanted(sets) - available, 0),
    }
    status: Object = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    status |= {field: counts[field] for field in _COUNTS if counts[field]}
    terminating = amounts.terminating(sets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if "collisionCount" in before:
        status["collisionCount"] = before["collisionCount"]
    status["conditions"] = copy.deepcopy(before.get("conditions") or [])
    if available >= amounts.replicas(deployment) - amounts.max_unavailable(deployment):
        found = conditions.deployment(
            "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    else:
        found = conditions.deployment(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    conditions.put(status, found)
    return status


def with_progress(deployment: Object, sets: list[Object], new: Object | None) -> Object:
    """The status during a rollout: the counts, Progressing and ReplicaFailure."""
    status = calculate(deployment, sets, new)
    if has_deadline(deployment):
        _progress(deployment, status, new)
    else:
        conditions.remove(status, "Progressing")
    failures = [found for found in map(_failure, [new] if new else []) if found]
    failures = failures or [found for found in map(_failure, sets) if found]
    if failures:
        failure = failures[0]
        copied = conditions.deployment(
            "ReplicaFailure", failure["status"], failure["reason"], failure["message"]
        )
        copied["lastUpdateTime"] = copied["lastTransitionTime"] = failure["lastTransitionTime"]
        conditions.put(status, copied)
    else:
        conditions.remove(status, "ReplicaFailure")
    return status


def complete(deployment: Object, status: Object) -> bool:
    """Whether all replicas are new and available, and nothing of the old is left."""
    size = amounts.replicas(deployment)
    return all(
        status.get(field, 0) == size for field in ("updatedReplicas", "replicas", "availableReplicas")
    ) and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)


def check_again_in(deployment: Object, status: Object) -> float | None:
    """Seconds until the progress deadline has to be looked at, or None when there is nothing to wait for."""
    current = conditions.find(deployment.get("status") or {}, "Progressing")
    if not has_deadline(deployment) or current is None:
        return None
    if complete(deployment, status) or current.get("reason") == TIMED_OUT:
        return None
    left = (_deadline(deployment, current) - now()).total_seconds()
    # Times in a status are whole seconds, so that the deadline has passed for certain one second later.
    return max(left, 0.0) + 1.0


def _progress(deployment: Object, status: Object, new: Object | None) -> None:
    before = deployment.get("status") or {}
    current = conditions.find(before, "Progressing")
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if settled and current is not None and current.get("reason") == AVAILABLE:
        return
    subject = f'Deployment "{deployment["metadata"]["name"]}"'
    if new is not None:
        subject = f'ReplicaSet "{new["metadata"]["name"]}"'
    if complete(deployment, status):
        text = f"{subject} has successfully progressed."
        conditions.put(status, conditions.deployment("Progressing", "True", AVAILABLE, text))
    elif _moved(before, status):
        text = f"{subject} is progressing."
        found = conditions.deployment("Progressing", "True", "ReplicaSetUpdated", text)
        if current is not None and current["status"] == "True":
            found["lastTransitionTime"] = current["lastTransitionTime"]
        # Taken out first: each step forward moves lastUpdateTime, from which the deadline counts.
        conditions.remove(status, "Progressing")
        conditions.put(status, found)
    elif _timed_out(deployment, status):
        text = f"{subject} has timed out progressing."
        conditions.put(status, conditions.deployment("Progressing", "False", TIMED_OUT, text))


def _moved(before: Object, after: Object) -> bool:
    def old(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old(after) < old(before) or any(after.get(field, 0) > before.get(field, 0) for field in more)


def _timed_out(deployment: Object, status: Object) -> bool:
    current = conditions.find(status, "Progressing")
    if current is None or current.get("reason") == AVAILABLE:
        return False
    return current.get("reason") == TIMED_OUT or _deadline(deployment, current) < now()


def _deadline(deployment: Object, progressing: Object) -> datetime:
    allowed = timedelta(seconds=int(deployment["spec"]["progressDeadlineSeconds"]))
    return parse(progressing["lastUpdateTime"]) + allowed


def _failure(replicaset: Object) -> Object | None:
    return conditions.find(replicaset.get("status") or {}, "ReplicaFailure")
