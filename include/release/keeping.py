"""Which old ConfigMaps of a release may go: all but the last few, and none that something still uses."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from include.release.frozen import LABEL_BASE
from include.release.pods import templates, uses


def in_use(workloads: list[dict[str, Any]]) -> set[str]:
    """Names of the ConfigMaps that the pod templates of these workloads refer to."""
    found: set[str] = set()
    for workload in workloads:
        for pod, _ in templates(workload):
            found.update(use.name for use in uses(pod) if use.kind == "ConfigMap")
    return found


def disposable(config_maps: list[dict[str, Any]], used: set[str], keep: int) -> list[str]:
    """Names to delete: per base name all but the newest ``keep``, without those in use."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in config_maps:
        base = (each["metadata"].get("labels") or {}).get(LABEL_BASE)
        if base:
            groups[base].append(each)
    names: list[str] = []
    for group in groups.values():
        group.sort(key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]))
        names.extend(each["metadata"]["name"] for each in group[:-keep])
    return sorted(name for name in names if name not in used)
