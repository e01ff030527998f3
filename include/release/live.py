"""What is released in a namespace now, as the notes on its Deployments tell it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from include.release.frozen import LABEL_APP, NOTE_NUMBER, NOTE_RELEASE, NOTE_REQUESTED, NOTE_RUN, Frozen
from include.release.kube import Cluster
from include.release.problems import Problem, RejectedError


def refuse_older_run(cluster: Cluster, frozen: Frozen, run: str, requested_at: str) -> None:
    """Stop a run that is older than the one that released what is live: clearing it would undo that silently.

    Raises:
        RejectedError: a Deployment of the app carries another run, asked for later than this one.
        KubeError: the cluster does not answer.
    """
    mine = _moment(requested_at)
    if mine is None:
        return
    later = []
    for deployment in _deployments(cluster, frozen):
        notes = _notes(deployment)
        when = _moment(notes.get(NOTE_REQUESTED, ""))
        if when is not None and when > mine and notes.get(NOTE_RUN) != run:
            later.append((when, deployment["metadata"]["name"], notes))
    if not later:
        return
    when, name, notes = max(later, key=lambda each: each[:2])
    found = f"{notes.get(NOTE_RELEASE, 'a release')}, by run {notes.get(NOTE_RUN)}, requested at {when.isoformat()}"
    problem = Problem(
        f"namespace {frozen.environment.namespace}",
        f"Deployment {name}",
        found,
        f"nothing from a run later than this one ({run}, requested at {mine.isoformat()})",
        "trigger a new run of the release that you want",
        why="a task of an old run would put its old release back over the later one",
    )
    raise RejectedError(
        [problem], subject=f"the order of runs of {frozen.title}", changed="This task has changed nothing."
    )


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


def _moment(text: str) -> datetime | None:
    """The time of a note; None when there is none, or none that can be compared."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
