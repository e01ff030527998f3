"""Where a service sends to: the ready pods that it selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.controllers import pods

if TYPE_CHECKING:
    from include.cluster.registry import Registry

Object = dict[str, Any]
Address = tuple[str, int]


def backends(registry: Registry, namespace: str, name: str, port: str | int = "") -> list[Address]:
    """The address and port of each pod that may get a connection to a service port.

    Args:
        registry: holds the service and the pods.
        namespace: of both.
        name: the service.
        port: the service port by number or name; may be empty when the service has one port only.

    Returns:
        Empty when the service, the port or a ready pod is missing.
    """
    service = registry.find("services", namespace, name)
    if service is None:
        return []
    found = find_port(service, port)
    return [] if found is None else port_backends(registry, service, found)


def find_port(service: Object, port: str | int) -> Object | None:
    """The service port with this number or name."""
    ports = service["spec"].get("ports") or []
    if port == "":
        return ports[0] if len(ports) == 1 else None
    for entry in ports:
        if str(entry["port"]) == str(port) or entry.get("name") == port:
            return dict(entry)
    return None


def port_backends(registry: Registry, service: Object, port: Object) -> list[Address]:
    """The pods behind one port of a service, ordered by name."""
    selector = service["spec"].get("selector")
    if not selector:
        return []
    found = []
    for pod in registry.list("pods", service["metadata"]["namespace"]):
        if not selector.items() <= (pod["metadata"].get("labels") or {}).items():
            continue
        if not _serves(pod, bool(service["spec"].get("publishNotReadyAddresses"))):
            continue
        target = target_port(pod, port)
        if target is not None:
            found.append((str(pod["status"]["podIP"]), target))
    return found


def target_port(pod: Object, port: Object) -> int | None:
    """The number of the pod's port that a service port means; None when the pod has no port of that name."""
    target = port["targetPort"] if port.get("targetPort") else port["port"]
    if str(target).isdigit():
        return int(target)
    for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]:
        for entry in container.get("ports") or []:
            if entry.get("name") == target and entry.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(entry["containerPort"])
    return None


def _serves(pod: Object, unready: bool) -> bool:
    if not (pod.get("status") or {}).get("podIP") or pods.phase(pod) in pods.FINISHED:
        return False
    return unready or (pods.ready(pod) and not pods.dying(pod))
