"""Services."""

from __future__ import annotations

import ipaddress
from typing import Any

from include.cluster.rules import names
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_OUTSIDE = ("NodePort", "LoadBalancer")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_POLICIES = ("Cluster", "Local")


def check(errors: Errors, service: Object) -> None:
    """A Service's spec."""
    spec = service.get("spec") or {}
    kind, ports = spec.get("type") or "", spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        errors.required("spec.ports")
    _by_type(errors, spec, kind, headless=headless)
    taken: set[str] = set()
    for index, port in enumerate(ports):
        _port(errors, f"spec.ports[{index}]", port, taken, named=len(ports) > 1)
    errors.labels("spec.selector", spec.get("selector"))
    errors.choice("spec.sessionAffinity", spec.get("sessionAffinity") or "", ("ClientIP", "None"))
    _addresses(errors, spec)
    errors.choice("spec.type", kind, _TYPES)
    _twice(errors, ports)
    if kind not in ("NodePort", "LoadBalancer"):
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                errors.forbidden(
                    f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'"
                )
    _outside(errors, spec, kind)
    spread = spec.get("trafficDistribution")
    if spread and spread not in _DISTRIBUTIONS:
        errors.unsupported("spec.trafficDistribution", spread, _DISTRIBUTIONS)
    for name in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if name == "externalTrafficPolicy" and kind not in _OUTSIDE:
            continue
        if spec.get(name) and spec[name] not in _POLICIES:
            errors.unsupported(f"spec.{name}", spec[name], _POLICIES)


def _outside(errors: Errors, spec: Object, kind: str) -> None:
    """Fields of Services that are reached from outside the cluster."""
    policy = spec.get("externalTrafficPolicy")
    if policy and kind not in _OUTSIDE and not spec.get("externalIPs"):
        why = "may only be set for externally-accessible services"
        errors.invalid("spec.externalTrafficPolicy", policy, why)
    port = spec.get("healthCheckNodePort")
    if port and not (kind == "LoadBalancer" and policy == "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.invalid("spec.healthCheckNodePort", port, why)
    for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(name) is not None and kind != "LoadBalancer":
            errors.forbidden(f"spec.{name}", "may only be used when `type` is 'LoadBalancer'")


def _by_type(errors: Errors, spec: Object, kind: str, *, headless: bool) -> None:
    if kind in ("NodePort", "LoadBalancer") and headless:
        errors.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        if spec.get("clusterIP"):
            errors.forbidden("spec.clusterIP", "may not be set for ExternalName services")
        name = (spec.get("externalName") or "").removesuffix(".")
        if name:
            errors.each("spec.externalName", name, names.dns_subdomain(name))
        else:
            errors.required("spec.externalName")


def _port(errors: Errors, field: str, port: Object, taken: set[str], *, named: bool) -> None:
    name, number = port.get("name") or "", port.get("port") or 0
    if named and not name:
        errors.required(f"{field}.name")
    elif name:
        errors.each(f"{field}.name", name, names.dns_label(name))
        if name in taken:
            errors.duplicate(f"{field}.name", name)
        taken.add(name)
    errors.each(f"{field}.port", number, names.port_number(number))
    errors.choice(f"{field}.protocol", port.get("protocol") or "", ("SCTP", "TCP", "UDP"))
    errors.port(f"{field}.targetPort", port.get("targetPort"))
    if port.get("appProtocol"):
        errors.each(f"{field}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))


def _twice(errors: Errors, ports: list[Object]) -> None:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            errors.duplicate(f"spec.ports[{index}]", {"protocol": key[0], "port": key[1]})
        seen.add(key)


def _addresses(errors: Errors, spec: Object) -> None:
    addresses = spec.get("clusterIPs") or []
    if addresses and addresses[0] != (spec.get("clusterIP") or ""):
        errors.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    for index, address in enumerate(addresses):
        if address == "None":
            continue
        try:
            ipaddress.ip_address(address)
        except ValueError:
            why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            errors.invalid(f"spec.clusterIPs[{index}]", address, why)


def check_update(errors: Errors, new: Object, old: Object) -> None:
    """A Service keeps its address as long as it needs one."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return
    addresses, was = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if was and addresses[:1] != was[:1]:
        if not addresses:
            errors.invalid("spec.clusterIPs[0]", None, "primary clusterIP can not be unset")
        else:
            errors.invalid("spec.clusterIPs[0]", addresses, "may not change once set")
