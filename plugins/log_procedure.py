"""What the DAGs that work on volumes of logs have in common: arguments of ``@dag``, as ``log_retention.yaml`` says."""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronTriggerTimetable

from include.logs.due import cleanup_duty, cleanup_ticks
from include.logs.retention import LogRetention
from plugins.deadlines import must_end_within
from plugins.procedure import RETRYING

LOGS: dict[str, Any] = {
    # A run that waits for an answer does not hold up the next one; two of one volume are kept apart on the volume.
    "max_active_runs": 4,
    "tags": ["logs", "kubernetes"],
    "default_args": RETRYING,
}


def daily(retention: LogRetention) -> dict[str, Any]:
    """Arguments of the daily clean-up.

    There is no start date: a DAG that is new waits for its next time, and one that was paused runs what it missed.
    """
    duty, ticks = cleanup_duty(retention), cleanup_ticks(retention)
    late = "open the run: it waits for somebody's answer, or its log says what it works on."
    return {
        **LOGS,
        "schedule": CronTriggerTimetable(ticks.cron, timezone=ticks.zone),
        "catchup": False,
        "deadline": must_end_within(duty.finish_within, title=duty.title, tell=duty.tell, what_now=late),
    }
