"""What an interrupted run has left in the cluster, and what on-call can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.jobs.state import job_state
from include.release.asking import GO_ON
from include.release.frozen import LABEL_APP, NOTE_RELEASE, NOTE_RUN, Frozen
from include.release.jobs import LABEL_MIGRATION
from include.release.kube import Cluster
from include.release.lease import Journal
from include.release.lock import described
from include.release.texts import indented, moment, table


@dataclass(frozen=True)
class Left:
    """The state that interrupted runs have left. ``running`` are the migrations' Jobs that have not ended."""

    runs: tuple[Journal, ...]
    text: str
    running: tuple[str, ...]


def look(cluster: Cluster, frozen: Frozen, runs: Sequence[Journal]) -> Left:
    """Read what runs that were interrupted have left of an app.

    Args:
        cluster: where.
        frozen: a release of the app in that environment.
        runs: the interrupted runs, newest last.

    Raises:
        KubeError: the cluster does not answer.
    """
    namespace, labels = frozen.environment.namespace, f"{LABEL_APP}={frozen.release.app}"
    deployments = cluster.list("Deployment", namespace, labels=labels)
    names = {run.run for run in runs}
    jobs = [
        job
        for job in cluster.list("Job", namespace, labels=f"{labels},{LABEL_MIGRATION}")
        if job_state(job).phase == "running" or _run_of(job) in names
    ]
    running = tuple(job["metadata"]["name"] for job in jobs if job_state(job).phase == "running")
    lines = [_ended(each) for each in reversed(runs)]
    lines.append(f"What is in namespace {namespace} now:")
    rows = [_row(each) for each in deployments]
    lines.append(
        indented(table(("deployment", "release", "by run", "pods"), rows) if rows else "no Deployment of it")
    )
    if jobs:
        found = [(each["metadata"]["name"], _migration(each), job_state(each).phase) for each in jobs]
        lines.append(indented(table(("job", "migration", "state"), found)))
    lines.append(
        "Which migrations are applied is in the database's ledger; each asks it and is done once only."
    )
    return Left(tuple(runs), "\n".join(lines), running)


def choices(frozen: Frozen, runs: Sequence[Journal]) -> str:
    """What on-call can do about interrupted runs, as the params of the DAGs."""
    first, environment = runs[0], frozen.environment.name
    lines = [
        "Choose:",
        f"  - go on: trigger the DAG release with the param interrupted = {GO_ON!r} and the release that is to run; "
        "what is done already is found and not done twice",
    ]
    if any(run.saved_state for run in runs):
        lines.append(
            f"  - roll back: trigger the DAG rollback with environment {environment}, app {frozen.release.app} and "
            f"target 'before {first.run}'"
        )
    else:
        lines.append("  - roll back: trigger the DAG rollback with the release that ran before")
    return "\n".join(lines)


def still_running(left: Left) -> str:
    """Why nobody may go on yet; empty when nothing of the interrupted runs works on."""
    if not left.running:
        return ""
    names = ", ".join(left.running)
    return (
        f"A migration of it still runs: Job {names}. Going on or back now would work against it. Wait until it has "
        "ended (kubectl get jobs), or delete the Job: what it had not committed is undone by the database."
    )


def _ended(run: Journal) -> str:
    when = f", which had the lock from {moment(run.since)}" if run.since else ""
    saved = f" The state before it is kept in ConfigMap {run.saved_state}." if run.saved_state else ""
    return (
        f"Run {described(run)}{when}, did not come to an end: `{run.stage}` was the last task begun that changes "
        f"something, and no step has seen where that led.{saved}"
    )


def _row(deployment: dict[str, Any]) -> tuple[str, str, str, str]:
    notes = deployment["metadata"].get("annotations") or {}
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    pods = (
        f"{ready} of {wanted} ready, {updated} of them updated"
        if updated != wanted
        else f"{ready} of {wanted} ready"
    )
    return (
        deployment["metadata"]["name"],
        notes.get(NOTE_RELEASE, "none"),
        notes.get(NOTE_RUN, "none"),
        pods,
    )


def _run_of(job: dict[str, Any]) -> str:
    """The run that made a Job; its note ends with how often the run was cleared."""
    notes = job["metadata"].get("annotations") or {}
    return str(notes.get(NOTE_RUN, "")).rpartition("/")[0]


def _migration(job: dict[str, Any]) -> str:
    return str((job["metadata"].get("labels") or {}).get(LABEL_MIGRATION, "?"))
