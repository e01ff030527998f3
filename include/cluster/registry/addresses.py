"""The addresses of services: loopback addresses that the service proxy can bind without privileges."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from include.cluster.errors import Cause, invalid

if TYPE_CHECKING:
    from include.cluster.registry.core import Registry

Object = dict[str, Any]

NODE_PORTS = range(30000, 32768)


def allocate(registry: Registry, service: Object) -> None:
    """Gives a service the cluster address and node ports it lacks; keeps those it asks for.

    Raises:
        ApiError: 422 when the address asked for is outside the range or another service's.
    """
    spec, meta = service["spec"], service["metadata"]
    kind = spec.get("type", "ClusterIP")
    if kind == "ExternalName":
        return
    others = [
        other["spec"]
        for other in registry.list("services")
        if other["metadata"].get("uid") != meta.get("uid")
    ]
    wanted = spec.get("clusterIP", "")
    if wanted == "None":
        spec["clusterIPs"] = ["None"]
        return
    if wanted and not _address(wanted):
        return  # the check of the whole Service says so
    taken = {other.get("clusterIP") for other in others}
    services = ipaddress.ip_network(registry.settings.service_range)
    if not wanted:
        spec["clusterIP"] = _free(taken, services)
    elif wanted in taken:
        raise _refused(
            meta["name"], wanted, "failed to allocate IP " + wanted + ": provided IP is already allocated"
        )
    elif not _inside(wanted, services):
        why = f"failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range. "
        raise _refused(meta["name"], wanted, why + f"The range of valid IPs is {services}")
    spec["clusterIPs"] = [spec["clusterIP"]]
    if kind in ("NodePort", "LoadBalancer"):
        _node_ports(spec, others)


def _inside(text: str, services: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(text) in services
    except ValueError:
        return False


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def renumber(registry: Registry) -> None:
    """Gives services whose address is of another range one of this range, as after a move of the stand-in."""
    services = ipaddress.ip_network(registry.settings.service_range)
    for service in registry.list("services"):
        address = service["spec"].get("clusterIP", "")
        if address in ("", "None") or ipaddress.ip_address(address) in services:
            continue
        meta = service["metadata"]
        taken = {other["spec"].get("clusterIP") for other in registry.list("services")}
        fresh = _free(taken, services)

        def move(obj: Object, fresh: str = fresh) -> None:
            obj["spec"].update(clusterIP=fresh, clusterIPs=[fresh])

        registry.edit("services", meta["namespace"], meta["name"], move, manager="kube-apiserver")


def _free(taken: set[Any], services: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    # Counting up from the highest one gives an address a rest before it is used again.
    used = [int(ipaddress.ip_address(text)) for text in taken if text and text != "None"]
    inside = [number for number in used if ipaddress.ip_address(number) in services]
    first, last = int(services.network_address) + 1, int(services.broadcast_address) - 2
    candidate = max(inside, default=first - 1) + 1
    if candidate > last:
        numbers = set(inside)
        candidate = next(number for number in range(first, last) if number not in numbers)
    return str(ipaddress.ip_address(candidate))


def _node_ports(spec: Object, others: list[Object]) -> None:
    taken = {port.get("nodePort") for other in others for port in other.get("ports") or []}
    taken |= {port.get("nodePort") for port in spec.get("ports") or []}
    free = (number for number in NODE_PORTS if number not in taken)
    for port in spec.get("ports") or []:
        if not port.get("nodePort"):
            port["nodePort"] = next(free)


def _refused(name: str, value: str, why: str) -> Exception:
    cause = Cause("FieldValueInvalid", f"Invalid value: [{_quoted(value)}]: {why}", "spec.clusterIPs")
    return invalid("Service", "", name, [cause])


def _quoted(value: str) -> str:
    return f'"{value}"'
