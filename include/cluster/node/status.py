"""What a pod's status says, worked out from its containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.cluster.registry.clock import stamp

Object = dict[str, Any]

_OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
FINAL = ("Succeeded", "Failed")


@dataclass(frozen=True)
class ContainerView:
    """One container as the status shows it. ``role`` is ``init``, ``sidecar`` or ``main``."""

    name: str
    role: str
    status: Object
    may_restart: bool

    @property
    def terminated(self) -> Object | None:
        """The terminated state, if it is in one."""
        found: Object | None = self.status["state"].get("terminated")
        return found

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return "running" in self.status["state"]

    @property
    def stopped(self) -> bool:
        """Whether it has run and does not now: ended, or waiting to be started again."""
        return self.terminated is not None or (
            "waiting" in self.status["state"] and bool(self.status["lastState"])
        )

    @property
    def initialized(self) -> bool:
        """For init containers: whether the ones after it may start."""
        if self.role == "sidecar":
            return bool(self.status["started"])
        return self.terminated is not None and self.terminated["exitCode"] == 0


@dataclass(frozen=True)
class PodView:
    """What a status is made of beside the containers."""

    address: str
    host: str
    start_time: str
    sandbox: bool
    restart_policy: str
    stopped: bool = False
    """All containers have been ended for good, by deletion or a deadline."""
    reason: str = ""
    message: str = ""


def phase(containers: Sequence[ContainerView], view: PodView, before: str) -> str:
    """The pod's phase."""
    if before in FINAL:
        return before
    mains = [item for item in containers if item.role == "main"]
    inits = [item for item in containers if item.role != "main"]
    if view.stopped:
        good = all(item.terminated and item.terminated["exitCode"] == 0 for item in mains)
        return "Succeeded" if good and not view.reason else "Failed"
    failed = [item for item in inits if item.role == "init" and item.stopped and not item.initialized]
    if view.restart_policy == "Never" and any(item.terminated for item in failed):
        return "Failed"
    begun = any(item.running or item.stopped for item in mains)
    if not begun and not all(item.initialized for item in inits):
        return "Pending"
    if any(not item.running and not item.stopped for item in mains):
        return "Pending"
    if any(item.running for item in mains):
        return "Running"
    if view.restart_policy == "Always" or any(item.may_restart for item in mains):
        return "Running"
    if any(item.role == "sidecar" and item.running for item in inits):
        return "Running"
    good = all(item.terminated and item.terminated["exitCode"] == 0 for item in mains)
    return "Succeeded" if good and not view.reason else "Failed"


def build(pod: Object, containers: Sequence[ContainerView], view: PodView) -> Object:
    """The whole status of a pod.

    Args:
        pod: the pod as it is stored.
        containers: init containers first, in the order of the spec.
        view: everything else.
    """
    old: Object = pod.get("status") or {}
    generation = pod["metadata"].get("generation", 1)
    now_phase = phase(containers, view, old.get("phase") or "Pending")
    conditions = _conditions(pod, containers, view, now_phase)
    kept = _kept_times(conditions, old.get("conditions") or [], generation)
    found: Object = {**old, "observedGeneration": generation, "phase": now_phase, "conditions": kept}
    if view.reason:
        found |= {"reason": view.reason, "message": view.message}
    found |= {"hostIP": view.host, "hostIPs": [{"ip": view.host}], "startTime": view.start_time}
    if view.address:
        found |= {"podIP": view.address, "podIPs": [{"ip": view.address}]}
    inits = [item.status for item in containers if item.role != "main"]
    if inits:
        found["initContainerStatuses"] = inits
    found["containerStatuses"] = [item.status for item in containers if item.role == "main"]
    return found


def _condition(type_: str, true: bool, reason: str = "", message: str = "") -> Object:
    found: Object = {"type": type_, "status": "True" if true else "False"}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def _conditions(
    pod: Object, containers: Sequence[ContainerView], view: PodView, now_phase: str
) -> list[Object]:
    final = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(now_phase, "")
    lasting = [item for item in containers if item.role != "init"]
    unready = [item.name for item in lasting if not item.status["ready"]]
    text = f"containers with unready status: [{' '.join(unready)}]"
    if final:
        all_ready = _condition("ContainersReady", False, final)
    elif unready:
        all_ready = _condition("ContainersReady", False, "ContainersNotReady", text)
    else:
        all_ready = _condition("ContainersReady", True)
    ready = {**all_ready, "type": "Ready"}
    gate = _closed_gate(pod)
    if gate and all_ready["status"] == "True":
        ready = _condition("Ready", False, "ReadinessGatesNotReady", gate)
    sandbox = view.sandbox and not view.stopped and now_phase not in FINAL
    return [
        _condition("PodReadyToStartContainers", sandbox),
        _initialized(containers, now_phase),
        ready,
        all_ready,
        _condition("PodScheduled", True),
    ]


def _initialized(containers: Sequence[ContainerView], now_phase: str) -> Object:
    if now_phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    begun = any(item.role == "main" and (item.running or item.stopped) for item in containers)
    missing = [item.name for item in containers if item.role != "main" and not item.initialized]
    if not missing or begun:
        return _condition("Initialized", True)
    text = f"containers with incomplete status: [{' '.join(missing)}]"
    return _condition("Initialized", False, "ContainersNotInitialized", text)


def _closed_gate(pod: Object) -> str:
    """Why a readiness gate keeps the pod from being ready; empty when none does."""
    known = {entry["type"]: entry["status"] for entry in (pod.get("status") or {}).get("conditions") or []}
    for gate in pod["spec"].get("readinessGates") or []:
        name = gate["conditionType"]
        if name not in known:
            return f'corresponding condition of pod readiness gate "{name}" does not exist.'
        if known[name] != "True":
            return f'the status of pod readiness gate "{name}" is not "True", but {known[name]}'
    return ""


def _kept_times(new: list[Object], old: list[Object], generation: int) -> list[Object]:
    """The new conditions with the times of those that did not change, and the old ones that are not the node's."""
    before = {entry["type"]: entry for entry in old}
    moment = stamp()
    found = []
    for entry in new:
        same = before.get(entry["type"], {})
        changed = same.get("status") != entry["status"]
        whole = {
            "type": entry["type"],
            "observedGeneration": generation,
            "status": entry["status"],
            "lastProbeTime": None,
            "lastTransitionTime": moment if changed else same["lastTransitionTime"],
        }
        found.append(whole | {key: entry[key] for key in ("reason", "message") if key in entry})
    return found + [entry for entry in old if entry["type"] not in _OWN_CONDITIONS]
