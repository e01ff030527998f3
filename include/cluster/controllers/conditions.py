"""Conditions of a status, set by the rules that each kind has for their times."""

from __future__ import annotations

from typing import Any

from include.cluster.registry.clock import stamp

Object = dict[str, Any]


def find(status: Object, type_: str) -> Object | None:
    """The condition of a type, if it is there."""
    for condition in status.get("conditions") or []:
        if condition["type"] == type_:
            return dict(condition)
    return None


def is_true(status: Object, type_: str) -> bool:
    """Whether the condition is there and True."""
    found = find(status, type_)
    return found is not None and found["status"] == "True"


def remove(status: Object, type_: str) -> None:
    """Takes a condition out; the field goes with the last one."""
    rest = [condition for condition in status.get("conditions") or [] if condition["type"] != type_]
    if rest:
        status["conditions"] = rest
    else:
        status.pop("conditions", None)


def put(status: Object, condition: Object) -> None:
    """Sets a condition as the Deployment and ReplicaSet controllers do.

    With the same status and reason it stays as it is. A new one goes to the end of the list, and keeps the
    transition time as long as the status is the same.
    """
    current = find(status, condition["type"])
    if current is not None:
        if current["status"] == condition["status"] and current.get("reason") == condition.get("reason"):
            return
        if current["status"] == condition["status"]:
            condition = {**condition, "lastTransitionTime": current["lastTransitionTime"]}
    rest = [entry for entry in status.get("conditions") or [] if entry["type"] != condition["type"]]
    status["conditions"] = [*rest, condition]


def deployment(type_: str, status: str, reason: str, message: str) -> Object:
    """A new condition of a Deployment."""
    moment = stamp()
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


def plain(type_: str, status: str, reason: str, message: str) -> Object:
    """A new condition of the common form: of a ReplicaSet or a Job, as recorded."""
    return {
        "type": type_,
        "status": status,
        "lastTransitionTime": stamp(),
        "reason": reason,
        "message": message,
    }
