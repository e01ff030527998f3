"""Endpoints and EndpointSlices."""

from __future__ import annotations

import ipaddress
from typing import Any

from include.cluster.rules import names
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def endpoints(errors: Errors, obj: Object) -> None:
    """An Endpoints object's subsets."""
    for index, subset in enumerate(obj.get("subsets") or []):
        field = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.required(field, "must specify `addresses` or `notReadyAddresses`")
        for kind in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(kind) or []):
                _address(errors, f"{field}.{kind}[{number}].ip", address.get("ip") or "", 0)
        ports = subset.get("ports") or []
        for number, port in enumerate(ports):
            where = f"{field}.ports[{number}]"
            if len(ports) > 1 and not port.get("name"):
                errors.required(f"{where}.name")
            elif port.get("name"):
                errors.each(f"{where}.name", port["name"], names.dns_label(port["name"]))
            errors.each(f"{where}.port", port.get("port") or 0, names.port_number(port.get("port") or 0))
            errors.choice(f"{where}.protocol", port.get("protocol") or "", _PROTOCOLS)


def endpoint_slice(errors: Errors, obj: Object) -> None:
    """An EndpointSlice's addresses and ports."""
    kind = obj.get("addressType") or ""
    errors.choice("addressType", kind, _ADDRESS_TYPES)
    _endpoints(errors, obj.get("endpoints") or [], kind)
    taken: set[str] = set()
    for index, port in enumerate(obj.get("ports") or []):
        where, name = f"ports[{index}]", port.get("name") or ""
        if name:
            errors.each(f"{where}.name", name, names.dns_label(name))
        if name in taken:
            errors.duplicate(f"{where}.name", name)
        taken.add(name)
        errors.choice(f"{where}.protocol", port.get("protocol") or "", _PROTOCOLS)


def _endpoints(errors: Errors, found: list[Object], kind: str) -> None:
    for index, endpoint in enumerate(found):
        field, addresses = f"endpoints[{index}].addresses", endpoint.get("addresses") or []
        if not addresses:
            errors.required(field, "must contain at least 1 address")
        for number, address in enumerate(addresses):
            where = f"{field}[{number}]"
            if kind == "FQDN":
                errors.each(where, address, names.dns_subdomain(address))
            elif kind in _ADDRESS_TYPES:
                _address(errors, where, address, int(kind[-1]))
        if endpoint.get("hostname"):
            errors.each(
                f"endpoints[{index}].hostname", endpoint["hostname"], names.dns_label(endpoint["hostname"])
            )


def _address(errors: Errors, field: str, text: str, version: int) -> None:
    """``version`` is 4, 6, or 0 for either."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        errors.invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return
    if version and found.version != version:
        errors.invalid(field, text, f"must be an IPv{version} address")
