"""One batch: worker processes that work off the open orders, looked after until the last has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Optional

from ...common import settings
from ...common.db import Database, DatabaseError
from ...common.logs import LogFile, say
from . import status
from .pace import Pace
from .problems import INCOMPLETE, one_line
from .queue import free_claims_of, open_orders, set_aside_without_status
from .telling import Teller
from .worker import own_name

MOST_REPLACED = 5
"""So many workers may be killed with no order processed between; then it is more than bad luck."""
LOOK_SECONDS = 0.05
PROGRAM = f"{__name__.rsplit('.', 3)[0]}.orders"


class Permits:
    """A pipe with one byte for each order that may be taken; its end says that there are no more.

    Args:
        orders: how many.
    """

    def __init__(self, orders: int) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._left = orders
        self.top_up()

    def top_up(self) -> None:
        """Fill the pipe as far as it takes more, and end it after the last one."""
        while self._left and self._writer >= 0:
            try:
                self._left -= os.write(self._writer, b"." * min(self._left, 4096))
            except BlockingIOError:
                return
        self._end()

    def close(self) -> None:
        """Let nobody take another one."""
        self._end()
        os.close(self.reader)

    def _end(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


class Batch:
    """Runs `processes` workers with `concurrency` orders at a time in all of them.

    Args:
        limit: orders that are tried at most; None: until none is open.
        name: how the names of its workers begin.
    """

    def __init__(
        self,
        database: Database,
        log: LogFile,
        stopping: threading.Event,
        limit: Optional[int] = None,
        name: str = "",
    ) -> None:
        self._database = database
        self._tell = Teller(log)
        self._stopping = stopping
        self._processes, self._concurrency = sizes()
        self._permits = Permits(limit) if limit is not None else None
        self._name = name or own_name()
        self._running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self._started = 0
        self._killed = 0
        self._still_open = -1
        self._asked_to_end = False
        self._ending = status.DONE

    def run(self) -> int:
        """Run to the end; return the exit status.

        Raises:
            DatabaseError: it went away before or after the workers ran.
        """
        try:
            self._tell.line("Starting to process orders.")
            self._set_aside_what_nobody_sees()
            share, more = divmod(self._concurrency, self._processes)
            for index in range(self._processes):
                self._start(share + (1 if index < more else 0))
            while self._running:
                if self._stopping.is_set():
                    self._ask_to_end()
                if self._permits is not None:
                    self._permits.top_up()
                self._reap()
                time.sleep(LOOK_SECONDS)
        finally:
            if self._permits is not None:
                self._permits.close()
        return self._ended()

    def _start(self, threads: int) -> None:
        self._started += 1
        name = f"{self._name}-{self._started}"
        command = [sys.executable, "-m", PROGRAM, "--worker", str(threads), "--name", name]
        passed: tuple[int, ...] = ()
        if self._permits is not None:
            command += ["--permits", str(self._permits.reader)]
            passed = (self._permits.reader,)
        self._running[name] = subprocess.Popen(command, pass_fds=passed), threads

    def _ask_to_end(self) -> None:
        if not self._asked_to_end:
            self._asked_to_end = True
            for process, _ in self._running.values():
                process.terminate()

    def _reap(self) -> None:
        for name, (process, threads) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[name]
            if code == 0 or (code == -signal.SIGTERM and self._asked_to_end):
                # A worker that was told to end before it could listen for that has nothing to finish.
                continue
            if code > 0:
                self._worst(code)
                self._ask_to_end()
            else:
                self._replace(name, -code, threads)

    def _replace(self, name: str, number: int, threads: int) -> None:
        """Free what a killed worker had in work, and start another one in its place."""
        try:
            freed = free_claims_of(self._database, name)
            left = open_orders(self._database)
        except DatabaseError as error:
            say(f"order processor: the database went away: {one_line(str(error))}")
            self._worst(status.DATABASE_GONE)
            self._ask_to_end()
            return
        self._killed = self._killed + 1 if left == self._still_open else 1
        self._still_open = left
        say(
            f"order processor: worker {name} was killed (signal {number}); "
            f"{freed} orders were in work and are free again"
        )
        if self._killed > MOST_REPLACED:
            say(f"order processor: {self._killed} workers were killed and none processed an order: giving up")
            self._worst(status.FAILED)
            self._ask_to_end()
        elif not self._asked_to_end and left:
            self._start(threads)

    def _worst(self, code: int) -> None:
        """Keep why the batch ends; that the database is gone explains the rest."""
        if self._ending == status.DONE or code == status.DATABASE_GONE:
            self._ending = code

    def _set_aside_what_nobody_sees(self) -> None:
        for order, why in set_aside_without_status(self._database, self._name).items():
            self._tell.order(order, self._name)
            self._tell.error(order, INCOMPLETE, self._name, "set aside", why)

    def _ended(self) -> int:
        if self._ending != status.DONE:
            meaning = status.MEANINGS.get(self._ending, "a worker failed")
            say(f"order processor: ended early: {meaning} (exit status {self._ending})")
            return self._ending
        left = open_orders(self._database)
        if left == 0:
            self._tell.line("All Orders processed.")
        elif self._asked_to_end:
            say(f"order processor: told to end; what was in work is finished, {left} orders wait")
        elif self._permits is not None:
            say(f"order processor: the limit is reached, {left} orders wait")
        else:
            say(f"order processor: {left} orders came in at the end; they wait for the next batch")
        return status.DONE


def sizes() -> tuple[int, int]:
    """Return the number of processes, and of orders at a time in all of them.

    Raises:
        SettingError: when they do not fit together.
    """
    processes = settings.whole("ORDER_PROCESSES", 2, least=1)
    concurrency = settings.whole("ORDER_CONCURRENCY", 4, least=1)
    if concurrency < processes:
        raise settings.SettingError(
            f"ORDER_CONCURRENCY is {concurrency}: expected at least one order for each of the "
            f"{processes} processes (ORDER_PROCESSES)"
        )
    Pace.from_settings()
    return processes, concurrency
