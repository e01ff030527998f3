"""Containers: name, image, ports, environment, mounts, resources, probes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from include.cluster.rules import names, quantity
from include.cluster.rules.validation import environment, probes, volumes
from include.cluster.rules.validation.errors import NOT_NEGATIVE, Errors

Object = dict[str, Any]

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NATIVE = re.compile(r"^(cpu|memory|ephemeral-storage|hugepages-.+)$")
_ID = "must be between 0 and 2147483647, inclusive"
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


@dataclass(frozen=True)
class Surroundings:
    """What a container's checks need to know of its pod."""

    volumes: set[str]
    grace: int | None


def check(errors: Errors, field: str, containers: list[Object], around: Surroundings) -> set[str]:
    """The pod's own containers.

    Returns:
        Their names.
    """
    if not containers:
        errors.required(field)
        return set()
    taken: set[str] = set()
    for index, container in enumerate(containers):
        where = f"{field}[{index}]"
        _common(errors, where, container, around)
        _unique(errors, where, container, taken)
        if container.get("lifecycle") is not None:
            probes.lifecycle(errors, f"{where}.lifecycle", container["lifecycle"], around.grace)
        for name in _PROBES:
            probes.check(errors, f"{where}.{name}", name, container.get(name), around.grace)
        if container.get("restartPolicy") not in (None, "Always", "OnFailure", "Never"):
            errors.unsupported(
                f"{where}.restartPolicy", container["restartPolicy"], ("Always", "OnFailure", "Never")
            )
    _host_ports(errors, field, containers)
    return taken


def check_init(
    errors: Errors, field: str, containers: list[Object], taken: set[str], around: Surroundings
) -> None:
    """Init containers, those that keep running (sidecars) among them."""
    taken = set(taken)
    for index, container in enumerate(containers):
        where = f"{field}[{index}]"
        sidecar = container.get("restartPolicy") == "Always"
        _common(errors, where, container, around)
        if container.get("restartPolicy") not in (None, "Always", "OnFailure", "Never"):
            errors.unsupported(
                f"{where}.restartPolicy", container["restartPolicy"], ("Always", "OnFailure", "Never")
            )
        _unique(errors, where, container, taken)
        if sidecar:
            if container.get("lifecycle") is not None:
                probes.lifecycle(errors, f"{where}.lifecycle", container["lifecycle"], around.grace)
            for name in _PROBES:
                probes.check(errors, f"{where}.{name}", name, container.get(name), around.grace)
            continue
        for name in ("lifecycle", *_PROBES):
            if container.get(name) is not None:
                errors.forbidden(f"{where}.{name}", _ONLY_SIDECARS)
    _host_ports(errors, field, containers)


def trimmed_images(errors: Errors, field: str, containers: list[Object]) -> None:
    """A pod's images have no blanks around them (in templates Kubernetes lets that pass)."""
    for index, container in enumerate(containers):
        image = container.get("image") or ""
        if image != image.strip():
            errors.invalid(f"{field}[{index}].image", image, "must not have leading or trailing whitespace")


def _unique(errors: Errors, where: str, container: Object, taken: set[str]) -> None:
    name = container.get("name") or ""
    if name in taken:
        errors.duplicate(f"{where}.name", name)
    elif name:
        taken.add(name)


def _common(errors: Errors, where: str, container: Object, around: Surroundings) -> None:
    name = container.get("name") or ""
    if not name:
        errors.required(f"{where}.name")
    else:
        errors.each(f"{where}.name", name, names.dns_label(name))
    if not container.get("image"):
        errors.required(f"{where}.image")
    policies = ("File", "FallbackToLogsOnError")
    errors.choice(
        f"{where}.terminationMessagePolicy", container.get("terminationMessagePolicy") or "", policies
    )
    _ports(errors, f"{where}.ports", container.get("ports") or [])
    environment.check(errors, f"{where}.env", container.get("env") or [])
    environment.check_from(errors, f"{where}.envFrom", container.get("envFrom") or [])
    volumes.check_mounts(errors, f"{where}.volumeMounts", container.get("volumeMounts") or [], around.volumes)
    pulls = ("Always", "IfNotPresent", "Never")
    errors.choice(f"{where}.imagePullPolicy", container.get("imagePullPolicy") or "", pulls)
    resources(errors, f"{where}.resources", container.get("resources") or {})
    security(errors, f"{where}.securityContext", container.get("securityContext"))


