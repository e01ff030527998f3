"""Environment variables: names, and where their values come from."""

from __future__ import annotations

import re
from typing import Any

from include.cluster.rules import names, quantity
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_KNOWN_FIELDS = (
    *_ENV_FIELDS,
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
_DIVISORS = {"cpu": ("1m", "1"), "memory": (), "ephemeral-storage": ()}


def check(errors: Errors, field: str, variables: list[Object]) -> None:
    """A container's ``env``."""
    for index, variable in enumerate(variables):
        where = f"{field}[{index}]"
        name = variable.get("name") or ""
        if not name:
            errors.required(f"{where}.name")
        else:
            errors.each(f"{where}.name", name, names.env_name(name))
        if variable.get("valueFrom") is not None:
            _value_from(errors, f"{where}.valueFrom", variable)


def _value_from(errors: Errors, where: str, variable: Object) -> None:
    source = variable["valueFrom"]
    if source.get("fieldRef") is not None:
        field_reference(errors, f"{where}.fieldRef", source["fieldRef"], _ENV_FIELDS)
    if source.get("resourceFieldRef") is not None:
        resource_reference(errors, f"{where}.resourceFieldRef", source["resourceFieldRef"], named=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if source.get(name) is not None:
            _key_reference(errors, f"{where}.{name}", source[name])
    present = [name for name in _SOURCES if source.get(name) is not None]
    if not present:
        listed = "`, `".join(_SOURCES[:-1])
        errors.invalid(where, "", f"must specify one of: `{listed}` or `{_SOURCES[-1]}`")
    elif variable.get("value"):
        errors.invalid(where, "", "may not be specified when `value` is not empty")
    elif len(present) > 1:
        errors.invalid(where, "", "may not have more than one field specified at a time")


def _key_reference(errors: Errors, where: str, reference: Object) -> None:
    name, key = reference.get("name") or "", reference.get("key") or ""
    errors.each(f"{where}.name", name, names.dns_subdomain(name))
    if not key:
        errors.required(f"{where}.key")
    else:
        errors.each(f"{where}.key", key, names.config_key(key))


def field_reference(errors: Errors, where: str, reference: Object, allowed: tuple[str, ...]) -> None:
    """A reference to one of the pod's own fields."""
    path = reference.get("fieldPath") or ""
    if not reference.get("apiVersion"):
        errors.required(f"{where}.apiVersion")
        return
    if not path:
        errors.required(f"{where}.fieldPath")
        return
    subscript = re.fullmatch(r"(metadata\.(?:labels|annotations))\['(.*)'\]", path)
    if subscript is not None:
        key = subscript[2]
        problems = names.qualified_name(key.lower() if "annotations" in subscript[1] else key)
        errors.each(where, key, problems)
    elif path not in _KNOWN_FIELDS:
        errors.invalid(
            f"{where}.fieldPath", path, f"error converting fieldPath: field label not supported: {path}"
        )
    elif path not in allowed:
        errors.unsupported(f"{where}.fieldPath", path, allowed)


def resource_reference(errors: Errors, where: str, reference: Object, *, named: bool) -> None:
    """A reference to a container's own resources."""
    resource = reference.get("resource") or ""
    if named and not reference.get("containerName"):
        errors.required(f"{where}.containerName")
        return
    if not resource:
        errors.required(f"{where}.resource")
        return
    if resource not in _RESOURCES and not re.match(r"(limits|requests)\.hugepages-", resource):
        errors.unsupported(f"{where}.resource", resource, _RESOURCES)
        return
    divisor = reference.get("divisor", "0")
    if (
        resource.endswith(".cpu")
        and quantity.parse(divisor) != 0
        and quantity.canonical(divisor) not in _DIVISORS["cpu"]
    ):
        errors.invalid(
            f"{where}.divisor", "cpu", "only divisor's values 1m and 1 are supported with the cpu resource"
        )


def check_from(errors: Errors, field: str, sources: list[Object]) -> None:
    """A container's ``envFrom``."""
    for index, source in enumerate(sources):
        where = f"{field}[{index}]"
        if source.get("prefix"):
            errors.each(f"{where}.prefix", source["prefix"], names.env_name(source["prefix"]))
        present = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in present:
            target = source[name].get("name") or ""
            if not target:
                errors.required(f"{where}.{name}.name")
            else:
                errors.each(f"{where}.{name}.name", target, names.dns_subdomain(target))
        if not present:
            errors.invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(present) > 1:
            errors.invalid(field, "", "may not have more than one field specified at a time")
