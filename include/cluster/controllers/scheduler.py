"""The scheduler: binds pods to the one node as long as they fit."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from include.cluster.controllers import claims, conditions, pods
from include.cluster.controllers.base import Cluster, Controller, Key
from include.cluster.registry.clock import stamp
from include.cluster.rules import quantity
from include.cluster.store import Change

Object = dict[str, Any]
Amounts = dict[str, Decimal]

SCHEDULER = "default-scheduler"
_NO_PREEMPTION = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 {}."
_NEVER = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


def requests(pod: Object) -> Amounts:
    """What a pod asks for: all containers together, or the largest init container where that is more.

    Init containers that go on running (restartPolicy Always) add to whatever comes after them.
    """
    total: Amounts = {}
    for container in pod["spec"].get("containers", []):
        _add(total, _requests(container))
    running: Amounts = {}
    largest: Amounts = {}
    for container in pod["spec"].get("initContainers") or []:
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)
            _add(running, asked)
            asked = dict(running)
        else:
            _add(asked, running)
        _raise_to(largest, asked)
    _raise_to(total, largest)
    _add(total, {name: quantity.parse(value) for name, value in (pod["spec"].get("overhead") or {}).items()})
    return total


class Scheduler(Controller):
    """Binds each pod that has no node, or tells why it cannot."""

    name = SCHEDULER

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._bound: dict[Key, Amounts] = {}
        self._used: Amounts = {}
        self._waiting: dict[Key, None] = {}

    def initial(self) -> Iterable[Key]:
        """The pods without a node, oldest first; the others are counted."""
        found = self.registry.list("pods")
        for pod in sorted(found, key=lambda one: one["metadata"]["creationTimestamp"]):
            key = pod["metadata"]["namespace"], pod["metadata"]["name"]
            self._count(key, pod)
            if not pod["spec"].get("nodeName"):
                yield key

    def observe(self, change: Change) -> None:
        """New pods; and whatever may make room for the ones that wait."""
        plural, namespace, name = change.key
        if plural == "pods":
            key = (namespace, name)
            freed = self._count(key, None if change.type == "DELETED" else change.object)
            if change.type == "DELETED":
                self._waiting.pop(key, None)
            elif not change.object["spec"].get("nodeName") and _differs(change):
                self.enqueue(key)
            if freed:
                self._retry()
        elif plural in ("nodes", "persistentvolumeclaims") and _helps(change):
            self._retry()

    def _retry(self) -> None:
        for key in self._waiting:
            self.enqueue(key)

    def _count(self, key: Key, pod: Object | None) -> bool:
        """Keeps the sums of what bound pods ask for. Returns whether a pod has given its share back."""
        counts = pod is not None and pod["spec"].get("nodeName") and pods.phase(pod) not in pods.FINISHED
        if counts and pod is not None:
            if key not in self._bound:
                asked = self._bound[key] = {**requests(pod), "pods": Decimal(1)}
                _add(self._used, asked)
            return False
        given_back = self._bound.pop(key, None)
        if given_back is None:
            return False
        _add(self._used, {name: -amount for name, amount in given_back.items()})
        return True

    async def reconcile(self, key: Key) -> float | None:
        """Binds a pod, or writes why not."""
        pod = self.registry.find("pods", *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            self._waiting.pop(key, None)
            return None
        if pod["spec"].get("schedulerName", SCHEDULER) != SCHEDULER:
            return None
        if pod["spec"].get("schedulingGates"):
            text = "Scheduling is blocked due to non-empty scheduling gates"
            self._refuse(key, pod, "SchedulingGated", text)
            return None
        why = self._obstacle(pod)
        if why:
            self._waiting[key] = None
            if self._refuse(key, pod, "Unschedulable", why):
                self._tell(pod, "Warning", "FailedScheduling", why, "Scheduling")
            return None
        self._waiting.pop(key, None)
        bound = self._bind(pod)
        text = f"Successfully assigned {'/'.join(key)} to {self.settings.node_name}"
        self._tell(bound, "Normal", "Scheduled", text, "Binding")
        return None

    def _bind(self, pod: Object) -> Object:
        def change(new: Object) -> None:
            new["spec"]["nodeName"] = self.settings.node_name
            found = {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": stamp(),
            }
            _put(new.setdefault("status", {}), found)

        meta = pod["metadata"]
        return self.registry.edit(
            "pods", meta["namespace"], meta["name"], change, manager="kube-scheduler", subresource="binding"
        )

    def _refuse(self, key: Key, pod: Object, reason: str, message: str) -> bool:
        """Writes the PodScheduled condition. Returns whether it says something new."""
        present = pods.condition(pod, "PodScheduled")
        if present is not None and (present.get("reason"), present.get("message")) == (reason, message):
            return False
        found = {
            "type": "PodScheduled",
            "observedGeneration": pod["metadata"].get("generation", 1),
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": present["lastTransitionTime"] if present else stamp(),
            "reason": reason,
            "message": message,
        }
        self.registry.edit(
            "pods",
            *key,
            lambda new: _put(new.setdefault("status", {}), found),
            manager="kube-scheduler",
            subresource="status",
        )
        return True

    def _tell(self, pod: Object, type_: str, reason: str, message: str, action: str) -> None:
        self.registry.event(
            pod,
            type_,
            reason,
            message,
            component=SCHEDULER,
            host=self.settings.node_name,
            action=action,
        )

    def _obstacle(self, pod: Object) -> str:
        """Why the pod cannot run on the node, in the scheduler's words; empty when it can."""
        node = self.registry.find("nodes", "", self.settings.node_name)
        claim = claims.obstacle(self.registry, pod)
        if claim:
            return f"0/1 nodes are available: {claim}. {_NO_PREEMPTION.format(_NEVER)}"
        if node is not None and node["spec"].get("unschedulable"):
            return f"0/1 nodes are available: 1 node(s) were unschedulable. {_NO_PREEMPTION.format(_NEVER)}"
        room = self._allocatable(node)
        lacking, helpless = [], False
        for name, amount in sorted({**requests(pod), "pods": Decimal(1)}.items()):
            if amount <= 0 or amount <= room.get(name, Decimal(0)) - self._used.get(name, Decimal(0)):
                continue
            lacking.append("1 Too many pods" if name == "pods" else f"1 Insufficient {name}")
            helpless = helpless or amount > room.get(name, Decimal(0))
        if not lacking:
            return ""
        preemption = _NO_PREEMPTION.format(_NEVER if helpless else _NO_VICTIMS)
        return f"0/1 nodes are available: {', '.join(sorted(lacking))}. {preemption}"

    def _allocatable(self, node: Object | None) -> Amounts:
        told = ((node or {}).get("status") or {}).get("allocatable") or {
            "cpu": self.settings.allocatable_cpu,
            "memory": self.settings.allocatable_memory,
            "pods": str(self.settings.allocatable_pods),
        }
        found = {name: quantity.parse(value) for name, value in told.items()}
        # Storage on the node is the disk's, which the stand-in does not share out.
        found.setdefault("ephemeral-storage", Decimal("Infinity"))
        return found


def _differs(change: Change) -> bool:
    return change.old is None or change.old["spec"] != change.object["spec"]


def _helps(change: Change) -> bool:
    """Whether a change of a claim or of the node may let a waiting pod in; the node's heartbeats do not."""
    if change.old is None:
        return True
    before, after = change.old.get("status") or {}, change.object.get("status") or {}
    if change.key[0] != "nodes":
        return bool(before != after)
    return bool(
        change.old["spec"] != change.object["spec"] or before.get("allocatable") != after.get("allocatable")
    )


def _put(status: Object, found: Object) -> None:
    if conditions.find(status, "PodScheduled") is None:
        status.setdefault("conditions", []).append(found)
        return
    status["conditions"] = [found if one["type"] == "PodScheduled" else one for one in status["conditions"]]


def _requests(container: Object) -> Amounts:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity.parse(value) for name, value in asked.items()}


def _add(total: Amounts, amounts: Amounts) -> None:
    for name, amount in amounts.items():
        total[name] = total.get(name, Decimal(0)) + amount


def _raise_to(total: Amounts, amounts: Amounts) -> None:
    for name, amount in amounts.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
