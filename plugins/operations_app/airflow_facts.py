"""What the API server knows of the scheduled procedures, from its own database: a few queries for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from include.operations.procedures import OVERDUE, DagFact, Facts, Holder, Question, RunFact
from include.overdue.judging import DRY_RUN, LEFT, Duty, Run, Seen
from include.overdue.telling import MEMORY, Memory

CLEANUP, RESTORE = "log_cleanup", "log_restore"
GROUP, CHOOSE, REPORT = "clean.", "choose", "clean.report"
DEPTH = 50
"""Runs of a DAG that are looked at: so many in a row that are not in earnest may be passed over."""
WORDS: dict[str, str] = {
    TaskInstanceState.RUNNING: "is at work",
    TaskInstanceState.DEFERRED: "is at work, in its Job, or waits until it may",
    TaskInstanceState.AWAITING_INPUT: "waits for somebody's answer",
    TaskInstanceState.UP_FOR_RETRY: "is tried again soon",
}
_ENDED = frozenset(str(each) for each in State.finished)


def ask_airflow(duties: Sequence[Duty]) -> Facts:
    """What there is to know of these procedures, of who has a volume, and of ``overdue``."""
    expected: dict[str, Duty | None] = {CLEANUP: None, RESTORE: None, OVERDUE: None}
    expected |= {each.dag_id: each for each in duties}
    with create_session() as session:
        dags = {dag_id: _dag(session, dag_id, duty) for dag_id, duty in expected.items()}
        holders = {**_restoring(session, dags), **_cleaning(session, dags)}
        questions = _questions(session, dags)
        memory, looked = _memory(session)
    return Facts(dags, holders, questions, memory, looked)


def _dag(session: Session, dag_id: str, duty: Duty | None) -> DagFact:
    model = session.get(DagModel, dag_id)
    if model is None or model.is_stale:
        return DagFact()
    newest = session.scalars(_runs(dag_id).limit(DEPTH)).all()
    active = session.scalars(
        _runs(dag_id).where(DagRun.state.in_([DagRunState.RUNNING, DagRunState.QUEUED])).limit(DEPTH)
    ).all()
    return DagFact(
        known=True,
        paused=bool(model.is_paused),
        next_at=model.next_dagrun_create_after,
        last=_fact(newest[0]) if newest else None,
        active=[_fact(each) for each in active],
        seen=_seen(session, duty, newest, bool(model.is_paused))
        if duty
        else Seen(paused=bool(model.is_paused)),
        told=_told(session, duty) if duty else None,
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
        bool((run.conf or {}).get(DRY_RUN)),
    )


def _seen(session: Session, duty: Duty, newest: Sequence[DagRun], paused: bool) -> Seen:
    """What ``overdue`` judges a procedure by: it asks over the API of tasks (plugins/hooks/runs.py)."""
    good = session.scalars(_runs(duty.dag_id).where(DagRun.state == DagRunState.SUCCESS).limit(DEPTH)).all()
    return Seen(
        True,
        paused,
        next(_in_earnest(session, duty, newest), None),
        next((each for each in _in_earnest(session, duty, good) if each.state == "success"), None),
    )


def _told(session: Session, duty: Duty) -> Run | None:
    """The newest run by schedule that failed, if it has told people why."""
    failed = session.scalars(_runs(duty.dag_id).where(DagRun.state == DagRunState.FAILED).limit(DEPTH)).all()
    run = next((each for each in failed if duty.told_by and duty.in_earnest(each.conf)), None)
    if run is None or run.run_type not in (DagRunType.SCHEDULED, DagRunType.BACKFILL_JOB):
        return None
    told = _task_state(session, run, duty.told_by) == TaskInstanceState.SUCCESS
    return _judged(session, duty, run) if told and run.end_date else None


def _in_earnest(session: Session, duty: Duty, runs: Sequence[DagRun]) -> Iterator[Run]:
    """Those of them that did all of it."""
    return (_judged(session, duty, each) for each in runs if duty.in_earnest(each.conf))


def _judged(session: Session, duty: Duty, run: DagRun) -> Run:
    word = _word(run.state)
    if word == DagRunState.SUCCESS and duty.left_by:
        left = _task_state(session, run, duty.left_by) == TaskInstanceState.SKIPPED
        word = LEFT if left else word
    return Run(run.run_id, run.logical_date or run.run_after, word, run.start_date, run.end_date)


def _task_state(session: Session, run: DagRun, task_id: str) -> str:
    query = select(TaskInstance.state).where(
        TaskInstance.dag_id == run.dag_id,
        TaskInstance.run_id == run.run_id,
        TaskInstance.task_id == task_id,
        TaskInstance.map_index == -1,
    )
    return _word(session.scalars(query).first())


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
