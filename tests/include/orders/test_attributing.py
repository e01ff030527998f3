"""Whose error it was: what the database keeps is better than what a log seems to say."""

from __future__ import annotations

from include.orders.attributing import settled
from include.orders.facts import CodeCount, Failing, Kept
from tests.include.orders.world import NOW, SAMPLE, bad, good, judged


def kept(*orders: int, code: str = "12", processed: int = 0, **more) -> Kept:
    codes = (CodeCount(code=code, orders=len(orders)),) if orders else ()
    failing = tuple(Failing(order=each, code=code) for each in orders)
    return Kept(**({"since": NOW, "failing": failing, "codes": codes, "processed": processed} | more))


def test_the_database_names_the_orders():
    found, _, _ = judged(["Processing Order 4", "Processing Order 5", *bad(6)[1:], *good(5)])
    assert (found.errors[0].orders, found.sure) == ((5,), False)
    found = settled(found, kept(4, processed=1), 5)
    assert (found.errors[0].orders, found.sure, found.verdict) == ((4,), True, "poison")


def test_one_bad_order_that_looked_like_everything_is_poison():
    found, stop, _ = judged(bad(4, 5, 6, 7, 8))
    assert stop is not None
    found = settled(found, kept(4), 5)
    assert found.verdict == "poison"
    assert found.text == (
        "The log looked as if everything failed with #12, but the database names only order 4: others go on."
    )


def test_everything_stays_everything_when_the_database_says_so_too():
    found, _, _ = judged(bad(4, 5, 6, 7, 8))
    assert settled(found, kept(4, 5, 6, 7, 8), 5).verdict == "systemic"


def test_a_processor_that_stopped_itself_has_asked_the_database_before():
    said = "order processor: stopped: error #31 on order 4 alone and none processed since 2026-11-20T10:00:00.000Z"
    found, stop, _ = judged([*bad(4, code="31"), said])
    assert stop is not None
    assert settled(found, kept(4, code="31"), 5).verdict == "systemic"


def test_a_lost_log_does_not_hide_that_everything_fails():
    found, _, _ = judged(["\x00\x01garbage"])
    found = settled(found, kept(4, 5, 6, 7, 8), 5)
    assert (found.verdict, found.code) == ("systemic", "12")
    assert found.text == "The database names 5 different orders that failed with #12, and none was processed."


def test_a_success_that_only_the_database_has_seen_counts():
    found, _, _ = judged(SAMPLE[-9:])
    assert settled(found, kept(4, 5, 6, 7, 8, processed=3), 5).verdict != "systemic"


def test_a_database_that_cannot_be_asked_changes_nothing():
    found, _, _ = judged(SAMPLE)
    assert settled(found, kept(unknown="the database does not answer"), 5) == found
