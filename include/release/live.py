"""What is released in a namespace now, as the notes on its Deployments tell it."""

from __future__ import annotations

from typing import Any

from include.release.frozen import LABEL_APP, NOTE_NUMBER, NOTE_RELEASE, Frozen
from include.release.kube import Cluster


def going_back(cluster: Cluster, frozen: Frozen) -> str:
    """A notice when a release with a higher number is live; empty otherwise. Raises KubeError."""
    wanted = {each["metadata"]["name"] for each in frozen.deployments()}
    above: dict[int, str] = {}
    stay = []
    for deployment in _deployments(cluster, frozen):
        notes, name = _notes(deployment), deployment["metadata"]["name"]
        number = notes.get(NOTE_NUMBER, "")
        if number.isdecimal() and int(number) > frozen.release.number:
            above[int(number)] = notes.get(NOTE_RELEASE, f"release {number}")
        if name not in wanted:
            stay.append(f"Deployment {name}")
    if not above:
        return ""
    lines = [
        f"NOTICE: this goes back from {above[max(above)]}, which is live, to {frozen.release.name}.",
        "  Migrations are not taken back: the database stays as the later release left it.",
    ]
    if stay:
        names = ", ".join(sorted(stay))
        lines.append(f"  Objects that stay although {frozen.release.name} does not have them: {names}")
    return "\n".join(lines)


def _deployments(cluster: Cluster, frozen: Frozen) -> list[dict[str, Any]]:
    labels = f"{LABEL_APP}={frozen.release.app}"
    return cluster.list("Deployment", frozen.environment.namespace, labels=labels)


def _notes(deployment: dict[str, Any]) -> dict[str, str]:
    return deployment["metadata"].get("annotations") or {}
