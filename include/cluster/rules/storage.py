"""The stored form of a claim's spec, as Kubernetes shows the difference between two of them."""

from __future__ import annotations

import difflib
import json
from typing import Any

Object = dict[str, Any]

_FIELDS = (
    "accessModes", "selector", "resources", "volumeName", "storageClassName", "volumeMode", "dataSource",
    "dataSourceRef", "volumeAttributesClassName",
)  # fmt: skip


def claim_difference(old: Object, new: Object) -> str:
    """A unified diff, without file names, of two claims' specs in Go's names."""
    before, after = (json.dumps(_claim(spec), indent=1).splitlines() for spec in (old, new))
    return difference(before, after)


def difference(before: list[str], after: list[str]) -> str:
    """A unified diff of lines, without file names."""
    lines = difflib.unified_diff(before, after, lineterm="", n=3)
    return "".join(f"{line}\n" for line in list(lines)[2:])


def _claim(spec: Object) -> Object:
    shown: Object = {name[0].upper() + name[1:]: spec.get(name) for name in _FIELDS}
    resources = spec.get("resources") or {}
    shown["Resources"] = {"Limits": resources.get("limits"), "Requests": resources.get("requests")}
    shown["VolumeName"] = spec.get("volumeName") or ""
    return shown
