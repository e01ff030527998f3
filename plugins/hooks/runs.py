"""What Airflow says of another DAG and its runs, asked from a task: over the API that Airflow gives its tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetDagRun, GetPreviousDagRun

from include.overdue.judging import LEFT, Duty, Run, Seen

TRIES = 50
"""So many runs in a row that are not in earnest may be passed over; and so many runs that have no time are looked at."""
DATED = ("scheduled__", "backfill__")
"""How the names of runs begin that have a time always."""


def look_at(ti: Any, duty: Duty, now: datetime) -> Seen:
    """The newest run in earnest of a DAG, and the newest that ended well.

    Runs have a time in Airflow, also those that somebody triggers with the form. One triggered over the API without a
    ``logical_date`` has none: ``with_undated`` finds those.

    Args:
        ti: the task that asks.
        duty: of whom, and which of its runs are in earnest.
        now: runs of up to this time.
    """
    try:
        paused = bool(ti.get_dag(duty.dag_id).is_paused)
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == 404:
            return Seen(known=False)
        raise
    return Seen(True, paused, _newest(ti, duty, now), _newest(ti, duty, now, "success"))


def with_told(seen: Seen, ti: Any, duty: Duty, now: datetime) -> Seen:
    """What was seen, where a run by schedule that failed and has told people why counts as one that ended well.

    Args:
        seen: the runs with a time.
        ti: the task that asks.
        duty: of whom, and which task tells.
        now: runs of up to this time.
    """
    failed = _newest(ti, duty, now, "failed") if duty.told_by else None
    if failed is None or failed.ended is None or not failed.run_id.startswith(DATED):
        return seen
    counted = seen.counting(failed)
    told = counted is not seen and _task_state(ti, duty, duty.told_by, failed.run_id) == "success"
    return counted if told else seen


def with_undated(seen: Seen, ti: Any, duty: Duty, now: datetime) -> Seen:
    """What was seen, and the runs without a ``logical_date``: those that were triggered over the API.

    Airflow's API of tasks lists no runs, but the states of a task in all of them; so this is for the case in which
    the runs with a time are not enough. The time of such a run is the one after which it could begin.

    Args:
        seen: the runs with a time.
        ti: the task that asks.
        duty: of whom, and which of its runs are in earnest.
        now: runs of up to this time.
    """
    first = [duty.first_task] if duty.first_task else None
    states = ti.get_task_states(dag_id=duty.dag_id, task_ids=first, map_index=-1)
    # A name given by hand says nothing of its time; the others begin with theirs.
    names = sorted(
        (name for name in states if not name.startswith(DATED)),
        key=lambda name: (not name.startswith("manual__"), name),
        reverse=True,
    )
    found = [run for name in names[:TRIES] if (run := _undated(ti, duty, name)) and run.tick <= now]
    newest = max([*found, *filter(None, [seen.newest])], key=lambda run: run.tick, default=None)
    ended = [run for run in found if run.state == "success" and run.ended]
    good = max([*ended, *filter(None, [seen.good])], key=lambda run: run.ended or run.tick, default=None)
    return replace(seen, newest=newest, good=good)


def _undated(ti: Any, duty: Duty, run_id: str) -> Run | None:
    """A run in earnest without a ``logical_date``."""
    comms: Any = task_runner.SUPERVISOR_COMMS
    found = comms.send(GetDagRun(dag_id=duty.dag_id, run_id=run_id))
    if found.logical_date is not None or not duty.in_earnest(found.conf):
        return None
    return _run(ti, duty, found, found.run_after)


def _run(ti: Any, duty: Duty, found: Any, tick: datetime) -> Run:
    word = str(getattr(found.state, "value", found.state))
    if word == "success" and _left(ti, duty, found.run_id):
        word = LEFT
    return Run(found.run_id, tick, word, found.start_date, found.end_date)


def _left(ti: Any, duty: Duty, run_id: str) -> bool:
    """Whether somebody left everything for the next run."""
    return bool(duty.left_by) and _task_state(ti, duty, duty.left_by, run_id) == "skipped"


def _task_state(ti: Any, duty: Duty, task_id: str, run_id: str) -> str:
    states = ti.get_task_states(dag_id=duty.dag_id, task_ids=[task_id], run_ids=[run_id]).get(run_id)
    found = (states or {}).get(task_id)
    return str(getattr(found, "value", found))


def _newest(ti: Any, duty: Duty, before: datetime, state: str | None = None) -> Run | None:
    for _ in range(TRIES):
        comms: Any = task_runner.SUPERVISOR_COMMS
        answer = comms.send(GetPreviousDagRun(dag_id=duty.dag_id, logical_date=before, state=state))
        found = answer.dag_run
        if found is None:
            return None
        if duty.in_earnest(found.conf):
            run = _run(ti, duty, found, found.logical_date)
            if state is None or run.state == state:
                return run
        before = found.logical_date
    return None
