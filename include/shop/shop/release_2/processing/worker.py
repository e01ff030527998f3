"""One process of the order processor: some threads, each with one order at a time."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
import time
import uuid
from dataclasses import dataclass

from ...common import settings
from ...common.db import Database, DatabaseError
from ...common.logs import LogFile, say
from .queue import ClaimLostError, Order, OrderQueue

LARGE_ORDER = 10
"""Pieces; an order of this size or more takes the longest time."""

UNKNOWN_ITEM = 12
"""Error number of an order for something that is in no catalog."""

IDLE_SECONDS = 0.1


@dataclass(frozen=True)
class Pace:
    """How long orders take and how often they are tried."""

    least_seconds: float
    most_seconds: float
    cpu_share: float
    claim_seconds: float
    most_attempts: int

    @staticmethod
    def from_settings() -> Pace:
        """Read the pace from the environment.

        Raises:
            SettingError: when the values do not fit together.
        """
        scale = settings.number("ORDER_TIME_SCALE", 1)
        least = settings.number("ORDER_SECONDS_MIN", 10) * scale
        most = settings.number("ORDER_SECONDS_MAX", 15) * scale
        claim = settings.number("ORDER_CLAIM_SECONDS", 120)
        if least > most:
            raise settings.SettingError(
                f"ORDER_SECONDS_MIN is more than ORDER_SECONDS_MAX ({least:g} > {most:g})"
            )
        if claim < 2 * most:
            raise settings.SettingError(
                f"ORDER_CLAIM_SECONDS is {claim:g}: expected at least {2 * most:g}, twice the time of the longest order"
            )
        share = settings.number("ORDER_CPU_SHARE", 0.5)
        return Pace(least, most, min(share, 1.0), claim, settings.whole("ORDER_MAX_ATTEMPTS", 6))

    def seconds(self, quantity: int) -> float:
        """Return how long an order of this many pieces takes."""
        size = min(max(quantity - 1, 0) / (LARGE_ORDER - 1), 1.0)
        return self.least_seconds + size * (self.most_seconds - self.least_seconds)


def labour(seconds: float, cpu_share: float) -> None:
    """Take this long, computing for the given share of it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        slice_end = time.monotonic() + min(0.02, left) * cpu_share
        while time.monotonic() < slice_end:
            hashlib.pbkdf2_hmac("sha256", b"order", b"shop", 500)
        time.sleep(min(0.02, left) * (1 - cpu_share))


class Worker:
    """Works off the queue until no order is open, or until it is told to stop."""

    def __init__(self, database: Database, log: LogFile, pace: Pace) -> None:
        self._database = database
        self._log = log
        self._pace = pace
        self._errors: list[BaseException] = []
        self.stopping = threading.Event()

    def run(self, threads: int) -> int:
        """Work with this many orders at a time; return the exit status."""
        running = [threading.Thread(target=self._thread, daemon=True) for _ in range(threads)]
        for thread in running:
            thread.start()
        while any(thread.is_alive() for thread in running):
            for thread in running:
                thread.join(0.1)
        for error in self._errors:
            say(f"order processor: {type(error).__name__}: {error}")
        return 1 if self._errors else 0

    def _thread(self) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        queue = OrderQueue(self._database, name, self._pace.claim_seconds)
        try:
            while not self.stopping.is_set():
                order = queue.claim()
                if order is not None and self.stopping.is_set():
                    queue.give_back(order)
                elif order is not None:
                    self._process(queue, order)
                elif not queue.open_orders():
                    return
                else:
                    # Others work on what is left. They may fail or die: the order is free again then.
                    self.stopping.wait(IDLE_SECONDS)
        except Exception as error:  # the database is gone: the process ends, and says why
            self._errors.append(error)
            self.stopping.set()

    def _process(self, queue: OrderQueue, order: Order) -> None:
        self._tell(f"Processing Order {order.id}")
        try:
            price = queue.price(order.item)
            if price is None:
                self._tell(f"Error Processing Order. Error #{UNKNOWN_ITEM}")
                last = 0 < self._pace.most_attempts <= order.attempts
                queue.failed(order, f"#{UNKNOWN_ITEM}: {order.item!r} is in no catalog", hold=last)
                # A moment, so that an order that fails for ever does not take the whole machine.
                self.stopping.wait(min(0.5, self._pace.least_seconds))
                return
            labour(self._pace.seconds(order.quantity), self._pace.cpu_share)
            queue.fulfil(order, price * order.quantity)
        except ClaimLostError as error:
            say(f"order processor: {error}")
            return
        self._tell("Order Processed")

    def _tell(self, line: str) -> None:
        self._log.write(line)
        print(line, flush=True)


def main(threads: int) -> int:
    """Run one worker process; return its exit status."""
    try:
        database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"), connections=threads)
        log = LogFile(settings.text("ORDER_LOG_PATH", "/home/sre/course4/order_processing.log"))
        worker = Worker(database, log, Pace.from_settings())
    except (settings.SettingError, DatabaseError) as error:
        say(f"order processor: cannot start: {error}")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    return worker.run(threads)
