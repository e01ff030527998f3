"""What Airflow says of another DAG and its runs, asked from a task: over the API that Airflow gives its tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetDagRun, GetPreviousDagRun

from include.overdue.judging import Run, Seen

DRY_RUN = "dry_run"
TRIES = 50
"""So many dry runs in a row may be passed over; and so many runs that have no time are looked at."""
DATED = ("scheduled__", "backfill__")
"""How the names of runs begin that have a time always."""


def look_at(ti: Any, dag_id: str, now: datetime) -> Seen:
    """The newest run in earnest of a DAG, and the newest that ended well.

    Runs have a time in Airflow, also those that somebody triggers with the form. One triggered over the API without a
    ``logical_date`` has none: ``with_undated`` finds those.

    Args:
        ti: the task that asks.
        dag_id: of whom.
        now: runs of up to this time.
    """
    try:
        paused = bool(ti.get_dag(dag_id).is_paused)
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == 404:
            return Seen(known=False)
        raise
    return Seen(True, paused, _newest(dag_id, now), _newest(dag_id, now, "success"))


def with_undated(seen: Seen, ti: Any, dag_id: str, first_task: str, now: datetime) -> Seen:
    """What was seen, and the runs without a ``logical_date``: those that were triggered over the API.

    Airflow's API of tasks lists no runs, but the states of a task in all of them; so this is for the case in which
    the runs with a time are not enough. The time of such a run is the one after which it could begin.

    Args:
        seen: the runs with a time.
        ti: the task that asks.
        dag_id: of whom.
        first_task: id of a task that every run has.
        now: runs of up to this time.
    """
    states = ti.get_task_states(dag_id=dag_id, task_ids=[first_task] if first_task else None, map_index=-1)
    # A name given by hand says nothing of its time; the others begin with theirs.
    names = sorted(
        (name for name in states if not name.startswith(DATED)),
        key=lambda name: (not name.startswith("manual__"), name),
        reverse=True,
    )
    found = [run for name in names[:TRIES] if (run := _undated(dag_id, name)) and run.tick <= now]
    newest = max([*found, *filter(None, [seen.newest])], key=lambda run: run.tick, default=None)
    ended = [run for run in found if run.state == "success" and run.ended]
    good = max([*ended, *filter(None, [seen.good])], key=lambda run: run.ended or run.tick, default=None)
    return replace(seen, newest=newest, good=good)


def _undated(dag_id: str, run_id: str) -> Run | None:
    """A run in earnest without a ``logical_date``."""
    comms: Any = task_runner.SUPERVISOR_COMMS
    found = comms.send(GetDagRun(dag_id=dag_id, run_id=run_id))
    if found.logical_date is not None or (found.conf or {}).get(DRY_RUN):
        return None
    return _run(found, found.run_after)


def _run(found: Any, tick: datetime) -> Run:
    word = str(getattr(found.state, "value", found.state))
    return Run(found.run_id, tick, word, found.start_date, found.end_date)


def _newest(dag_id: str, before: datetime, state: str | None = None) -> Run | None:
    for _ in range(TRIES):
        comms: Any = task_runner.SUPERVISOR_COMMS
        answer = comms.send(GetPreviousDagRun(dag_id=dag_id, logical_date=before, state=state))
        found = answer.dag_run
        if found is None:
            return None
        if not (found.conf or {}).get(DRY_RUN):
            return _run(found, found.logical_date)
        before = found.logical_date
    return None
