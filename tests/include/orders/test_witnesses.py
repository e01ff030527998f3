"""A few bad orders behind each other are not everything while good ones beside them are still in work."""

from __future__ import annotations

from typing import Any

from include.orders.judging import Judge
from include.orders.witnesses import FULL_SECONDS, PATIENCE
from tests.include.orders.world import known, orders


class Log:
    """The log of a processor whose lines name their worker, on a clock of its own."""

    def __init__(self, *, processed: bool = True) -> None:
        self.time = 0.0
        self.judge = Judge(orders().errors, known(), 4, lambda: self.time)
        if processed:
            self.takes("p-1/1", 100)
            self.done("p-1/1")

    def say(self, *lines: str) -> Any:
        return [self.judge.feed(each) for each in lines][-1]

    def takes(self, worker: str, *numbers: int) -> Any:
        return [self.say(f"Processing Order {each} [{worker}]") for each in numbers][-1]

    def done(self, worker: str) -> Any:
        return self.say(f"Order Processed [{worker}]")

    def fails(self, worker: str, *numbers: int, code: int = 12, then: str = "again in 5.0 s") -> Any:
        stop = None
        for each in numbers:
            self.takes(worker, each)
            detail = f"2026-11-20T10:00:00.000Z order processor: order {each}: error {code}, try 1 of 6, {then} [{worker}]: bad"
            stop = self.say(f"Error Processing Order. Error #{code} [{worker}]", detail)
        return stop


def three_good_ones_in_work() -> Log:
    log = Log()
    for number, worker in enumerate(("p-1/1", "p-1/2", "p-2/1"), start=1):
        log.takes(worker, number)
    return log


def test_bad_orders_behind_each_other_beside_good_ones_are_no_reason_to_stop():
    log = three_good_ones_in_work()
    assert log.fails("p-2/2", *range(4, 40)) is None
    assert log.done("p-1/1") is None
    assert log.fails("p-2/2", *range(40, 44)) is None
    assert log.done("p-2/1") is None
    log.say("All Orders processed.")
    assert log.judge.judgement().verdict == "poison"


def test_when_the_good_ones_fail_too_it_is_everything():
    log = three_good_ones_in_work()
    assert log.fails("p-2/2", 4, 5, 6, 7, 8, 9) is None
    for worker in ("p-1/1", "p-1/2"):
        assert log.say(f"Error Processing Order. Error #12 [{worker}]") is None
    assert log.fails("p-2/2", 10) is None
    log.say("Error Processing Order. Error #31 [p-2/1]")
    stop = log.fails("p-1/1", 11)
    assert stop is not None
    assert (stop.verdict, stop.code) == ("systemic", "12")


def test_orders_taken_after_the_first_error_are_not_waited_for():
    log = Log()
    log.fails("p-1/1", 1)
    log.takes("p-1/2", 2)
    assert log.fails("p-1/1", 3, 4, 5, 6).verdict == "systemic"


def test_an_order_whose_worker_says_no_more_is_not_waited_for_for_ever():
    log = three_good_ones_in_work()
    assert log.fails("p-2/2", 4, 5, 6, 7, 8) is None
    log.time = PATIENCE - 1
    assert log.fails("p-2/2", 9) is None
    log.time = PATIENCE
    assert log.fails("p-2/2", 10).verdict == "systemic"


def test_the_orders_of_a_killed_worker_are_not_waited_for():
    log = three_good_ones_in_work()
    for process in ("p-1", "p-2"):
        line = f"order processor: worker {process} was killed (signal 9); 2 orders were in work and are free again"
        log.say(f"2026-11-20T10:00:00.000Z {line}")
    assert log.fails("p-3/1", 4, 5, 6, 7, 8).verdict == "systemic"


def test_a_processor_that_starts_anew_has_nothing_in_work():
    log = three_good_ones_in_work()
    log.say("Startup...")
    assert log.fails("p-2/2", 4, 5, 6, 7, 8).verdict == "systemic"


def test_errors_that_are_an_order_s_own_fault_say_nothing_of_the_others():
    log = Log()
    assert log.fails("p-1/1", *range(1, 101), code=13, then="set aside") is None
    assert log.fails("p-1/1", 101, 102, 103, 104) is None
    assert log.fails("p-1/1", 105, then="set aside").verdict == "systemic"


def test_at_the_beginning_good_orders_behind_bad_ones_have_their_time():
    log = Log(processed=False)
    log.fails("p-1/1", 1, 2)
    log.takes("p-1/2", 30)  # taken after the first error, and a good one as it turns out
    log.time = FULL_SECONDS - 1
    assert log.fails("p-1/1", *range(3, 30)) is None
    log.done("p-1/2")
    assert log.fails("p-1/1", *range(1, 30)) is None
    assert log.fails("p-1/1", 31, 32, 33, 34, 35).verdict == "systemic"


def test_at_the_beginning_everything_has_failed_once_an_order_would_have_had_its_time():
    log = Log(processed=False)
    log.fails("p-1/1", 1, 2, 3, 4, 5)
    log.takes("p-1/2", 6)
    assert log.fails("p-1/1", 7) is None
    log.time = FULL_SECONDS
    assert log.fails("p-1/1", 8).verdict == "systemic"


def test_orders_that_failed_while_others_were_processed_are_no_news_when_they_fail_again():
    log = Log()
    log.fails("p-1/1", 1, 2, 3)
    log.takes("p-1/2", 4)
    log.done("p-1/2")
    log.fails("p-1/1", 5, 6)
    log.takes("p-1/2", 7)
    log.done("p-1/2")
    assert log.fails("p-1/1", 1, 2, 3, 5, 6, 1, 2, 3, 5, 6) is None
    assert log.fails("p-1/1", 8, 9, 10, 11) is None
    assert log.fails("p-1/1", 12).verdict == "systemic"
