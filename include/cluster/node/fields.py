"""The downward API: what a container may be told of its own pod."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING
from typing import Any

from include.cluster.rules import quantity
from include.cluster.settings import Settings

Object = dict[str, Any]

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_SIMPLE = ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName")


class FieldError(Exception):
    """The reference names nothing."""


def field_value(pod: Object, path: str, address: str, host: str) -> str:
    """The value of a ``fieldRef``.

    Args:
        pod: the pod.
        path: such as ``metadata.labels['app']`` or ``status.podIP``.
        address: the pod's address.
        host: the node's address.

    Raises:
        FieldError: no such field can be referred to.
    """
    if path in ("status.podIP", "status.podIPs"):
        return address
    if path in ("status.hostIP", "status.hostIPs"):
        return host
    if path in _SIMPLE:
        part, _, name = path.partition(".")
        return str(pod[part].get(name, ""))
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(values.items()))
    raise FieldError(f"unsupported fieldPath: {path}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_value(pod: Object, reference: Object, container: str, settings: Settings) -> str:
    """The value of a ``resourceFieldRef``: a limit that is not set is what the node offers, rounded up to the divisor.

    Raises:
        FieldError: no such container or resource.
    """
    name = reference.get("containerName") or container
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    found = next((item for item in containers if item["name"] == name), None)
    if found is None:
        raise FieldError(f"container {name} not found")
    kind, _, resource = reference["resource"].partition(".")
    if kind not in ("limits", "requests") or not resource:
        raise FieldError(f"unsupported resource: {reference['resource']}")
    resources = found.get("resources") or {}
    text = (resources.get(kind) or {}).get(resource)
    if text is None and kind == "limits":
        text = {"cpu": settings.allocatable_cpu, "memory": settings.allocatable_memory}.get(resource)
    divisor = quantity.parse(reference.get("divisor") or "1")
    value = quantity.parse(text or "0") / (divisor or 1)
    return str(int(value.to_integral_value(ROUND_CEILING)))
