"""When the clean-up is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.logs.due import cleanup_duty
from include.logs.retention import LogRetention

VOLUME = {"name": "a", "title": "A", "path": "/logs", "classes": [{"name": "all", "globs": ["**"]}]}


@pytest.mark.parametrize(
    ("start", "finish_by", "hours"), [("04:00", "06:00", 2), ("23:00", "01:30", 2.5), ("04:00", "04:00", 24)]
)
def test_what_ends_before_it_starts_ends_on_the_next_day(start: str, finish_by: str, hours: float):
    retention = LogRetention.model_validate(
        {"time_zone": "Europe/Berlin", "start": start, "finish_by": finish_by, "volumes": [VOLUME]}
    )
    duty = cleanup_duty(retention)
    assert duty.finish_within == timedelta(hours=hours)
    assert duty.ticks.words == f"daily at {start} (Europe/Berlin)"
