"""What comes after a batch."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.orders.deciding import Tried, decide, out_of_time
from include.orders.facts import Backlog, BatchEnd, Judgement
from tests.include.orders.world import COMPLETE, NOW, SAMPLE, backlog, bad, good, judged, known, orders


def decided(
    lines: list[str],
    end: BatchEnd = COMPLETE,
    after: Backlog | None = None,
    batches: int = 1,
    restarts: int = 0,
):
    found, stop, _ = judged(lines)
    if stop:
        end = BatchEnd(end="stopped", reason=stop.text)
    after = backlog() if after is None else after
    return decide(found, end, after, Tried(batches=batches, restarts=restarts), orders(), known())


def test_nothing_left_is_done():
    found = decided(good(1, 2, 3))
    assert (found.next, found.good, found.works, found.tell) == ("done", True, True, None)
    assert found.text == "3 orders processed, no error. No order is left that can be processed now."


def test_the_sample_tries_the_next_orders():
    found = decided(SAMPLE, after=backlog(16))
    assert (found.next, found.good) == ("again", False)
    assert "try the next orders" in found.text


def test_the_sample_with_good_orders_after_it_sets_one_aside_and_is_done():
    found = decided([*SAMPLE, *good(5, 6, 7), "All Orders processed."], after=backlog(set_aside=1))
    assert (found.next, found.good, found.works) == ("done", True, True)


def test_the_sample_with_errors_only_restarts_once_then_hands_over():
    lines = [*SAMPLE, *bad(5, 6, 7, 8)]
    first = decided(lines, after=backlog(16))
    assert (first.next, first.tell, first.good) == ("restart", None, False)
    assert first.text.endswith("It is restarted: it picks up where it left off.")
    second = decided(lines, after=backlog(16), batches=2, restarts=1)
    assert (second.next, second.tell, second.works) == ("hand_over", "developers", False)
    assert second.text.endswith("A restart did not help (1 restart).")


def test_no_restart_where_it_does_not_help():
    found = decided(bad(1, 2, 3, 4, 5, code="31"))
    assert (found.next, found.tell) == ("hand_over", "ops")
    assert found.text.endswith("A restart does not help against that.")


def test_orders_that_are_left_go_on_at_once_a_bounded_number_of_times():
    steps = [decided(good(1, 2), after=backlog(500), batches=number) for number in (1, 2, 3)]
    assert [each.next for each in steps] == ["again", "again", "done"]
    assert [each.too_much for each in steps] == [False, False, True]
    assert steps[2].text == (
        "2 orders processed, no error. But 500 orders are left after 3 batches; they wait for the next run."
    )


@pytest.mark.parametrize(
    ("worked", "drain", "too_much"),
    [(3300, 10, True), (1800, 10, True), (600, 10, False), (600, 3600, False), (600, 3601, True)],
)
def test_orders_left_after_most_of_an_interval_or_more_than_fit_into_one_are_too_much(
    worked, drain, too_much
):
    again = decided(good(1, 2), after=backlog(500))
    late = "It is left to the next run, which starts in 5 min."
    found = out_of_time(again, late, worked, drain, orders())
    assert (found.next, found.too_much, found.works) == ("done", too_much, True)
    assert found.text.endswith("But 500 orders are left. It is left to the next run, which starts in 5 min.")


def test_a_restart_does_not_take_the_place_of_a_batch():
    assert decided(good(1), after=backlog(500), batches=3, restarts=1).next == "again"


def test_orders_that_rest_after_an_error_do_not_start_a_batch():
    assert decided([*bad(4), *good(5)], after=backlog(3, backing_off=3)).next == "done"


def test_a_batch_that_did_nothing_is_not_run_again():
    found = decided(["Startup..."], end=BatchEnd(end="stopped"), after=backlog(500))
    assert (found.next, found.good) == ("done", False)
    assert "another batch would not process them either" in found.text


def test_a_log_that_goes_on_until_the_batch_s_time_is_over_with_no_order_processed_is_told():
    end, lines = BatchEnd(end="timeout", seconds=3300), ["Startup...", *["still trying"] * 5000]
    found = decided(lines, end=end, after=backlog(500))
    assert (found.next, found.tell, found.name) == ("hand_over", "developers", "no order is processed")
    assert (
        found.text == "The batch worked until its time was over and processed no order. 500 orders are left."
    )
    # The Deployment's own batch was at work beside it.
    others = backlog(500, last_done=NOW - timedelta(minutes=20))
    assert decided(lines, end=end, after=others).next == "done"


def test_batches_that_end_well_and_process_nothing_are_no_reason_to_run_more_often():
    assert decided(["Startup..."], after=backlog(500)).next == "again"
    found = decided(["Startup..."], after=backlog(500), batches=3)
    assert (found.next, found.too_much, found.name) == ("hand_over", False, "no order is processed")
    assert "lead to the same database" in found.meaning
    early = backlog(500, last_done=NOW - timedelta(hours=1))
    assert decided(["Startup..."], after=early, batches=3).next == "hand_over"
    assert not out_of_time(decided(["Startup..."], after=early), "", 3300, 9999, orders()).too_much


def test_a_batch_that_does_not_start_goes_to_ops_and_touched_nothing():
    found = decided([], end=BatchEnd(end="not started", reason="ImagePullBackOff: shop:2.0.0"))
    assert (found.next, found.tell, found.good) == ("hand_over", "ops", False)
    assert found.text == "The batch did not start: ImagePullBackOff: shop:2.0.0. No order was touched."


def test_a_database_that_goes_away_in_mid_batch_is_tried_once_more_then_goes_to_ops():
    gone = "order processor: the database went away: server closed the connection unexpectedly; in work were: 4, 5"
    lines, end = (
        [*good(1, 2), "Processing Order 4", gone],
        BatchEnd(end="failed", reason="exit code 3", exit_code=3),
    )
    assert decided(lines, end, backlog(10)).next == "restart"
    second = decided(lines, end, backlog(10), batches=2, restarts=1)
    assert (second.next, second.tell) == ("hand_over", "ops")
    assert second.text.startswith(
        "The processor cannot work: database gone (the database went away: server closed"
    )


@pytest.mark.parametrize(
    ("code", "next_", "tell", "said"),
    [
        (3, "restart", None, "exit code 3: the database went away"),
        (5, "hand_over", "ops", "exit code 5: the schema is too old"),
        (137, "restart", None, "exit code 137"),
        (1, "restart", None, "exit code 1: a worker failed"),
    ],
)
def test_a_failed_batch_whose_log_is_lost_is_known_by_its_exit_status(code, next_, tell, said):
    found = decided([], BatchEnd(end="failed", reason=f"exit code {code}", exit_code=code), backlog(4))
    assert (found.next, found.tell, found.good) == (next_, tell, False)
    assert found.text.startswith(f"The batch failed ({said}). It logged nothing.")


def test_the_last_line_of_a_failed_batch_ends_before_what_is_said_of_it():
    end = BatchEnd(end="failed", reason="exit code 137", exit_code=137)
    text = decided(["Startup...", "Processing Order 4"], end, backlog(4)).text
    assert "(exit code 137). Its last line: 'Processing Order 4'. It is restarted" in text
    killed = backlog(4).model_copy(update={"in_work": 2})
    text = decided(["Startup...", "Processing Order 4"], end, killed).text
    assert (
        " 2 orders were in work: nobody takes them before their claims end, a few minutes at most. It is restarted"
        in text
    )


def test_a_stuck_order_is_not_restarted():
    found = decided([*SAMPLE, *["Error Processing Order. Error #12"] * 30], after=backlog(16))
    assert (found.next, found.tell) == ("hand_over", "developers")
    assert "set it aside by hand" in found.text


def test_a_backlog_that_cannot_be_read_ends_the_run():
    judgement = Judgement(verdict="clean", text="2 orders processed, no error.", processed=2)
    found = decide(judgement, COMPLETE, None, Tried(), orders(), known())
    assert (found.next, found.good) == ("done", True)
    assert found.text.endswith("What is left is not known: the database could not be asked.")


@pytest.mark.parametrize("reason", ["somebody deleted its Job", "somebody suspended its Job"])
def test_a_batch_that_somebody_stopped_is_not_followed_by_another(reason):
    end = BatchEnd(end="stopped", reason=reason, by_hand=True)
    found = decided(good(1, 2), end, backlog(29))
    assert (found.next, found.tell, found.too_much, found.works) == ("done", None, False, True)
    said = f"S{reason[1:]}, so this run starts no other batch; the next run goes on. 29 orders left."
    assert found.text.endswith(said)


def test_orders_that_are_all_set_aside_leave_nothing_for_a_restart():
    found = decided(bad(1, 2, 3, 4, 5), after=backlog(set_aside=5))
    assert (found.next, found.tell) == ("hand_over", "developers")
    assert found.text.endswith(
        "A restart would find no order: all that failed are set aside. Open them again when it is put right."
    )
