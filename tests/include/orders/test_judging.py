"""What the log of a batch means: bad orders, or a processor that fails at everything."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from include.orders.judging import Judge
from tests.include.orders.world import SAMPLE, bad, good, judged, known, orders


def test_the_sample_log_fits_both_and_says_what_decides():
    found, stop, _ = judged(SAMPLE)
    assert stop is None
    assert (found.verdict, found.code, found.processed, found.complete) == ("undecided", "12", 13, False)
    (seen,) = found.errors
    assert (seen.times, seen.orders, seen.first.number) == (6, (4,), 31)
    assert found.text == (
        "Error #12 (item in no catalog) 6 times, order 4, and nothing after it says whether others fail, too. "
        "Set aside what failed and try the next orders: if they are processed it was these orders' fault, else everything's."
    )


def test_the_sample_log_goes_on_with_good_orders_so_it_was_order_4():
    found, stop, _ = judged([*SAMPLE, *good(5, 6, 7), "All Orders processed."])
    assert stop is None
    assert (found.verdict, found.errors[0].orders, found.complete) == ("poison", (4,), True)
    assert found.text == (
        "16 orders processed. Single orders failed, others went on: Error #12 (item in no catalog) 6 times, order 4."
    )


def test_the_sample_log_goes_on_with_errors_only_so_it_is_everything():
    found, stop, line = judged([*SAMPLE, *bad(5, 6, 7, 8, 9, 10, times=6)])
    assert stop is not None
    assert (stop.verdict, stop.code, found.verdict) == ("systemic", "12", "systemic")
    # Stopped at the first error of the fifth order, long before the end.
    assert line == len(SAMPLE) + 3 * 7 + 2
    assert stop.text == (
        "Error #12 (item in no catalog) on 5 different orders (4, 5, 6, 7, 8), and none was processed between: "
        "it is not these orders' fault."
    )


def test_the_excerpt_is_that_around_the_first_error():
    found, _, _ = judged([*SAMPLE, *bad(*range(5, 40), times=6)], systemic_orders=30)
    seen = found.error("12")
    assert seen is not None
    assert [each.text for each in seen.before[-2:]] == ["Order Processed", "Processing Order 4"]
    assert (seen.first.text, len(seen.before), len(seen.after)) == (
        "Error Processing Order. Error #12",
        12,
        12,
    )
    assert [each.number for each in seen.after] == list(range(32, 44))


def test_one_success_between_begins_the_count_anew():
    lines = [*bad(1, 2, 3, 4), *good(5), *bad(6, 7, 8, 9), *good(10)]
    found, stop, _ = judged(lines)
    assert (stop, found.verdict) == (None, "poison")


def test_codes_are_counted_apart():
    lines = [*bad(1, 2, 3), *bad(4, 5, 6, code="13")]
    assert judged(lines)[1] is None
    _, stop, _ = judged([*lines, *bad(7, 8)])
    assert stop is not None
    assert stop.code == "12"


DETAIL = "2026-11-20T10:00:00.000Z order processor: order {}: error 31, try 1 of 6, again in 60.0 s [b-1/2]: no answer"


def test_tries_that_are_not_the_order_s_fault_do_not_make_it_stuck():
    lines = [*bad(4, code="31"), DETAIL.format(4), *good(5)] * 40
    assert judged(lines)[1] is None


def test_guesses_do_not_count_once_orders_are_named():
    lines = [*bad(1, 2, 3, 4, code="31"), *[DETAIL.format(9)] * 4, *bad(5, code="31"), DETAIL.format(9)]
    found, stop, _ = judged(lines)
    assert (stop, found.errors[0].orders) == (None, (9,))


def test_more_orders_than_are_listed_are_said():
    found, _, _ = judged([line for each in range(60) for line in (*bad(each), *good(1000 + each))])
    assert (len(found.errors[0].orders), found.errors[0].more_orders, found.errors[0].times) == (50, True, 60)
    assert ", 49 and more" in found.text


def test_the_first_fault_is_the_cause():
    said = ["the database went away: disk I/O error", "cannot start: something that follows from it"]
    assert judged([f"order processor: {each}" for each in said])[0].fault == said[0]


def test_the_processor_names_the_orders_itself_where_threads_interleave():
    detail = "2026-11-20T10:00:00.000Z order processor: order {}: error 12, try 1 of 6, again in 5.0 s, worker b/1: 'x' is in no catalog"
    lines = ["Processing Order 4", *(f"Processing Order {each}" for each in (5, 6, 7))]
    for other in range(8, 30):  # one bad order, whose errors come right after others were begun
        lines += [f"Processing Order {other}", "Error Processing Order. Error #12", detail.format(4)]
    found, stop, _ = judged(lines, tries=30)
    assert stop is None
    (seen,) = found.errors
    assert (seen.orders, seen.times, found.sure) == ((4,), 22, True)


def test_without_names_and_with_several_in_work_it_is_a_guess_that_says_so():
    found, _, _ = judged(["Processing Order 1", "Processing Order 2", "Error Processing Order. Error #12"])
    assert (found.errors[0].orders, found.sure) == ((2,), False)


def test_lines_that_name_their_worker_are_attributed_by_it():
    lines = [
        "[a] Processing Order 1",
        "[b] Processing Order 2",
        "[a] Error Processing Order. Error #12",
        "[b] Order Processed",
    ]
    found, _, _ = judged(lines)
    assert (found.errors[0].orders, found.sure) == ((1,), True)


def test_an_error_before_any_order_belongs_to_none():
    found, _, _ = judged(["Startup...", "Error Processing Order. Error #12"])
    assert (found.errors[0].orders, found.errors[0].unattributed) == ((), 1)
    assert "no order named" in found.text


def test_an_order_that_is_tried_for_ever_is_stuck():
    lines = itertools.chain(SAMPLE, itertools.repeat("Error Processing Order. Error #12"))
    found, stop, line = judged(lines, at_a_time=1)
    assert stop is not None
    assert (stop.verdict, found.verdict, line) == ("stuck", "stuck", len(SAMPLE) + 1)
    assert stop.text == (
        "Order 4 failed 7 times, far more than its 6 tries: nobody sets it aside, and it is tried again and again "
        "before others."
    )


@pytest.mark.parametrize("hit", ["10 different orders", "order 4 alone"])
def test_the_processor_that_stops_itself_says_why(hit):
    said = f"2026-11-20T10:00:00.000Z order processor: stopped: error #31 on {hit} and none processed since X"
    _, stop, _ = judged([said])
    assert stop is not None
    assert (stop.verdict, stop.code) == ("systemic", "31")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("the schema is too old for this build, not applied: r2-201-orders", "schema too old"),
        ("the database went away: no such table: order_claims; nothing is lost", "schema too old"),
        ("the database went away: server closed the connection unexpectedly", "database gone"),
        ("the database does not answer: connection failed; nothing was done", "database gone"),
        ("the database went away: database is locked; nothing is lost", "database busy"),
        ("cannot start: ORDER_CONCURRENCY is 1: expected at least one order", "wrong setting"),
    ],
)
def test_a_processor_that_cannot_work_says_why(said, name):
    found, stop, _ = judged(["Startup...", f"2026-11-20T10:00:00.000Z order processor: {said}"])
    assert (stop, found.verdict, found.fault) == (None, "broken", said)
    assert found.text == f"The processor cannot work: {name} ({said})."


def test_what_it_says_of_a_single_order_is_no_fault_of_the_processor():
    said = "order processor: order 4: error 21, it is taken up again, worker a/1: connection refused"
    found, _, _ = judged([*bad(4, code="21"), said, *good(5)])
    assert (found.verdict, found.fault) == ("poison", "")


def test_a_killed_worker_that_is_replaced_is_no_fault():
    said = "order processor: worker x-1 was killed (signal 9); 2 orders were in work and are free again"
    assert judged([said, *good(1)])[0].verdict == "clean"


# Bad input: each ends in something that on-call can read.


def test_an_unknown_code_is_named_as_such():
    found, _, _ = judged([*bad(4, code="E-777"), *good(5)])
    assert found.verdict == "poison"
    assert "Error #E-777 (unknown error) 1 time, order 4" in found.text


def test_an_error_without_a_code():
    found, _, _ = judged(["Processing Order 4", "Error Processing Order.", *good(5)])
    assert "An error without a code 1 time, order 4" in found.text


def test_a_line_of_ten_megabytes_is_cut():
    judge = Judge(orders().errors, known(), 4)
    judge.feed("Processing Order 4")
    long = "Error Processing Order. Error #12 " + "x" * 10_000_000
    tracemalloc.start()
    judge.feed(long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
    found = judge.judgement()
    assert found.errors[0].orders == (4,)
    assert (len(found.errors[0].first.text), found.errors[0].first.text[-6:]) == (306, " [cut]")
    assert found.odd == ("1 line longer than any of the processor's, cut",)


def test_a_line_of_ten_megabytes_of_binary_garbage_takes_no_time():
    garbage = "".join(map(chr, range(256))) * 40_000
    found, stop, _ = judged([garbage, *good(1)])
    assert (stop, found.verdict, found.processed) == (None, "clean", 1)
    assert found.odd == (
        "1 line longer than any of the processor's, cut",
        "1 line with bytes that are no text, shown as \N{REPLACEMENT CHARACTER}",
    )
    assert all(letter == "\t" or letter >= " " for each in found.last for letter in each.text)


@pytest.mark.parametrize(
    "line", ["Processing Order " + "9" * 1000, "Processing Order -1", "Processing Order null"]
)
def test_an_order_that_is_no_number_is_no_order(line):
    found, _, _ = judged([line, "Error Processing Order. Error #12"])
    assert found.errors[0].orders == ()


def test_a_log_that_never_ends_takes_no_memory():
    judge = Judge(orders().errors, known(), 4)
    codes = itertools.count()

    def feed(lines: int) -> None:
        for number in range(lines):
            judge.feed(f"Processing Order {number}")
            judge.feed(f"Error Processing Order. Error #{next(codes)}")
            judge.feed(f"Processing Order {number}")
            judge.feed("Order Processed")

    feed(5_000)
    tracemalloc.start()
    feed(10_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    found = judge.judgement()
    assert len(found.errors) == 21
    assert "Errors of more than 20 codes" in found.text


def test_the_worst_judgement_fits_into_an_annotation_of_a_job():
    judge = Judge(orders().errors.model_copy(update={"excerpt_lines": 30}), known(), 4)
    for number in range(200):
        judge.feed("\x00" * 10_000)
        judge.feed(f"Error Processing Order. Error #{number} " + "\ufffd" * 10_000)
    found = judge.judgement()
    assert len(found.model_dump_json().encode()) < 240_000
    assert [bool(each.before) for each in found.errors].count(True) <= 3
    seen = found.error(found.code)
    assert seen is not None
    assert seen.before


def test_an_empty_log_is_no_error():
    found, _, _ = judged([])
    assert (found.verdict, found.text, found.last) == ("clean", "0 orders processed, no error.", ())


def test_a_password_in_the_log_reaches_nobody():
    line = "order processor: the database went away: postgresql://shop:geheim@db/shop connection refused"
    found, _, _ = judged([line, *bad(4)])
    assert "geheim" not in found.model_dump_json()


def test_a_batch_that_says_nothing_hangs():
    judge = Judge(orders().errors, known(), 4)
    judge.feed("Processing Order 4")
    assert judge.hung(599) is None
    stop = judge.hung(600)
    assert stop is not None
    assert stop.text == "The log has had no line for 10 minutes (after line 1): the batch hangs."
    assert judge.judgement().verdict == "broken"


def test_a_restart_in_the_log_begins_attribution_anew():
    found, _, _ = judged(["Processing Order 4", "Startup...", "Error Processing Order. Error #12"])
    assert found.errors[0].orders == ()
