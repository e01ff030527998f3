"""Room on the nodes of a cluster, and pods that are put there one by one, as the scheduler would."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from include.capacity.figures import amount
from include.capacity.requests import Amounts, asked_of_node, shown_amount


@dataclass(frozen=True)
class Pod:
    """A pod that takes room: of which workload, what it asks for, and where it may go."""

    workload: str
    asks: Amounts
    selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    spread: bool = False

    @classmethod
    def of(cls, workload: str, spec: dict[str, Any]) -> Pod:
        """The pod of a pod spec."""
        return cls(
            workload=workload,
            asks=asked_of_node(spec),
            selector=dict(spec.get("nodeSelector") or {}),
            tolerations=tuple(spec.get("tolerations") or []),
            spread=bool(spec.get("topologySpreadConstraints")),
        )


@dataclass
class Node:
    """A node that takes new pods."""

    name: str
    labels: dict[str, str]
    taints: list[dict[str, Any]]
    total: Amounts
    used: Amounts = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    """Those of the release."""

    def free(self, name: str) -> Fraction:
        """What is left of a resource."""
        return self.total.get(name, Fraction(0)) - self.used.get(name, Fraction(0))

    def lacks(self, pod: Pod) -> Amounts:
        """What is missing for a pod; empty when it fits."""
        return {
            name: value - self.free(name)
            for name, value in pod.asks.items()
            if value > 0 and value > self.free(name)
        }

    def refuses(self, pod: Pod) -> str:
        """Why the pod may not go here, whatever is free; empty when it may."""
        if any(self.labels.get(key) != value for key, value in pod.selector.items()):
            return "its labels are not those of the pod's nodeSelector"
        for taint in self.taints:
            if taint.get("effect") in ("NoSchedule", "NoExecute") and not _tolerated(taint, pod.tolerations):
                return f"taint {taint.get('key')}, which the pod does not tolerate"
        return ""

    def take(self, asks: Amounts, times: int = 1) -> None:
        """Count what a pod asks for; with -1 give it back."""
        for name, value in asks.items():
            self.used[name] = self.used.get(name, Fraction(0)) + value * times


@dataclass
class Room:
    """The nodes that take pods, and why the others do not."""

    nodes: list[Node]
    out: dict[str, str]

    def put(self, pod: Pod) -> Node | None:
        """Place a pod on the emptiest node where it fits, on another than its like if it is spread; None: nowhere."""
        fitting = [each for each in self.nodes if not each.refuses(pod) and not each.lacks(pod)]
        if not fitting:
            return None
        best = min(
            fitting, key=lambda node: (_alike(node, pod) if pod.spread else 0, -_emptiness(node), node.name)
        )
        best.take(pod.asks)
        best.pods.append(pod)
        return best

    def drop(self, node: Node, pod: Pod) -> None:
        """A pod ends."""
        node.take(pod.asks, -1)
        node.pods.remove(pod)

    def without(self, name: str) -> Room:
        """The room that is left when a node is out."""
        rest = [copy.deepcopy(each) for each in self.nodes if each.name != name]
        return Room(rest, {**self.out, name: "taken to be out"})

    def why_nowhere(self, pod: Pod) -> str:
        """Of each node why the pod does not go there, with numbers."""
        parts = []
        for node in self.nodes:
            why = node.refuses(pod)
            if not why:
                why = ", ".join(
                    f"{name} {shown_amount(name, node.free(name))} free of {shown_amount(name, node.total.get(name, Fraction(0)))}, "
                    f"short by {shown_amount(name, short)}"
                    for name, short in sorted(node.lacks(pod).items())
                )
            parts.append(f"{node.name}: {why}")
        parts += [f"{name}: {why}" for name, why in self.out.items()]
        return "; ".join(parts) or "there is no node"


def room_of(nodes: list[dict[str, Any]], pods: list[dict[str, Any]]) -> Room:
    """The room of a cluster: allocatable less the requests of all pods that have not ended.

    Args:
        nodes: all nodes.
        pods: all pods of all namespaces.
    """
    taking: dict[str, Node] = {}
    out: dict[str, str] = {}
    for each in nodes:
        name, spec = each["metadata"]["name"], each.get("spec") or {}
        if why := _out(each):
            out[name] = why
            continue
        total = {
            key: amount(str(value))
            for key, value in ((each.get("status") or {}).get("allocatable") or {}).items()
        }
        taking[name] = Node(
            name, dict(each["metadata"].get("labels") or {}), list(spec.get("taints") or []), total
        )
    for pod in pods:
        node = taking.get((pod.get("spec") or {}).get("nodeName") or "")
        if node is not None and not ended(pod):
            node.take(asked_of_node(pod["spec"]))
    return Room(list(taking.values()), out)


def ended(pod: dict[str, Any]) -> bool:
    """Whether a pod takes no room any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _out(node: dict[str, Any]) -> str:
    if (node.get("spec") or {}).get("unschedulable"):
        return "takes no new pods (cordoned)"
    conditions = (node.get("status") or {}).get("conditions") or []
    ready: dict[str, Any] = next((each for each in conditions if each.get("type") == "Ready"), {})
    return "" if ready.get("status") == "True" else "is not ready"


def _tolerated(taint: dict[str, Any], tolerations: tuple[dict[str, Any], ...]) -> bool:
    for each in tolerations:
        if each.get("effect") and each["effect"] != taint.get("effect"):
            continue
        if each.get("operator") == "Exists" and each.get("key") in (None, "", taint.get("key")):
            return True
        if each.get("key") == taint.get("key") and (each.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def _alike(node: Node, pod: Pod) -> int:
    return sum(1 for each in node.pods if each.workload == pod.workload)


def _emptiness(node: Node) -> Fraction:
    """The mean free share of CPU and memory, by which the scheduler prefers nodes."""
    shares = [node.free(name) / node.total[name] for name in ("cpu", "memory") if node.total.get(name)]
    return sum(shares, Fraction(0)) / len(shares) if shares else Fraction(0)
