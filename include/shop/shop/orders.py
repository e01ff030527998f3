"""`python3 -m shop.orders`: the order processor, once or every so many seconds."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from typing import Optional

from .app import Readiness
from .common import settings
from .common.db import Database, DatabaseError
from .common.logs import LogFile, say
from .common.probes import add_probes
from .common.server import Server
from .common.web import Response, Router
from .release_2.processing import status, worker
from .release_2.processing.batch import Batch, sizes
from .release_2.processing.problems import one_line
from .release_2.processing.queue import others_since, reopen
from .release_2.processing.telling import Teller

ORDERS = "SELECT status, count(*) AS orders FROM orders GROUP BY status"


class Processor:
    """Runs batches, and answers about the queue."""

    def __init__(self, database: Database, log: LogFile) -> None:
        self._readiness = Readiness(database)
        self._database = database
        self._log = log
        sizes()
        self.stopping = threading.Event()
        self._name = worker.own_name()
        self._batches = 0
        self.last_batch_seconds = 0.0
        self.last_batch_ended = 0.0

    def stop(self) -> None:
        """Take no new order; those in work are finished."""
        self.stopping.set()

    def not_ready(self) -> Optional[str]:
        """Return why no order can be processed, or None."""
        return self._readiness.reason()

    def orders(self) -> dict[str, int]:
        """Return the number of orders per status."""
        with self._database.connection() as connection:
            found = {row["status"]: row["orders"] for row in connection.rows(ORDERS)}
        return {each: found.get(each, 0) for each in ("open", "held", "processed")}

    def metrics(self) -> dict[str, float]:
        """Return the samples for `/metrics`."""
        samples: dict[str, float] = {
            "shop_orders_batch_seconds": self.last_batch_seconds,
            "shop_orders_batch_ended_timestamp_seconds": self.last_batch_ended,
        }
        for each, orders in self.orders().items():
            samples[f"shop_orders_{each}"] = orders
        return samples

    def batch(self, limit: Optional[int] = None) -> int:
        """Work off the open orders, at most so many; return the exit status."""
        started = time.monotonic()
        Teller(self._log).line("Startup...")
        try:
            with self._database.connection() as connection:
                connection.rows("SELECT 1 AS one")
            reason = self.not_ready()
            if reason:
                say(f"order processor: {reason}")
                return status.OLD_SCHEMA
            self._batches += 1
            name = f"{self._name}-{self._batches}"
            ended = Batch(self._database, self._log, self.stopping, limit, name).run()
        except DatabaseError as error:
            say(f"order processor: the database went away: {one_line(str(error))}; nothing is lost")
            return status.DATABASE_GONE
        self.last_batch_seconds = time.monotonic() - started
        self.last_batch_ended = time.time()
        return ended

    def every(self, seconds: float) -> int:
        """Run a batch each `seconds`, counted from start to start, until told to stop.

        While another processor works on orders, or did since the last batch was due, that one has them: no batch is run
        beside it, and this one takes over when it is heard of no more. A batch that failed ends the program: the cluster
        starts it again, and shows that it had to.
        """
        while not self.stopping.is_set():
            started = time.monotonic()
            if self._others_process(seconds):
                say(
                    f"order processor: another one has processed orders in the last {seconds:g} s: left to that one"
                )
            else:
                ended = self.batch()
                if ended != status.DONE:
                    return ended
            self.stopping.wait(max(0.0, seconds - (time.monotonic() - started)))
        return status.DONE

    def _others_process(self, seconds: float) -> bool:
        try:
            return others_since(self._database, self._name, seconds) > 0
        except DatabaseError:
            return False  # the batch says what is wrong


def serve(processor: Processor, port: int) -> Server:
    """Start to answer probes and questions about the queue."""
    router = Router()
    server = Server((settings.listen_host(), settings.whole("PORT", port)), router)
    add_probes(router, "order-processor", lambda: server, processor.not_ready, processor.metrics)
    router.add("GET", "/orders", lambda _: Response(200, processor.orders()))
    server.start()
    say(f"order processor: serving on {server.place()}")
    return server


def open_again(database: Database, orders: list[int]) -> int:
    """Open orders that were set aside, once their cause is gone; return the exit status.

    Asked a second time it answers the same: an order that is open, or processed by now, is as it should be.
    """
    ended = status.DONE
    for order in orders:
        before = reopen(database, order)
        if before == "held":
            say(f"order processor: order {order} is open again, with all its tries")
        elif before is None:
            ended = status.FAILED
            say(f"order processor: there is no order {order}: nothing done")
        else:
            say(f"order processor: order {order} is not set aside, it is {before}: nothing to do")
    return ended


def parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="shop.orders", description=(__doc__ or "").partition("\n")[0])
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--once", action="store_true", help="work off the open orders and end")
    how.add_argument(
        "--every", type=float, metavar="SECONDS", help="do so again and again, and answer on port 8081"
    )
    how.add_argument(
        "--reopen", type=int, nargs="+", metavar="ORDER", help="open orders again that were set aside"
    )
    how.add_argument("--worker", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, metavar="N", help="with --once: try at most N orders")
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--permits", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.limit is not None and (options.limit < 1 or not options.once):
        parser.error("--limit: expected a number of at least 1, together with --once")
    return options


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the program and return its exit status."""
    options = parse(arguments)
    if options.worker:
        return worker.main(options.worker, options.name or worker.own_name(), options.permits)
    try:
        database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"))
        log = LogFile(settings.text("ORDER_LOG_PATH", "/home/sre/course4/order_processing.log"))
        processor = Processor(database, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: processor.stop())
        if options.every is None:
            try:
                database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
            except DatabaseError as error:
                say(
                    f"order processor: the database does not answer: {one_line(str(error))}; nothing was done"
                )
                return status.DATABASE_GONE
            if options.reopen:
                return open_again(database, options.reopen)
            return processor.batch(options.limit)
        server = serve(processor, 8081)
    except (settings.SettingError, DatabaseError, OSError) as error:
        say(f"order processor: cannot start: {error}")
        return status.WRONG_SETTINGS
    ended = processor.every(options.every)
    server.drain(0, settings.number("SHUTDOWN_SECONDS", 20))
    return ended


if __name__ == "__main__":
    sys.exit(main())
