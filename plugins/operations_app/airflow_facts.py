"""What the API server knows of the scheduled procedures, from its own database: a few queries for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from include.operations.procedures import OVERDUE, DagFact, Facts, Holder, Question, RunFact
from include.overdue.judging import Run, Seen
from include.overdue.telling import MEMORY, Memory

CLEANUP, RESTORE = "log_cleanup", "log_restore"
GROUP, CHOOSE, REPORT = "clean.", "choose", "clean.report"
DEPTH = 50
"""Runs of a DAG that are looked at: so many dry runs in a row may be passed over."""
WORDS: dict[str, str] = {
    TaskInstanceState.RUNNING: "is at work",
    TaskInstanceState.DEFERRED: "is at work, in its Job, or waits until it may",
    TaskInstanceState.AWAITING_INPUT: "waits for somebody's answer",
    TaskInstanceState.UP_FOR_RETRY: "is tried again soon",
}
_ENDED = frozenset(str(each) for each in State.finished)


def ask_airflow(dag_ids: Sequence[str]) -> Facts:
    """What there is to know of these DAGs, and of ``overdue``."""
    with create_session() as session:
        dags = {dag_id: _dag(session, dag_id) for dag_id in dict.fromkeys([*dag_ids, OVERDUE])}
        holders = {**_restoring(session, dags), **_cleaning(session, dags)}
        questions = _questions(session, dags)
        memory, looked = _memory(session)
    return Facts(dags, holders, questions, memory, looked)


def _dag(session: Session, dag_id: str) -> DagFact:
    model = session.get(DagModel, dag_id)
    if model is None or model.is_stale:
        return DagFact()
    newest = session.scalars(_runs(dag_id).limit(DEPTH)).all()
    good = session.scalars(_runs(dag_id).where(DagRun.state == DagRunState.SUCCESS).limit(DEPTH)).all()
    active = session.scalars(
        _runs(dag_id).where(DagRun.state.in_([DagRunState.RUNNING, DagRunState.QUEUED])).limit(DEPTH)
    ).all()
    return DagFact(
        known=True,
        paused=bool(model.is_paused),
        next_at=model.next_dagrun_create_after,
        last=_fact(newest[0]) if newest else None,
        active=[_fact(each) for each in active],
        seen=Seen(True, bool(model.is_paused), _in_earnest(newest), _in_earnest(good)),
    )


def _runs(dag_id: str) -> Select[Any]:
    return select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc(), DagRun.id.desc())


def _fact(run: DagRun) -> RunFact:
    return RunFact(
        run.dag_id,
        run.run_id,
        _word(run.state),
        run.start_date,
        run.end_date,
        run.triggering_user_name or "",
        _dry(run),
    )


def _in_earnest(runs: Sequence[DagRun]) -> Run | None:
    """The first of them that was no dry run, as ``overdue`` judges it."""
    found = next((each for each in runs if not _dry(each)), None)
    if found is None:
        return None
    tick = found.logical_date or found.run_after
    return Run(found.run_id, tick, _word(found.state), found.start_date, found.end_date)


def _dry(run: DagRun) -> bool:
    return bool((run.conf or {}).get("dry_run"))


def _word(state: Any) -> str:
    return str(getattr(state, "value", state) or "")


def _cleaning(session: Session, dags: dict[str, DagFact]) -> dict[str, Holder]:
    """The volumes that a clean-up has now: from its first step there to its report."""
    found: dict[str, Holder] = {}
    for run in reversed(dags[CLEANUP].active if CLEANUP in dags else ()):
        volumes = _left(session, run, CHOOSE)
        query = select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(
            TaskInstance.dag_id == run.dag_id,
            TaskInstance.run_id == run.run_id,
            TaskInstance.task_id.startswith(GROUP),
        )
        states: dict[int, dict[str, str]] = {}
        for each in session.execute(query):
            states.setdefault(each.map_index, {})[each.task_id] = _word(each.state)
        for index, name in enumerate(volumes if isinstance(volumes, list) else ()):
            tasks = states.get(index, {})
            if not any(tasks.values()) or tasks.get(REPORT) in _ENDED:
                continue
            at_work = next(
                ((task, state) for task, state in tasks.items() if state and state not in _ENDED), None
            )
            doing = "between two steps"
            if at_work:
                doing = f"{at_work[0].removeprefix(GROUP)} {WORDS.get(at_work[1], 'is about to begin')}"
            found[str(name)] = Holder(run, doing)
    return found


def _restoring(session: Session, dags: dict[str, DagFact]) -> dict[str, Holder]:
    found = {}
    for run in reversed(dags[RESTORE].active if RESTORE in dags else ()):
        conf = session.scalars(
            select(DagRun.conf).where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id)
        ).first()
        if volume := (conf or {}).get("volume"):
            found[str(volume)] = Holder(run, "brings lines back")
    return found


def _questions(session: Session, dags: dict[str, DagFact]) -> list[Question]:
    """What tasks of runs that go on ask people, and nobody has answered."""
    active = {each.name: each for dag in dags.values() for each in dag.active}
    query = (
        select(
            TaskInstance.dag_id,
            TaskInstance.run_id,
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.start_date,
            HITLDetail.subject,
        )
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(TaskInstance.dag_id.in_(list(dags)), TaskInstance.state == TaskInstanceState.AWAITING_INPUT)
        .order_by(TaskInstance.start_date)
    )
    return [
        Question(run, each.task_id, each.map_index, each.subject, each.start_date)
        for each in session.execute(query)
        if (run := active.get(f"{each.dag_id}/{each.run_id}"))
    ]


def _left(session: Session, run: RunFact, task_id: str) -> Any:
    row = session.execute(
        select(XComModel.value)
        .where(
            XComModel.dag_id == run.dag_id,
            XComModel.run_id == run.run_id,
            XComModel.task_id == task_id,
            XComModel.key == "return_value",
        )
        .limit(1)
    ).first()
    return XComModel.deserialize_value(row) if row else None


def _memory(session: Session) -> tuple[Memory, datetime | None]:
    """What the last look of ``overdue`` left, and when."""
    row = session.execute(
        select(XComModel.value, XComModel.timestamp)
        .where(XComModel.dag_id == OVERDUE, XComModel.key == MEMORY)
        .order_by(XComModel.timestamp.desc())
        .limit(1)
    ).first()
    if row is None:
        return Memory(), None
    at = row.timestamp if row.timestamp.tzinfo else row.timestamp.replace(tzinfo=UTC)
    return Memory.read(XComModel.deserialize_value(row)), at
