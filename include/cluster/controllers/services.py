"""Who serves a service: the one place that chooses pods for the proxy, for the API server's own proxy and for endpoints.

Nothing here reads or writes: callers bring the service and the pods of its namespace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from include.cluster.controllers import pods
from include.cluster.store import Change

Object = dict[str, Any]
Address = tuple[str, int]


@dataclass(frozen=True)
class Backend:
    """A pod that a service selects, with an address and not at its end.

    ``ready`` says that it gets connections; ``serving`` is its own word, whether or not it is on its way out.
    """

    pod: Object
    address: str
    ready: bool
    serving: bool
    terminating: bool


def selects(service: Object, labels: dict[str, str] | None) -> bool:
    """Whether the service has a selector, and it matches the labels."""
    selector = service["spec"].get("selector")
    return bool(selector) and selector.items() <= (labels or {}).items()


def backends(service: Object, candidates: Iterable[Object]) -> list[Backend]:
    """The pods behind a service, ready or not, in the order in which they come."""
    unready = bool(service["spec"].get("publishNotReadyAddresses"))
    found = []
    for pod in candidates:
        if not selects(service, pod["metadata"].get("labels")) or pods.phase(pod) in pods.FINISHED:
            continue
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            continue
        serving, terminating = pods.ready(pod), pods.dying(pod)
        ready = unready or (serving and not terminating)
        found.append(Backend(pod, str(address), ready, serving, terminating))
    return found


def addresses(
    service: Object, port: Object, candidates: Iterable[Object], *, leaving: bool = False
) -> list[Address]:
    """Where a connection to one port of a service may go: to the pods that are ready and have that port.

    With ``leaving``, pods that still serve on their way out stand in when no pod is ready, as with kube-proxy.
    """
    members = backends(service, candidates)
    chosen = [one for one in members if one.ready]
    if leaving and not chosen:
        chosen = [one for one in members if one.serving]
    found = []
    for backend in chosen:
        number = target_port(backend.pod, port)
        if number is not None:
            found.append((backend.address, number))
    return found


def find_port(service: Object, wanted: str) -> Object | None:
    """The service port with this number or name; a port that has a name is not meant by none."""
    for port in service["spec"].get("ports") or []:
        if str(port["port"]) == wanted if wanted.isdigit() else port.get("name", "") == wanted:
            return dict(port)
    return None


def target_port(pod: Object, port: Object) -> int | None:
    """The number of the pod's port that a service port means; None when the pod has no port of that name."""
    target = port["targetPort"] if port.get("targetPort") else port["port"]
    if str(target).isdigit():
        return int(target)
    sidecars = [
        one for one in pod["spec"].get("initContainers") or [] if one.get("restartPolicy") == "Always"
    ]
    for container in [*pod["spec"]["containers"], *sidecars]:
        for entry in container.get("ports") or []:
            if entry.get("name") == target and entry.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(entry["containerPort"])
    return None


def concerns(change: Change) -> bool:
    """Whether a change of a pod may change who serves a service."""
    return change.type != "MODIFIED" or not change.old or _shown(change.old) != _shown(change.object)


def _shown(pod: Object) -> tuple[Any, ...]:
    """All of a pod that services depend on."""
    finished = pods.phase(pod) in pods.FINISHED
    address = (pod.get("status") or {}).get("podIP")
    labels, node = pod["metadata"].get("labels"), pod["spec"].get("nodeName")
    return labels, node, address, finished, pods.ready(pod), pods.dying(pod)
