"""When the clean-up is due and by when it has ended: the DAG's schedule, its deadline, and what the watch looks for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, ValidationError

from include.logs.choosing import right_retention
from include.logs.loading import FILE
from include.logs.retention import LogRetention, Volume
from include.overdue.judging import Duty
from include.overdue.ticks import Daily
from include.release.loading import Sources
from include.release.problems import RejectedError
from include.release.yamlfile import parse, read_text

DAG_ID = "log_cleanup"
WHERE = "include/config/log_retention.yaml"
_CLOCK = "%H:%M"
_SAID = ("time_zone", "start", "finish_by", "tell")


def cleanup_duty(retention: LogRetention) -> Duty:
    """The daily clean-up."""
    start, end = (datetime.strptime(each, _CLOCK) for each in (retention.start, retention.finish_by))
    span = end - start if end > start else end - start + timedelta(days=1)
    title = "the clean-up of the logs"
    return Duty(
        DAG_ID,
        title,
        cleanup_ticks(retention),
        span,
        retention.tell,
        WHERE,
        first_task="choose",
        part_param="volumes",
        parts=[each.name for each in retention.volumes],
        left_by="window",
    )


class _Times(LogRetention):
    """What a file that is not right says all the same of when, and whom to tell."""

    model_config = ConfigDict(extra="ignore")

    volumes: list[Volume] = []


def duty_of_a_wrong_file(sources: Sources) -> Duty:
    """The daily clean-up that cleans nothing up, since its file is not right: for whoever has to know of that."""
    duty = cleanup_duty(times_of(sources))
    return replace(duty, title=f"{duty.title}, whose file {WHERE} is not right")


def times_of(sources: Sources) -> LogRetention:
    """When the clean-up runs and whom it tells, also of a file in which no volume is right: its run says what is wrong.

    Where the file does not say it, the defaults count, and the list of the first environment is told. Never raises.
    """
    with suppress(RejectedError):
        return right_retention(sources)
    raw = _raw(sources)
    said = None
    with suppress(
        ValidationError, ZoneInfoNotFoundError, ValueError, OSError
    ):  # a directory of the time zones is an OSError
        found = _Times.model_validate({key: raw[key] for key in _SAID if key in raw})
        ZoneInfo(found.time_zone)
        said = found
    found = said or _Times()
    if said is None or "tell" not in raw:
        with suppress(RejectedError):  # nobody but the task log is told then
            return found.model_copy(update={"tell": list(sources.environments().environments[0].tell)})
    return found


def _raw(sources: Sources) -> dict[str, Any]:
    path = sources.config / FILE
    try:
        documents, _ = parse(read_text(path, WHERE), WHERE)
    except RejectedError:
        return {}
    value = documents[0].value if documents else None
    return value if isinstance(value, dict) else {}


def cleanup_ticks(retention: LogRetention) -> Daily:
    """When it starts."""
    return Daily(retention.start, retention.time_zone)
