"""Which old ConfigMaps of a release may go: all but the last few, and none that something still uses.

In use is also what a rollback goes back to: the stored releases that are live or that a saved state names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from include.release.applying import spec_name
from include.release.frozen import LABEL_BASE, NOTE_DIGEST, NOTE_RELEASE
from include.release.pods import templates, uses
from include.release.saved import SavedState


def in_use(workloads: list[dict[str, Any]]) -> set[str]:
    """Names of the ConfigMaps that the pod templates of these workloads refer to."""
    found: set[str] = set()
    for workload in workloads:
        for pod, _ in templates(workload):
            found.update(use.name for use in uses(pod) if use.kind == "ConfigMap")
    return found


def live_specs(workloads: list[dict[str, Any]]) -> set[str]:
    """Names of the stored releases that these workloads are from."""
    noted = [each["metadata"].get("annotations") or {} for each in workloads]
    return {
        spec_name(notes[NOTE_RELEASE], notes[NOTE_DIGEST])
        for notes in noted
        if NOTE_RELEASE in notes and NOTE_DIGEST in notes
    }


def gone_back_to(states: Sequence[SavedState], keep: int, mine: str) -> set[str]:
    """What rollbacks need: the newest saved state of each of the last steps from a release to another, and its names.

    Args:
        states: newest first.
        keep: how many such steps.
        mine: name of the state that the run of now saved.
    """
    steps: dict[tuple[str, str], SavedState] = {}
    for each in states:
        if each.kind == "release" and each.previous_digest not in ("", each.digest):
            steps.setdefault((each.digest, each.previous_digest), each)
    kept = [*list(steps.values())[:keep], *states[:keep], *(each for each in states if each.name == mine)]
    names: set[str] = set()
    for each in kept:
        names |= {each.name, spec_name(each.release, each.digest), each.previous_spec} | in_use(each.objects)
    return names - {""}


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
