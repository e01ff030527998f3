"""The parts of a container's status: from its spec and image, from how it ended, from the status before."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from include.cluster.node.images import Found
from include.cluster.node.log import last_output
from include.cluster.node.runtime import Plan
from include.cluster.registry.clock import stamp

Object = dict[str, Any]

_MESSAGE_LIMIT = 4096
_KEPT = ("image", "imageID", "containerID", "allocatedResources", "resources", "user")


def initial_state(pod: Object) -> Object:
    """The state of a container that has not been started."""
    reason = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
    return {"waiting": {"reason": reason}}


def views_of_mounts(spec: Object) -> Object:
    """``volumeMounts`` as the status has it."""
    found = []
    for mount in spec.get("volumeMounts") or []:
        entry: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
        if mount.get("readOnly"):
            entry |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
        found.append(entry)
    return {"volumeMounts": found} if found else {}


def described(spec: Object, found: Found, plan: Plan, identity: str) -> Object:
    """What is known of a container once it is made: image, identity, resources, user."""
    resources = spec.get("resources") or {}
    entry: Object = {"image": found.name, "imageID": found.identity, "containerID": identity}
    if resources.get("requests"):
        entry["allocatedResources"] = resources["requests"]
    entry["resources"] = {key: resources[key] for key in ("limits", "requests") if resources.get(key)}
    entry["user"] = {"linux": {"uid": plan.uid, "gid": plan.gid, "supplementalGroups": [plan.gid]}}
    return entry


def recovered(status: Object) -> tuple[Object, Object, Object] | None:
    """What a status from before the node's restart says of a container that had been started.

    Returns:
        Its details, its state (what ran has ended, as after a reboot) and its last state; None if it never ran.
    """
    if not status.get("containerID"):
        return None
    state: Object = status.get("state") or {}
    if "running" in state:
        state = {
            "terminated": {
                "exitCode": 255,
                "reason": "Unknown",
                "startedAt": state["running"]["startedAt"],
                "finishedAt": stamp(),
                "containerID": status["containerID"],
            }
        }
    details = {key: status[key] for key in _KEPT if key in status}
    return details, state, status.get("lastState") or {}


def lost_state() -> Object:
    """The state of a container that was never started when its pod ended."""
    text = "The container could not be located when the pod was terminated"
    lost = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": text}
    return {"terminated": lost | {"startedAt": None, "finishedAt": None}}


def termination_message(spec: Object, code: int, file: Path, log: Path) -> str:
    """What a container left to say: in its file, or the end of its log where its policy allows that."""
    text = ""
    with contextlib.suppress(OSError), file.open("rb") as opened:
        text = opened.read(_MESSAGE_LIMIT).decode(errors="replace")
    if not text and code != 0 and spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        return last_output(log)
    return text
