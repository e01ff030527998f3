"""When a schedule says that something runs."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from include.overdue.ticks import Daily, Every, last_tick


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-21T03:00", "2026-11-21T03:00"),  # 04:00 in Berlin in winter
        ("2026-11-21T02:59", "2026-11-20T03:00"),
        ("2026-07-21T02:00", "2026-07-21T02:00"),  # and in summer
        ("2026-07-21T01:59", "2026-07-20T02:00"),
    ],
)
def test_a_daily_tick_is_at_the_time_on_the_wall(now: str, expected: str):
    assert last_tick(Daily("04:00", "Europe/Berlin"), at(now)) == at(expected)


def test_a_time_that_the_clock_skips_or_shows_twice_is_one_tick_of_its_day():
    daily = Daily("02:30", "Europe/Berlin")
    spring = list(islice(daily.back_from(at("2026-03-30T12:00")), 3))
    assert spring == [at("2026-03-30T00:30"), at("2026-03-29T01:30"), at("2026-03-28T01:30")]
    autumn = list(islice(daily.back_from(at("2026-10-26T12:00")), 2))
    assert autumn == [at("2026-10-26T01:30"), at("2026-10-25T00:30")]


def test_a_daily_tick_is_the_schedule_of_the_dag():
    from airflow.timetables.trigger import CronTriggerTimetable  # what Airflow makes of it

    daily = Daily("04:05", "Europe/Berlin")
    assert daily.cron == "5 4 * * *"
    assert CronTriggerTimetable(daily.cron, timezone=daily.zone).summary == daily.cron


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (5, "2026-11-21T13:55"),
        (60, "2026-11-21T13:00"),
        (120, "2026-11-21T12:00"),
        (1440, "2026-11-21T00:00"),
    ],
)
def test_ticks_are_counted_from_midnight(minutes: int, expected: str):
    assert last_tick(Every(minutes), at("2026-11-21T13:58:30")) == at(expected)


def test_minutes_that_do_not_divide_a_day_are_refused():
    with pytest.raises(ValueError, match="minutes that divide a day"):
        Every(7)
