"""Batch sizes, drain times and the time of the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.orders.config import Schedule
from include.orders.loading import read_orders
from include.orders.sizing import duration, lasted, next_run, pace_of, size_batch, waiting_text
from include.release.loading import Sources
from tests.include.orders.world import NOW, backlog, pace


def test_the_pace_is_that_of_the_capacity_facts():
    release = Sources.from_environment().read_release("release-2").release
    assert release.capacity is not None
    found = pace_of(release.capacity.queues[0], "capacity facts of release-2")
    assert found == pace()
    assert found.text == "4 at a time, 10 to 15 s an order: 960 to 1440 an hour (capacity facts of release-2)"


def test_what_was_measured_of_late_is_reckoned_with():
    assert (pace().per_hour, pace(12.5).per_hour) == (960, 1152)
    assert pace(12.5).text.endswith("; of late 12.5 s an order: 1152 an hour")


def test_orders_that_take_no_time_are_sized_too():
    release = Sources.from_environment().read_release("release-2").release
    assert release.capacity is not None
    found = pace_of(release.capacity.queues[0], "x", 1e-9)
    assert size_batch(backlog(5), found, Schedule(), NOW).limit == 3300 * 1000 * 4


@pytest.mark.parametrize(("orders", "seconds"), [(0, 0), (4, 15), (960, 3600), (1_000_000, 3_750_000)])
def test_the_time_to_drain(orders, seconds):
    assert pace().drain_seconds(orders) == seconds


@pytest.mark.parametrize(
    ("now", "every", "at"),
    [
        ("10:00", 60, "11:00"),
        ("10:59", 60, "11:00"),
        ("10:01", 15, "10:15"),
        ("23:30", 60, "00:00"),
        ("10:00", 120, "12:00"),
        ("13:00", 1440, "00:00"),
    ],
)
def test_the_next_run(now, every, at):
    moment = datetime.fromisoformat(f"2026-11-20T{now}:00+00:00")
    assert f"{next_run(moment, Schedule(every_minutes=every)):%H:%M}" == at


def test_a_batch_ends_before_the_next_run():
    found = size_batch(backlog(300, minutes=61), pace(), Schedule(), NOW)
    assert (found.limit, found.seconds, found.left_over) == (880, 3300, 0)
    assert found.text == (
        "300 orders wait; the oldest waits 1 h 1 min. 4 at a time, 10 to 15 s an order: 960 to 1440 an hour (capacity facts "
        "of release-2). Until 11:00 UTC, less 5 minutes to spare: 3300 s / 15 s = 220 rounds of 4, at most 880 orders. "
        "Working off all of them takes 19 min."
    )


def test_a_million_orders_are_left_over_and_said():
    found = size_batch(backlog(1_000_000), pace(), Schedule(), NOW)
    assert (found.limit, found.left_over) == (880, 999_120)
    assert found.text.endswith("Working off all of them takes 43 days 10 h: 999,120 will be left over.")


def test_right_before_the_next_run_it_is_sized_for_the_one_after():
    found = size_batch(backlog(9), pace(), Schedule(), NOW - timedelta(minutes=4))
    assert found.seconds == 59 * 60
    assert "Until 11:00 UTC" in found.text


def test_a_run_by_hand_in_mid_hour_is_smaller():
    assert size_batch(backlog(900), pace(), Schedule(), NOW + timedelta(minutes=30)).limit == 400


def test_nothing_waits():
    assert size_batch(backlog(), pace(), Schedule(), NOW).limit == 0


def test_orders_in_work_alone_are_left_to_who_works_on_them_but_a_batch_may_take_over():
    assert size_batch(backlog(0, in_work=3), pace(), Schedule(), NOW).limit > 0


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (backlog(), "0 orders wait."),
        (backlog(1, minutes=1), "1 order waits; the oldest waits 60 s."),
        (
            backlog(1203, minutes=72, in_work=4, set_aside=1),
            "1,203 orders wait, 4 are in work, 1 is set aside; the oldest waits 1 h 12 min.",
        ),
        (
            backlog(2, oldest=None, untimed=True, without_status=3),
            "2 orders wait, 3 have no known status; how long the oldest waits is not known: it has no time that can be read.",
        ),
    ],
)
def test_what_waits_in_words(found, text):
    assert waiting_text(found) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3600, "1 h"),
        (3601, "1 h 1 min"),
        (100_000, "27 h 47 min"),
        (3_750_000, "43 days 10 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45 s"), (127, "2 min 7 s"), (180.2, "3 min"), (3599.4, "59 min 59 s"), (3660, "1 h 1 min")],
)
def test_what_something_took_is_not_rounded_up(seconds, text):
    assert lasted(seconds) == text


@pytest.mark.parametrize(
    ("every", "cron"), [(5, "*/5 * * * *"), (60, "0 * * * *"), (120, "0 */2 * * *"), (1440, "0 0 * * *")]
)
def test_the_schedule_as_cron(every, cron):
    assert Schedule(every_minutes=every, spare_minutes=1).cron == cron


def test_the_next_run_is_that_of_the_cron_schedule():
    from croniter import croniter

    for every in (5, 10, 12, 20, 60, 120, 480, 1440):
        schedule = Schedule(every_minutes=every, spare_minutes=1)
        for minutes in range(0, 1440, 7):
            now = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=minutes, seconds=3)
            assert next_run(now, schedule) == croniter(schedule.cron, now).get_next(datetime), (every, now)


def test_the_shipped_configuration_can_be_met_by_an_hourly_run():
    orders, _ = read_orders(Sources.from_environment())
    # The limit on the count is what an hour gets done when every order is a slow one.
    assert orders.alarm.count == pace().at_a_time * 3600 / pace().slow
    assert orders.schedule.cron == "0 * * * *"
