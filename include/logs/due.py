"""When the clean-up is due and by when it has ended: the DAG's schedule, its deadline, and what the watch looks for."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.logs.retention import LogRetention
from include.overdue.judging import Duty
from include.overdue.ticks import Daily

DAG_ID = "log_cleanup"
WHERE = "include/config/log_retention.yaml"
_CLOCK = "%H:%M"


def cleanup_duty(retention: LogRetention) -> Duty:
    """The daily clean-up."""
    start, end = (datetime.strptime(each, _CLOCK) for each in (retention.start, retention.finish_by))
    span = end - start if end > start else end - start + timedelta(days=1)
    title = "the clean-up of the logs"
    return Duty(DAG_ID, title, cleanup_ticks(retention), span, retention.tell, WHERE)


def cleanup_ticks(retention: LogRetention) -> Daily:
    """When it starts."""
    return Daily(retention.start, retention.time_zone)
