"""'Outstanding orders too high' is raised on count, age and drain time, and does not flap."""

from __future__ import annotations

import pytest

from include.orders.alarm import alert_of
from tests.include.orders.world import backlog, orders, pace


def raised(found, measured=None, before=False):
    return alert_of(found, pace(measured), orders(), raised=before)


@pytest.mark.parametrize(
    ("found", "measured", "reason"),
    [
        (backlog(961, minutes=5), 10, "more than 960 wait"),
        (backlog(900, minutes=5, without_status=61), 10, "more than 960 wait"),
        (backlog(3, minutes=121), None, "the oldest waits longer than 2 h"),
        (
            backlog(900, minutes=5, in_work=100),
            None,
            "working them off takes 1 h 3 min, longer than the 1 h from one run to the next",
        ),
    ],
)
def test_each_limit_is_enough(found, measured, reason):
    alert = raised(found, measured)
    assert (alert.raised, alert.reasons) == (True, (reason,))


@pytest.mark.parametrize("found", [backlog(), backlog(960, minutes=120), backlog(600, minutes=59, in_work=4)])
def test_at_the_limit_it_is_not_raised(found):
    assert not raised(found).raised


def test_a_million_orders():
    assert raised(backlog(1_000_000, minutes=60 * 24 * 40)).text == (
        "more than 960 wait; the oldest waits longer than 2 h; working them off takes 43 days 10 h, longer than the 1 h from "
        "one run to the next"
    )


def test_it_is_over_well_below_the_limit_only():
    assert raised(backlog(900, minutes=5), before=True).raised
    assert not raised(backlog(900, minutes=5)).raised
    assert not raised(backlog(700, minutes=5), before=True).raised


def test_orders_without_a_time_do_not_hide_how_many_there_are():
    assert raised(backlog(2000, oldest=None, untimed=True)).raised


def test_the_drain_time_can_be_left_out():
    config = orders()
    config = config.model_copy(update={"alarm": config.alarm.model_copy(update={"past_next_run": False})})
    assert not alert_of(backlog(900, in_work=100), pace(), config, raised=False).raised
