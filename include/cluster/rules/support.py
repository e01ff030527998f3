"""What a client is told besides yes or no: Kubernetes' own warnings, and where the stand-in falls short of Kubernetes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from include.cluster.errors import Cause
from include.cluster.resources import Resource
from include.cluster.rules import limits, names, quantity
from include.cluster.rules.limits import Limit
from include.cluster.rules.names import quoted

Object = dict[str, Any]

_TEMPLATED = ("deployments", "replicasets", "jobs")
_ADDED_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_BYTES = ("memory", "ephemeral-storage")
_HOST_NAME = "which can result in surprising behavior; a DNS label is recommended"


def warnings(resource: Resource, obj: Object) -> list[str]:
    """The texts of the Warning headers for an object that is accepted."""
    found = _name_warnings(resource, obj)
    for field, spec in _pod_specs(resource, obj):
        found += _pod_warnings(field, spec)
        if any(not _added(one) for one in spec.get("tolerations") or []):
            found.append(_without_effect(f"{field}.tolerations", "there is one node, without taints"))
        found += [_without_effect(where, why) for where, why in _hits(field, spec, limits.POD_WITHOUT_EFFECT)]
    found += _own_warnings(resource, obj)
    own = limits.WITHOUT_EFFECT.get(resource.plural, ())
    return found + [_without_effect(where, why) for where, why in _hits("", obj, own)]


def refusals(resource: Resource, obj: Object) -> list[Cause]:
    """The fields that are valid in Kubernetes and would make the stand-in run something else than is asked for."""
    found: list[tuple[str, str]] = []
    for field, spec in _pod_specs(resource, obj):
        hits = _hits(field, spec, limits.POD_REFUSED)
        # On the host's network Kubernetes itself fills in hostPort; there the two are the same port.
        found += [hit for hit in hits if not (spec.get("hostNetwork") and hit[0].endswith(".hostPort"))]
        for index, volume in enumerate(spec.get("volumes") or []):
            for kind in volume:
                if kind != "name" and kind not in limits.VOLUMES:
                    why = f"volumes are {', '.join(limits.VOLUMES)}"
                    found.append((f"{field}.volumes[{index}].{kind}", why))
    found += _hits("", obj, limits.REFUSED.get(resource.plural, ()))
    text = "Forbidden: valid in Kubernetes, but this is the stand-in cluster, which does not have it"
    return [Cause("FieldValueForbidden", f"{text}: {why}", where) for where, why in found]


def _without_effect(field: str, why: str) -> str:
    return f"{field}: kept, but has no effect on this stand-in cluster: {why}"


def _pod_specs(resource: Resource, obj: Object) -> Iterator[tuple[str, Object]]:
    if resource.plural == "pods":
        yield "spec", obj.get("spec") or {}
    elif resource.plural in _TEMPLATED:
        template = (obj.get("spec") or {}).get("template") or {}
        yield "spec.template.spec", template.get("spec") or {}


def _added(toleration: Object) -> bool:
    # Every pod gets these two; nobody asked for them.
    return toleration.get("key") in _ADDED_TOLERATIONS and toleration.get("effect") == "NoExecute"


def _hits(prefix: str, obj: Object, known: Iterable[Limit]) -> list[tuple[str, str]]:
    return [
        (where, limit.why)
        for limit in known
        for where, value in _values(prefix, obj, limit.path.split("."))
        if value and value not in limit.fine
    ]


def _values(prefix: str, value: Any, parts: list[str]) -> Iterator[tuple[str, Any]]:
    if not parts:
        yield prefix, value
        return
    if not isinstance(value, dict):
        return
    name = parts[0].removesuffix("[*]")
    if name not in value:
        return
    where = f"{prefix}.{name}" if prefix else name
    if parts[0] == name:
        # The last part names what is meant by a map's key, as Kubernetes writes it.
        yield from _values(where, value[name], parts[1:])
        return
    for index, entry in enumerate(value[name] or []):
        yield from _values(f"{where}[{index}]", entry, parts[1:])


# -- Kubernetes' own -----------------------------------------------------------------------------------------


def _name_warnings(resource: Resource, obj: Object) -> list[str]:
    use = "Pod's hostname" if resource.plural == "pods" else "Pod names and hostnames"
    if resource.plural not in ("pods", *_TEMPLATED):
        return []
    problems = names.dns_label(obj["metadata"].get("name") or "")
    article = "the " if resource.plural == "pods" else ""
    if not problems:
        return []
    return [
        f"metadata.name: this is used in {article}{use}, {_HOST_NAME}: {quoted(problems)}".replace('"', "")
    ]


def _own_warnings(resource: Resource, obj: Object) -> list[str]:
    if resource.plural == "services":
        spec = obj.get("spec") or {}
        if spec.get("externalName") and spec.get("type") != "ExternalName":
            return ['spec.externalName is ignored when spec.type is not "ExternalName"']
    if resource.plural == "secrets" and obj.get("type") == "kubernetes.io/tls":
        for key, what in (("tls.crt", "certificate"), ("tls.key", "key")):
            if b"-----BEGIN " not in base64.b64decode((obj.get("data") or {}).get(key) or ""):
                return [f"tls: failed to find any PEM data in {what} input"]
    return []


def _pod_warnings(field: str, spec: Object) -> list[str]:
    found: list[str] = []
    places = [
        (f"{field}.{kind}[{index}]", container)
        for kind in ("initContainers", "containers")
        for index, container in enumerate(spec.get(kind) or [])
    ]
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        why = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{field}.terminationGracePeriodSeconds: {why}")
    for where, container in places:
        found += _fractions(f"{where}.resources", container.get("resources") or {})
        found += _hidden(f"{where}.env", container.get("env") or [])
    return found + _doubled_ports(places)


def _fractions(field: str, resources: Object) -> list[str]:
    found = []
    for kind in ("limits", "requests"):
        for name, value in sorted((resources.get(kind) or {}).items()):
            amount = quantity.parse(value)
            if name in _BYTES and amount != amount.to_integral_value():
                why = f"fractional byte value {quoted(value)} is invalid, must be an integer"
                found.append(f"{field}.{kind}[{name}]: {why}")
    return found


def _hidden(field: str, variables: list[Object]) -> list[str]:
    found, seen = [], set()
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if name in seen and f"$({name})" not in (variable.get("value") or ""):
            why = f"hides previous definition of {quoted(name)}, which may be dropped when using apply"
            found.append(f"{field}[{index}]: {why}")
        seen.add(name)
    return found


def _doubled_ports(places: list[tuple[str, Object]]) -> list[str]:
    found: list[str] = []
    seen: dict[tuple[Any, ...], str] = {}
    for where, container in places:
        for index, port in enumerate(container.get("ports") or []):
            key = tuple(port.get(name) for name in ("containerPort", "protocol", "hostIP", "hostPort"))
            field = f"{where}.ports[{index}]"
            if key in seen:
                found.append(f"{field}: duplicate port definition with {seen[key]}")
            else:
                seen[key] = field
    return found