def _ports(errors: Errors, field: str, ports: list[Object]) -> None:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        where = f"{field}[{index}]"
        name, number = port.get("name") or "", port.get("containerPort") or 0
        if name and errors.each(f"{where}.name", name, names.port_name(name)):
            if name in taken:
                errors.duplicate(f"{where}.name", name)
            taken.add(name)
        if number == 0:
            errors.required(f"{where}.containerPort")
        else:
            errors.each(f"{where}.containerPort", number, names.port_number(number))
        if port.get("hostPort"):
            errors.each(f"{where}.hostPort", port["hostPort"], names.port_number(port["hostPort"]))
        errors.choice(f"{where}.protocol", port.get("protocol") or "", ("SCTP", "TCP", "UDP"))


def _host_ports(errors: Errors, field: str, containers: list[Object]) -> None:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or []):
            if not port.get("hostPort"):
                continue
            text = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if text in taken:
                errors.duplicate(f"{field}[{index}].ports[{position}].hostPort", text)
            taken.add(text)


def resources(errors: Errors, field: str, found: Object) -> None:
    """Requests and limits."""
    limits, requests = found.get("limits") or {}, found.get("requests") or {}
    for name, value in sorted(limits.items()):
        _amount(errors, f"{field}.limits[{name}]", name, value)
    for name, value in sorted(requests.items()):
        _amount(errors, f"{field}.requests[{name}]", name, value)
        limit = limits.get(name)
        if limit is None:
            continue
        if not _NATIVE.match(name) or name.startswith("hugepages-"):
            if quantity.parse(value) != quantity.parse(limit):
                errors.invalid(f"{field}.requests", value, f"must be equal to {name} limit of {limit}")
        elif quantity.parse(value) > quantity.parse(limit):
            errors.invalid(
                f"{field}.requests", value, f"must be less than or equal to {name} limit of {limit}"
            )


def _amount(errors: Errors, field: str, name: str, value: str) -> None:
    errors.each(field, name, names.qualified_name(name))
    if "/" not in name and not _NATIVE.match(name):
        errors.invalid(field, name, "must be a standard resource type or fully qualified")
        errors.invalid(field, name, "must be a standard resource for containers")
    amount = quantity.parse(value)
    if amount < 0:
        errors.invalid(field, value, NOT_NEGATIVE)
    if not _NATIVE.match(name) and amount != amount.to_integral_value():
        errors.invalid(field, value, "must be an integer")


def security(errors: Errors, field: str, context: Object | None) -> None:
    """A security context, the container's or the pod's."""
    context = context or {}
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        number = context.get(name)
        if number is not None and not 0 <= number <= 2**31 - 1:
            errors.invalid(f"{field}.{name}", number, _ID)
    for index, group in enumerate(context.get("supplementalGroups") or []):
        if not 0 <= group <= 2**31 - 1:
            errors.invalid(f"{field}.supplementalGroups[{index}]", group, _ID)
    profile = context.get("seccompProfile")
    if profile is not None:
        _seccomp(errors, f"{field}.seccompProfile", profile)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.invalid(field, context, why)
        if "SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
            why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.invalid(field, context, why)


def _seccomp(errors: Errors, field: str, profile: Object) -> None:
    kind = profile.get("type") or ""
    if kind == "Localhost":
        if not profile.get("localhostProfile"):
            errors.required(f"{field}.localhostProfile", "must be set when seccomp type is Localhost")
        return
    if profile.get("localhostProfile") is not None:
        errors.invalid(f"{field}.localhostProfile", profile, "can only be set when seccomp type is Localhost")
    if not kind:
        errors.required(f"{field}.type", "type is required when seccompProfile is set")
    elif kind not in ("RuntimeDefault", "Unconfined"):
        errors.unsupported(f"{field}.type", kind, ("Localhost", "RuntimeDefault", "Unconfined"))
