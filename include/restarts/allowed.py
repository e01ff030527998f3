"""May the connection's user do what a press takes? Asked while a guard only watches: when it trips it is too late."""

from __future__ import annotations

from collections.abc import Mapping

from include.release.kube import Cluster, KubeError, group_and_plural

Verbs = Mapping[str, tuple[str, ...]]
"""By kind."""
PRESSING: Verbs = {"ConfigMap": ("get", "create", "update", "patch"), "Deployment": ("get", "patch")}
"""In the guard's namespace: counts, signs of life and evidence, and the press."""
MEETING: Verbs = {"ConfigMap": ("get", "create", "patch")}
"""Where the guards of a cluster note their trips."""


def not_allowed(cluster: Cluster, namespace: str, meeting: str) -> str:
    """What a guard may not do and must, for on-call; empty when it may do everything. Raises KubeError.

    Args:
        cluster: as the guard's user.
        namespace: the guard's.
        meeting: namespace where the guards of this cluster note their trips.
    """
    places = {namespace: PRESSING} | ({} if meeting == namespace else {meeting: MEETING})
    parts = [
        f"{', '.join(verbs)} on {resource} in namespace {place}"
        for place, wanted in places.items()
        for resource, verbs in _missing(cluster, place, wanted)
    ]
    if not parts:
        return ""
    return f"the connection's user lacks {'; '.join(parts)} (docs/red-button.md, Permissions, has the Role)"


def _missing(cluster: Cluster, namespace: str, wanted: Verbs) -> list[tuple[str, list[str]]]:
    found = []
    for kind, verbs in wanted.items():
        group, plural = group_and_plural(kind)
        missing = [verb for verb in verbs if not _may(cluster, verb, group, plural, namespace)]
        if missing:
            found.append((plural, missing))
    return found


def _may(cluster: Cluster, verb: str, group: str, plural: str, namespace: str) -> bool:
    try:
        return cluster.may(verb, group, plural, namespace)
    except KubeError as error:
        if error.status != 403:
            raise
        return True  # who may not even ask is told by what is refused
