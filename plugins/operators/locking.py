"""The lock of a release, as a task of a DAG run asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Context
from airflow.sdk.configuration import conf

from include.release.asking import GO_ON, INTERRUPTED, OUTSIDE_WINDOW
from include.release.frozen import Frozen
from include.release.interrupted import choices, look, still_running
from include.release.kube import Cluster
from include.release.lease import Journal
from include.release.lock import AskRun, HeldError, Holder, Lock, RunFate, Taken
from include.release.problems import Problem, RejectedError
from include.release.saved import saved_name
from include.release.windows import refused_now

FINISHED = ("success", "failed")
WAITING = ("awaiting_input", "deferred")
APPROVE, ASKED = "approve", "asked"
"""The task that asks for an approval, and the XCom in which it keeps what it has asked and when."""
_ALWAYS = "a procedure without this param may start at any time"


def run_name(context: Context) -> str:
    """``dag_id/run_id``."""
    dag_run: Any = context["dag_run"]
    return f"{dag_run.dag_id}/{dag_run.run_id}"


def requested_at(context: Context) -> str:
    """When the run was asked for, in UTC; it stays the same when somebody clears it. Empty when not known."""
    dag_run: Any = context["dag_run"]
    moment = getattr(dag_run, "run_after", None) or getattr(dag_run, "logical_date", None)
    return moment.astimezone(UTC).isoformat() if moment else ""


def run_url(dag_id: str, run_id: str) -> str:
    """The run's page in Airflow's UI; empty when the setting ``[api] base_url`` is not set."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id)}" if base else ""


def holder_of(frozen: Frozen, context: Context) -> Holder:
    """This run, as the lock names it."""
    dag_run: Any = context["dag_run"]
    return Holder(
        run=run_name(context),
        kind=dag_run.dag_id,
        user=getattr(dag_run, "triggering_user_name", None) or "",
        requested_at=requested_at(context),
        url=run_url(dag_run.dag_id, dag_run.run_id),
        release=frozen.release.name,
        spec_digest=frozen.digest,
    )


def lock_of(frozen: Frozen, cluster: Cluster) -> Lock:
    """The lock of the app in its environment."""
    return Lock(cluster, frozen.environment.namespace, frozen.release.app)


def ask_airflow(context: Context) -> AskRun:
    """Asks Airflow what became of a run. One that is deleted is gone; one of another Airflow cannot be asked for."""
    ti: Any = context["ti"]

    def ask(journal: Journal) -> RunFate:
        dag_id, _, run_id = journal.run.partition("/")
        ours = run_url(dag_id, run_id)
        if ours and journal.url and urlsplit(ours).netloc != urlsplit(journal.url).netloc:
            return RunFate(f"a run of another Airflow, at {urlsplit(journal.url).netloc}", holds=True)
        if not ti.get_dr_count(dag_id, run_ids=[run_id]):
            return RunFate("deleted", holds=False)
        found = ti.get_dagrun_state(dag_id, run_id)
        state = word(found)
        if state in FINISHED:
            return RunFate(state, holds=False)
        return RunFate(_waits(ti, dag_id, run_id) or state, holds=True)

    return ask


def _waits(ti: Any, dag_id: str, run_id: str) -> str:
    """That a run waits for an approval, and since when; empty when it does not."""
    states = ti.get_task_states(dag_id=dag_id, task_ids=[APPROVE], run_ids=[run_id]).get(run_id) or {}
    if word(states.get(APPROVE)) not in WAITING:
        return ""
    asked = ti.xcom_pull(task_ids=APPROVE, dag_id=dag_id, run_id=run_id, key=ASKED)
    since = f" since {asked['at']}" if isinstance(asked, dict) and asked.get("at") else ""
    return f"waits for an approval{since}"


def word(state: Any) -> str:
    """A state in a word; it is an enum in a run of ``dag.test()``."""
    return str(getattr(state, "value", state))


def goes_on(context: Context) -> bool:
    """Whether this run may begin where an interrupted one ended. A rollback is one of the ways out of that."""
    return bool(context["params"].get(INTERRUPTED, GO_ON) == GO_ON)


def begin_change(
    frozen: Frozen, cluster: Cluster, context: Context, stage: str, *, any_time: bool = False
) -> Taken:
    """Make sure that this run holds the lock and note which change begins. Raises RejectedError and KubeError.

    Whether to go on from an interrupted run was asked by the task ``lock``; here that is only kept in the journal.
    """
    lock = lock_of(frozen, cluster)
    if not any_time:
        _refuse_closed_window(frozen, context, lock)
    return lock.require(
        holder_of(frozen, context),
        ask_airflow(context),
        stage,
        saved_state=saved_name(frozen.release.app, run_name(context)),
        go_on=True,
    )


def _refuse_closed_window(frozen: Frozen, context: Context, lock: Lock) -> None:
    """Refuse the first change of a release whose approval came when the window had closed; one begun may end.

    A run that has ended, and is cleared when the window has closed, is none that has begun.
    """
    if context["params"].get(OUTSIDE_WINDOW, _ALWAYS):
        return
    closed = refused_now(frozen.environment, datetime.now(UTC))
    journal = lock.read().journal if closed else None
    if closed and not (journal and journal.run == run_name(context) and journal.unfinished):
        raise RejectedError(
            [closed], subject=f"the time of {frozen.title}", changed="This run has changed nothing."
        )


def half_way(frozen: Frozen, cluster: Cluster, runs: Sequence[Journal]) -> RejectedError:
    """The refusal because of an interrupted run: what it left, and the choices."""
    left = look(cluster, frozen, runs)
    problem = Problem(
        f"namespace {frozen.environment.namespace}",
        f"Lease {lock_of(frozen, cluster).name}",
        f"{runs[-1].run} was interrupted at `{runs[-1].stage}`",
        "a run before this one that came to an end: released, rolled back, or failed before it changed something",
        "choose below",
    )
    text = "\n".join(part for part in (left.text, still_running(left), choices(frozen, runs)) if part)
    return LeftError([problem], subject=f"what the run before left of {frozen.title}", left=text)


class LeftError(HeldError):
    """A run before was interrupted; the text says what it left."""

    def __init__(self, problems: Sequence[Problem], subject: str, left: str) -> None:
        super().__init__(problems, subject, "This run has changed nothing.")
        self.left = left

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.left}"
