"""What Airflow says of another DAG and its runs, asked from a task: over the API that Airflow gives its tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetPreviousDagRun

from include.overdue.judging import Run, Seen

DRY_RUN = "dry_run"
TRIES = 50
"""So many dry runs in a row may be passed over."""


def look_at(ti: Any, dag_id: str, now: datetime) -> Seen:
    """The newest run in earnest of a DAG, and the newest that ended well.

    Runs have a time in Airflow, also those that somebody triggers with the form; one triggered over the API without a
    ``logical_date`` has none, and is not found.

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


def _newest(dag_id: str, before: datetime, state: str | None = None) -> Run | None:
    for _ in range(TRIES):
        comms: Any = task_runner.SUPERVISOR_COMMS
        answer = comms.send(GetPreviousDagRun(dag_id=dag_id, logical_date=before, state=state))
        found = answer.dag_run
        if found is None:
            return None
        if not (found.conf or {}).get(DRY_RUN):
            word = str(getattr(found.state, "value", found.state))
            return Run(found.run_id, found.logical_date, word, found.start_date, found.end_date)
        before = found.logical_date
    return None
