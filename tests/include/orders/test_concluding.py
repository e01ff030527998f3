"""When a problem is over: with evidence only."""

from __future__ import annotations

import pytest

from include.orders.concluding import over
from include.orders.facts import Failing
from include.orders.noting import problem_key
from include.records.problems import OpenProblem
from tests.include.orders.world import NOW, SAMPLE, backlog, bad, good, judged


def kept(key: str) -> OpenProblem:
    return OpenProblem(
        key=problem_key("production", key),
        procedure="order_processor",
        environment="production",
        title=key,
        text="",
        opened=NOW,
        updated=NOW,
    )


@pytest.mark.parametrize("key", ["error-12", "processor"])
@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (good(1, 2), "The last batch processed 2 orders."),
        ([*SAMPLE, *good(5)], "The last batch processed 14 orders."),
        ([], ""),
        (SAMPLE, ""),
        (bad(1, 2, 3, 4, 5), ""),
    ],
)
def test_an_error_is_over_when_orders_are_processed_again(key, lines, text):
    assert over(kept(key), [], judgement=judged(lines)[0]) == text


def test_a_run_without_a_batch_says_nothing_about_an_error():
    assert over(kept("error-12"), [], judgement=None) == ""


def test_what_is_still_found_is_not_over():
    assert over(kept("error-12"), ["error-12"], judgement=judged(good(1))[0]) == ""


def test_orders_set_aside_are_over_when_none_with_this_code_is_left():
    others = [Failing(order=7, code="13")]
    assert over(kept("set-aside-12"), [], aside=others) == "No order is set aside for this any more."
    assert over(kept("set-aside-13"), [], aside=others) == ""
    assert over(kept("set-aside-12"), [], aside=None) == "", "nobody knows"


def test_orders_set_aside_without_a_code():
    assert over(kept("set-aside-none"), [], aside=[Failing(order=7, code="")]) == ""


def test_no_batch_is_over_when_one_has_run_or_no_order_waits():
    assert over(kept("not-run"), [], judgement=judged(SAMPLE)[0]) == "A batch has run again."
    assert over(kept("not-run"), [], after=backlog(0)) == "No order waits any more."
    assert over(kept("not-run"), [], after=backlog(3)) == ""
    assert over(kept("not-run"), ["not-run"], after=backlog(0)) == ""


def test_too_much_is_over_when_a_run_has_worked_off_all():
    assert over(kept("capacity"), [], after=backlog(3)) == ""
    assert over(kept("capacity"), [], after=None) == ""
    assert (
        over(kept("capacity"), [], after=backlog(3, backing_off=3))
        == "A run has worked off all orders that waited."
    )


def test_the_database_is_back_when_it_was_read():
    assert over(kept("database"), [], after=None) == ""
    assert over(kept("database"), [], after=backlog()) == "The database answers again."


def test_the_backlog_is_the_look_s_own_matter():
    assert over(kept("backlog"), [], after=backlog(), judgement=judged(good(1))[0], aside=[]) == ""
