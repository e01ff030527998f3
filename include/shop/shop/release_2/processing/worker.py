"""One process of the order processor: some threads, each with one order at a time."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from datetime import datetime, timezone
from typing import Optional

from ...common import settings
from ...common.db import Database, DatabaseError
from ...common.logs import LogFile, say
from . import status
from .alone import Company
from .pace import Pace, labour
from .problems import (
    DATABASE,
    ENDLESS,
    INCOMPLETE,
    NO_PRICE,
    UNEXPECTED,
    UNKNOWN_ITEM,
    OrderError,
    incomplete,
    one_line,
)
from .queue import ClaimLostError, Order, OrderQueue, reopen, return_tries
from .shipping import Shipper
from .streak import Streak
from .telling import Teller

FULL_TIME = 4 / 3
"""Of the longest order's time: when one that was taken some moments after the first error would be done."""
LEAST_WAIT, MOST_WAIT = 0.02, 0.1
"""Seconds between two looks at a queue in which everything is in work or rests."""


class Worker:
    """Works off the queue until no order is open, or until it is told to stop.

    Args:
        name: of this process; no other has it.
        permits: a pipe to read one byte from for each order; its end means that no more are to be taken.
    """

    def __init__(
        self,
        database: Database,
        log: LogFile,
        pace: Pace,
        name: str,
        shipper: Optional[Shipper] = None,
        permits: Optional[int] = None,
    ) -> None:
        self._database = database
        self._tell = Teller(log)
        self._pace = pace
        self._name = name
        self._shipper = shipper
        self._permits = permits
        self._streak = Streak(database, pace.stop_after, pace.claim_seconds, FULL_TIME * pace.most_seconds)
        self._company = Company()
        self._gone: Optional[str] = None
        self._interrupted: list[int] = []
        self._failed: list[str] = []
        self.stopping = threading.Event()

    def run(self, threads: int) -> int:
        """Work with this many orders at a time; return the exit status."""
        running = [
            threading.Thread(target=self._thread, args=(index + 1,), daemon=True) for index in range(threads)
        ]
        for thread in running:
            thread.start()
        while any(thread.is_alive() for thread in running):
            for thread in running:
                thread.join(0.05)
        for text in self._failed:
            say(f"order processor: {text}")
        if self._gone is not None:
            say(f"order processor: the database went away: {self._gone}{self._in_work()}")
            return status.DATABASE_GONE
        if self.stopping.is_set() or self._streak.doubtful:
            self._make_up()
        if self._streak.stop is not None:
            say(f"order processor: stopped: {self._streak.stop}")
            return status.SAME_ERROR
        return status.FAILED if self._failed else status.DONE

    def _thread(self, index: int) -> None:
        queue = OrderQueue(self._database, f"{self._name}/{index}", self._pace.claim_seconds)
        try:
            while not self.stopping.is_set() and self._permitted():
                order = self._next(queue)
                if order is None:
                    return
                self._in_company(queue, order)
        except DatabaseError as error:  # the process ends, and says why
            self._gone = one_line(str(error))
        except Exception as error:
            self._failed.append(one_line(f"{type(error).__name__}: {error}"))
        finally:
            if self._gone is not None or self._failed:
                self.stopping.set()

    def _permitted(self) -> bool:
        return self._permits is None or os.read(self._permits, 1) != b""

    def _next(self, queue: OrderQueue) -> Optional[Order]:
        """Claim an order, when need be after a while; None when none is open or it is time to stop."""
        while not self.stopping.is_set():
            self._company.wait()
            order = queue.claim()
            if order is not None:
                return order
            # Others work on what is left, or it rests. They may fail or die: the order is free again then.
            while not self.stopping.is_set():
                soonest = queue.soonest()
                if soonest is None:
                    return None
                left = soonest - time.time()
                self.stopping.wait(min(max(left, LEAST_WAIT), MOST_WAIT))
                if left <= 0:
                    break
        return None

    def _in_company(self, queue: OrderQueue, order: Order) -> None:
        """Process an order; alone, when its worker ended in each of its tries: that may be another one's fault."""
        if order.attempts - 1 != self._pace.most_attempts or order.attempts == 1:
            with self._company.beside_others():
                self._process(queue, order)
            return
        try:
            queue.wait_to_be_alone(order)
            with self._company.alone():
                queue.is_alone(order)
                say(
                    f"order processor: order {order.id}: {_ended(order.attempts - 1)}; it is tried alone now "
                    f"[{queue.worker}]"
                )
                self._process(queue, order)
        except ClaimLostError as error:
            say(f"order processor: {error}")

    def _process(self, queue: OrderQueue, order: Order) -> None:
        if self.stopping.is_set():
            queue.give_back(order)
            return
        self._tell.order(order.id, queue.worker)
        try:
            self._attempt(queue, order)
        except ClaimLostError as error:
            say(f"order processor: {error}")
        except DatabaseError as error:
            self._tell.error(order.id, DATABASE, queue.worker, "it is taken up again", str(error))
            self._interrupted.append(order.id)
            raise

    def _attempt(self, queue: OrderQueue, order: Order) -> None:
        began = time.monotonic()
        try:
            total = self._work(queue, order)
            queue.fulfil(order, total, time.monotonic() - began)
        except (ClaimLostError, DatabaseError):
            raise
        except OrderError as problem:
            self._handle(queue, order, problem)
        except Exception as error:  # one order's surprise must not end the others
            self._handle(queue, order, OrderError(UNEXPECTED, f"{type(error).__name__}: {error}"))
        else:
            self._streak.success()
            self._tell.processed(queue.worker)

    def _work(self, queue: OrderQueue, order: Order) -> int:
        """Do what the order asks for; return its price in cents."""
        if 0 < self._pace.most_attempts < order.attempts - 1:
            text = f"{_ended(order.attempts - 1)}, the last time with no other order in work in its process"
            raise OrderError(ENDLESS, text, final=True)
        wrong = incomplete(order.user, order.item, order.quantity)
        if wrong:
            raise OrderError(INCOMPLETE, wrong, final=True)
        found = queue.price(order.item)
        if found is None:
            raise OrderError(UNKNOWN_ITEM, f"{order.item!r} is in no catalog")
        if found["price_cents"] is None:
            raise OrderError(NO_PRICE, f"{order.item!r} has no price in its catalog")
        labour(self._pace.seconds(order.quantity), self._pace.cpu_share)
        if self._shipper is not None:
            self._shipper.ship(order.id, order.item, order.quantity)
        return int(found["price_cents"]) * int(order.quantity)

    def _handle(self, queue: OrderQueue, order: Order, problem: OrderError) -> None:
        """Let a failed order rest, or set it aside, and end the batch when all fail alike."""
        most = self._pace.most_attempts
        # Where everything seems to fail, a try says nothing of its order.
        counts = problem.final or not (problem.outside or self._streak.doubtful)
        aside = problem.final or (counts and 0 < most <= order.attempts)
        rest = self._pace.rest(order.attempts, outside=not counts)
        queue.failed(order, problem, rest=rest, aside=aside, counts=counts)
        tried = f"try {order.attempts} of {most}" if most else f"try {order.attempts}"
        if not counts:
            tried += " (does not count: it may not be the fault of the order)"
        what = f"{tried}, set aside" if aside else f"{tried}, again in {rest:.1f} s"
        self._tell.error(order.id, problem.code, queue.worker, what, problem.text)
        if problem.final:
            return  # it is put away, and says nothing of the others
        if self._streak.failure(order.id, problem.code, outside=problem.outside, counted=counts):
            self.stopping.set()
        elif self._streak.doubtful:
            # Slowly, until it is certain: orders that fail at once would all be tried by then.
            self.stopping.wait(min(1.0, self._pace.least_seconds / 10))
        elif not aside and rest == 0:
            # A moment, so that an order that fails for ever does not take the whole machine.
            self.stopping.wait(min(0.5, self._pace.least_seconds))

    def _make_up(self) -> None:
        """Where everything fails until the end, that is not these orders' fault: they keep their tries, and their place."""
        try:
            unjust = self._streak.unjust()
            return_tries(self._database, unjust, self._pace.most_retry_seconds)
            if unjust:
                say(f"order processor: tries given back, as all failed alike: {sum(unjust.values())}")
            opened = [each for each in self._streak.set_aside() if reopen(self._database, each) == "held"]
        except DatabaseError as error:
            say(f"order processor: tries could not be given back: {one_line(str(error))}")
            return
        if opened:
            orders = ", ".join(map(str, opened))
            say(f"order processor: open again, as it was not their fault that they were set aside: {orders}")

    def _in_work(self) -> str:
        if not self._interrupted:
            return "; no order was in work"
        orders = ", ".join(str(order) for order in sorted(self._interrupted))
        until = datetime.fromtimestamp(time.time() + self._pace.claim_seconds, timezone.utc)
        return (
            f"; in work were: {orders}. Nothing is lost: they are taken up again when their claims end, "
            f"by {until:%H:%M:%S} UTC at the latest"
        )


def _ended(times: int) -> str:
    return f"taken {times} times, and its worker ended each time before the order did"


def own_name() -> str:
    """Return a name for a worker process that was started by hand."""
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def main(threads: int, name: str, permits: Optional[int] = None) -> int:
    """Run one worker process; return its exit status."""
    try:
        patience = settings.number("DATABASE_WAIT_SECONDS", 30)
        url = settings.text("DATABASE_URL", "sqlite:////data/shop.db")
        database = Database(url, connections=threads, busy_seconds=patience)
        log = LogFile(settings.text("ORDER_LOG_PATH", "/home/sre/course4/order_processing.log"))
        worker = Worker(database, log, Pace.from_settings(), name, Shipper.from_settings(), permits)
    except (settings.SettingError, DatabaseError) as error:
        say(f"order processor: cannot start: {error}")
        return status.WRONG_SETTINGS
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    return worker.run(threads)
