"""The parts of a container's status that follow from its spec and its image."""

from __future__ import annotations

from typing import Any

from include.cluster.node.images import Found
from include.cluster.node.runtime import Plan

Object = dict[str, Any]


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
