"""Asking the ledger what is applied, and taking migrations back: Jobs of the build that brought them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.jobs.carrying import POLL_SECONDS, remove_job
from include.jobs.state import job_state
from include.release.frozen import LABEL_APP, Frozen
from include.release.jobs import LABEL_DIRECTION, LABEL_MIGRATION, Errand
from include.release.kube import Cluster
from include.release.migrating import MigrationError, Runner, Say
from include.release.pods import containers_started
from include.release.rollback_plan import RollbackPlan, Undo
from include.release.spec import Migration

KEEP_ROWS = ("MIGRATE_KEEP_ROWS", "1")
"""Asks a ``down`` to refuse, inside its transaction, when it would destroy a row."""
REFUSED = 3
"""Exit code of a migration program that did nothing because it may not."""
QUESTION_SECONDS = 120
ENDS_WITHIN = 120.0


@dataclass(frozen=True)
class Ledger:
    """What the migrated database says. ``applied`` is None when the spec does not say how to ask."""

    applied: list[str] | None
    rows: dict[str, dict[str, int]] = field(default_factory=dict)


def ask_ledger(
    cluster: Cluster, releases: Sequence[Frozen], asked_by: str, say: Say, *, rows: bool = False
) -> Ledger:
    """What is applied, asked by the newest build; and what taking back the migrations of ``releases`` would destroy.

    Args:
        cluster: where.
        releases: newest first; those without migrations are passed over.
        asked_by: DAG run, how often it was cleared, and the task: a question at another time is another Job.
        say: receives what on-call should read.
        rows: count them too.

    Raises:
        MigrationError: a question was not answered.
        KubeError: the cluster does not answer.
    """
    applied: list[str] | None = None
    counted: dict[str, dict[str, int]] = {}
    for frozen in releases:
        migrations = frozen.release.migrations
        if migrations is None:
            continue
        errands = []
        if applied is None and migrations.status is not None:
            errands.append(
                Errand("ledger", "status", "what is applied", tuple(migrations.status), QUESTION_SECONDS)
            )
        if rows:
            errands += [_count(step) for step in migrations.steps if step.down and step.lost]
        answers = Runner(cluster, frozen, asked_by, say).ask(errands)
        for errand, printed in zip(errands, answers, strict=True):
            if errand.direction == "status":
                applied = applied_in(printed)
            else:
                counted[errand.id] = rows_in(printed, errand.id)
    return Ledger(applied, counted)


def applied_in(printed: str) -> list[str]:
    """The ids that a ledger printed as applied. Raises MigrationError."""
    found = _json_in(printed)
    if not isinstance(found, list) or not all(isinstance(each, dict) and "id" in each for each in found):
        raise MigrationError(
            _not_understood("migrations.status", printed, '[{"id": ..., "state": "applied"}]')
        )
    return [str(each["id"]) for each in found if each.get("state") == "applied"]


def rows_in(printed: str, migration: str) -> dict[str, int]:
    """The rows per table that a count printed. Raises MigrationError."""
    found = _json_in(printed)
    if not isinstance(found, dict) or not all(isinstance(count, int) for count in found.values()):
        raise MigrationError(_not_understood(f"lost of {migration}", printed, '{"table": 3}'))
    return {str(table): count for table, count in found.items()}


def undo(
    cluster: Cluster, plan: RollbackPlan, release_of: Callable[[str], Frozen], asked_by: str, say: Say
) -> list[dict[str, Any]]:
    """Take the plan's migrations back, newest first. Returns a row per migration; what is back already stays so.

    When rows appeared since they were counted, the migration stays, and so do the older ones, if the old build can
    live with them.

    Raises:
        MigrationError: one failed, or cannot stay.
        KubeError: the cluster does not answer.
    """
    done: list[dict[str, Any]] = []
    for index, each in enumerate(plan.undo):
        frozen = release_of(each.spec)
        step = _step(frozen, each.id)
        try:
            back = Runner(cluster, frozen, asked_by, say).do(_take_back(step, each.keep_rows))
        except MigrationError as error:
            rest = plan.undo[index:]
            if error.exit_code != REFUSED or not each.keep_rows:
                raise
            if not all(other.old_build_compatible for other in rest):
                raise MigrationError(f"{error}\n{_rows_appeared(plan)}", error.exit_code) from None
            say(
                f"{each.id} stays: rows were written into it since they were counted, and {plan.target} can live with it"
            )
            return [*done, *({"id": other.id, "job": "", "result": "kept", "seconds": 0.0} for other in rest)]
        done.append({"id": each.id, "job": back.job, "result": back.said, "seconds": round(back.seconds, 1)})
    return done


def wait_for_running(cluster: Cluster, namespace: str, app: str, say: Say) -> None:
    """Wait for migrations that still run, such as those of a run that was ended half-way; then the ledger is final.

    One whose program has not started is removed instead. A pod counts, although its Job is gone already.

    Raises:
        MigrationError: one does not end within its time.
        KubeError: the cluster does not answer.
    """
    labels = f"{LABEL_APP}={app},{LABEL_MIGRATION}"
    said: set[str] = set()
    deadline = time.monotonic() + ENDS_WITHIN
    while True:
        # The Jobs before the pods: a pod that is there although its Job is not has been told to end.
        running = [each for each in cluster.list("Job", namespace, labels=labels) if _may_change(each)]
        pods = [each for each in cluster.list("Pod", namespace, labels=labels) if _works(each)]
        if not running and not pods:
            return
        for job in running:
            name = str(job["metadata"]["name"])
            if not any(map(containers_started, cluster.list("Pod", namespace, labels=f"job-name={name}"))):
                gone = remove_job(cluster, namespace, name)
                say(f"Job {name} has not started its program: removed{'' if gone else ', but its pod stays'}")
            elif name not in said:
                say(f"Job {name} still runs; waiting for its end")
                said.add(name)
                limit = job["spec"].get("activeDeadlineSeconds", 600)
                deadline = max(deadline, time.monotonic() + limit + 60)
        if time.monotonic() > deadline:
            names = [f"Job {job['metadata']['name']}" for job in running]
            names += [f"pod {pod['metadata']['name']}" for pod in pods]
            raise MigrationError(
                f"A migration still runs and does not end ({', '.join(names)}). Look at it; clear this task."
            )
        time.sleep(POLL_SECONDS)


def _may_change(job: dict[str, Any]) -> bool:
    return _changes(job) and job_state(job).phase == "running"


def _works(pod: dict[str, Any]) -> bool:
    """Whether a migration's program may still run in a pod."""
    return _changes(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _changes(thing: dict[str, Any]) -> bool:
    return thing["metadata"].get("labels", {}).get(LABEL_DIRECTION, "up") in ("up", "down")


def _take_back(step: Migration, keep_rows: bool) -> Errand:
    if step.down is None:
        raise MigrationError(f"Migration {step.id} has no way back")
    env = (KEEP_ROWS,) if keep_rows else ()
    return Errand(step.id, "down", f"take back: {step.title}", tuple(step.down), step.timeout_seconds, env)


def _count(step: Migration) -> Errand:
    return Errand(step.id, "lost", "what taking it back destroys", tuple(step.lost or ()), QUESTION_SECONDS)


def _step(frozen: Frozen, name: str) -> Migration:
    steps = frozen.release.steps
    found = next((step for step in steps if step.id == name), None)
    if found is None:
        raise MigrationError(f"{frozen.title} has no migration {name}")
    return found


def _rows_appeared(plan: RollbackPlan) -> str:
    left: list[Undo] = [each for each in plan.undo if not each.old_build_compatible]
    names = ", ".join(each.id for each in left)
    return (
        f"Rows were written since they were counted, and {plan.target} does not work with {names}.\nChoices:\n"
        f"  1. Trigger rollback with Drop data ticked: the rows are destroyed for good. Save them first if they matter.\n"
        f"  2. Go forward: put right what is wrong in a build after {plan.undoing}, and release that."
    )


def _json_in(printed: str) -> Any:
    """The JSON that a program printed, perhaps after lines of its log; None when there is none."""
    lines = printed.splitlines()
    for index, line in enumerate(lines):
        if not line.startswith(("[", "{")):
            continue
        try:
            return json.loads("\n".join(lines[index:]))
        except ValueError:
            continue
    return None


def _not_understood(what: str, printed: str, expected: str) -> str:
    shown = printed.strip()[-300:] or "nothing"
    return (
        f"The answer of {what} is not understood.\n  found:    {shown}\n  expected: JSON such as {expected}\n"
        f"What now: nothing was changed. Run the command by hand; put the spec or the program right."
    )
