"""The proposal to Ops: more often, more at a time, or a one-time backlog, with the arithmetic."""

from __future__ import annotations

import pytest

from include.orders.proposal import proposal_of
from tests.include.orders.world import backlog, orders, pace


def test_more_comes_in_than_gets_done_so_more_at_a_time():
    found = proposal_of(backlog(2000, arrived=1600, done=960), pace(), orders())
    assert (found.what, found.processes, found.at_a_time, found.every_minutes) == (
        "more at a time",
        5,
        10,
        None,
    )
    assert found.text == (
        "More at a time: 5 processes with 10 orders at a time instead of 2 with 4. Running it more often does not help: "
        "it would be at work all the time and would still fall behind."
    )
    assert found.arithmetic == (
        "Come in: 1600 orders an hour (1,600 in the last 1 h).",
        "Gets done: 4 at a time x 3600 s / 15 s = 960 an hour when it works all the time (capacity facts of release-2).",
        "Load: 1600 / 960 = 167 %.",
        "At a time: 1600 an hour x 15 s / 3600 s / 80 % = 8.3, so 5 processes with 2 each: 10.",
        "CPU: 5 / 2 processes = 2.5 times the CPU and memory of today's container, or 3 batches of today's size.",
    )


def test_it_keeps_up_but_orders_wait_too_long_so_more_often():
    config = orders()
    config = config.model_copy(update={"alarm": config.alarm.model_copy(update={"oldest_minutes": 60})})
    found = proposal_of(backlog(640, arrived=640), pace(), config)
    assert (found.what, found.every_minutes, found.processes) == ("more often", 30, None)
    assert found.text == "Run it more often: every 30 minutes instead of every 60."
    assert found.arithmetic[3:] == (
        "Longest wait at 60 min: 60 min until the run + 60 min x 67 % in it = 100 min; the limit is 60 min.",
        "At 30 min: 320 orders a run, longest wait 50 min.",
    )


def test_a_one_time_backlog_needs_no_other_schedule():
    found = proposal_of(backlog(5000, arrived=100), pace(), orders())
    assert found.what == "a one-time backlog"
    assert found.text == (
        "A one-time backlog: what comes in is 10 % of what the processor gets done, so nothing has to change for good. Runs "
        "every 60 minutes work it off in 6 h 25 min; with 4 processes and 8 at a time until then, in 3 h 1 min."
    )
    assert found.arithmetic[-1] == (
        "To catch up: 5,000 orders / (960 x 55 of 60 min - 100) an hour = 6 h 25 min."
    )


def test_a_backlog_of_a_million_is_worked_off_in_a_day_by_as_many_as_it_needs():
    found = proposal_of(backlog(1_000_000, arrived=300), pace(), orders())
    assert found.text.endswith(
        "work it off in 71 days 21 h; with 96 processes and 192 at a time until then, in 23 h 51 min."
    )


@pytest.mark.parametrize("arrived", [0, 1, 700, 767, 768, 769, 960, 5000, 1_000_000])
def test_every_load_has_an_answer_that_fits(arrived):
    found = proposal_of(backlog(1000, arrived=arrived), pace(), orders())
    if found.at_a_time:
        assert found.at_a_time * 3600 / 15 * 0.8 >= arrived
        # Two orders less at a time would not do.
        assert (found.at_a_time - 2) * 3600 / 15 * 0.8 < arrived or found.processes == 3


def test_what_was_measured_counts():
    measured = proposal_of(backlog(1000, arrived=900), pace(10), orders())
    assert measured.arithmetic[1] == (
        "Gets done: 4 at a time x 3600 s / 10 s = 1440 an hour when it works all the time (capacity facts of release-2, but the "
        "seconds as measured of late)."
    )
    assert proposal_of(backlog(1000, arrived=900), pace(), orders()).what == "more at a time"
    assert proposal_of(backlog(1000, arrived=900), pace(10), orders()).what != "more at a time"


@pytest.mark.parametrize("arrived", [0, 300, 479, 480, 481, 700, 768])
@pytest.mark.parametrize(("every", "spare"), [(5, 4), (10, 5), (15, 5), (60, 5), (60, 45)])
def test_minutes_to_spare_are_no_time_of_a_batch(every, spare, arrived):
    found = orders()
    schedule = found.schedule.model_copy(update={"every_minutes": every, "spare_minutes": spare})
    alarm = found.alarm.model_copy(update={"oldest_minutes": 5})
    proposal = proposal_of(
        backlog(500, arrived=arrived), pace(), found.model_copy(update={"schedule": schedule, "alarm": alarm})
    )
    assert "-" not in proposal.text.replace("one-time", "")
    if proposal.every_minutes:
        assert proposal.every_minutes > spare, "orders.yaml refuses it"
        share = 1 - spare / proposal.every_minutes
        assert arrived < 960 * share
    if proposal.at_a_time:
        assert proposal.at_a_time * 3600 / 15 * (every - spare) / every >= arrived


def test_a_batch_that_has_little_of_its_interval_is_told_so():
    found = orders()
    schedule = found.schedule.model_copy(update={"every_minutes": 10})
    proposal = proposal_of(backlog(500, arrived=480), pace(), found.model_copy(update={"schedule": schedule}))
    assert proposal.text.endswith("Running it more often does not help: a batch has 5 of 10 minutes.")
