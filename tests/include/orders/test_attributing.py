"""Whose error it was: what the database keeps is better than what a log seems to say."""

from __future__ import annotations

from include.orders.attributing import settled
from include.orders.facts import CodeCount, Failing, Kept
from tests.include.orders.world import NOW, SAMPLE, bad, good, judged, known


def kept(*orders: int, code: str = "12", processed: int = 0, alike: int | None = None, **more) -> Kept:
    """``alike``: so many orders failed so since one was last processed; all of these, when it is not said."""
    many = len(orders) if alike is None else alike
    codes = (CodeCount(code=code, orders=len(orders), alike=many),) if orders else ()
    failing = tuple(Failing(order=each, code=code) for each in orders)
    return Kept(**({"since": NOW, "failing": failing, "codes": codes, "processed": processed} | more))


def test_the_database_names_the_orders():
    found, _, _ = judged(["Processing Order 4", "Processing Order 5", *bad(6)[1:], *good(5)])
    assert (found.errors[0].orders, found.sure) == ((5,), False)
    found = settled(found, kept(4, processed=1), 5, known())
    assert (found.errors[0].orders, found.sure, found.verdict) == ((4,), True, "poison")


def test_one_bad_order_that_looked_like_everything_is_poison():
    found, stop, _ = judged(bad(4, 5, 6, 7, 8))
    assert stop is not None
    found = settled(found, kept(4), 5, known())
    assert found.verdict == "poison"
    assert found.text == (
        "The log looked as if everything failed with #12, but the database names order 4, and no other was there that would "
        "say whether others fail, too."
    )
    found, _, _ = judged(bad(4, 5, 6, 7, 8))
    assert settled(found, kept(4, processed=1), 5, known()).text == (
        "The log looked as if everything failed with #12, but the database names order 4, and 1 order was processed: others go on."
    )


def test_everything_stays_everything_when_the_database_says_so_too():
    found, _, _ = judged(bad(4, 5, 6, 7, 8))
    assert settled(found, kept(4, 5, 6, 7, 8), 5, known()).verdict == "systemic"


def test_a_processor_that_stopped_itself_has_asked_the_database_before():
    said = "order processor: stopped: error #31 on order 4 alone and none processed since 2026-11-20T10:00:00.000Z"
    found, stop, _ = judged([*bad(4, code="31"), said])
    assert stop is not None
    assert settled(found, kept(4, code="31"), 5, known()).verdict == "systemic"


def test_a_lost_log_does_not_hide_that_everything_fails():
    found, _, _ = judged(["\x00\x01garbage"])
    found = settled(found, kept(4, 5, 6, 7, 8), 5, known())
    assert (found.verdict, found.code) == ("systemic", "12")
    assert found.text == (
        "The database names 5 different orders that failed with #12 since one was last processed, in this batch and before it."
    )


def test_orders_that_another_processor_processed_meanwhile_count():
    found, stop, _ = judged(bad(1, 2, 3, 4, 5))
    assert stop is not None
    found = settled(found, kept(1, 2, 3, 4, 5, alike=2, processed=300), 5, known())
    assert (found.verdict, found.text) == (
        "poison",
        "The log looked as if everything failed with #12, but the database names the orders 1, 2, 3, 4, 5, and 300 orders were "
        "processed: others go on.",
    )


def test_a_few_orders_in_each_of_several_batches_are_everything_when_none_was_processed_since():
    lines = [*bad(5, 6, times=6), "All Orders processed."]
    found, stop, _ = judged(lines)
    assert (stop, found.verdict) == (None, "poison")
    assert found.text == (
        "0 orders processed. Orders failed, and no other was there that would say whether others fail, too: "
        "Error #12 (item in no catalog) 12 times, orders 5, 6."
    )
    assert settled(found, kept(5, 6, alike=4), 5, known()).verdict == "poison"
    assert settled(found, kept(5, 6, alike=5), 5, known()).verdict == "systemic"
    # Of the orders processed by this batch none was since: then the number says it all the same.
    assert settled(found, kept(5, 6, alike=5, processed=30), 5, known()).verdict == "systemic"


def test_what_is_an_order_s_own_fault_is_never_everything():
    lines = [*bad(*range(1, 9), code="13"), "All Orders processed."]
    found, stop, _ = judged(lines)
    assert (stop, found.verdict) == (None, "poison")
    assert found.text.startswith(
        "0 orders processed. Orders failed, each by its own fault: Error #13 (incomplete"
    )
    assert settled(found, kept(*range(1, 9), code="13"), 5, known()).verdict == "poison"


def test_another_code_that_hits_everything_is_seen_behind_one_that_does_not():
    found, _, _ = judged(bad(1, 2, 3, 4, 5))
    codes = (CodeCount(code="12", orders=5, alike=0), CodeCount(code="99", orders=6, alike=6))
    found = settled(found, Kept(since=NOW, codes=codes, processed=3), 5, known())
    assert (found.verdict, found.code) == ("systemic", "99")


def test_a_database_that_cannot_be_asked_changes_nothing():
    found, _, _ = judged(SAMPLE)
    assert settled(found, kept(unknown="the database does not answer"), 5, known()) == found
