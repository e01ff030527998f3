"""`python3 -m shop.orders`: the order processor, once or every so many seconds."""

from __future__ import annotations

import argparse
import signal
import subprocess
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
from .release_2.processing import worker

ORDERS = "SELECT status, count(*) AS orders FROM orders GROUP BY status"


class Processor:
    """Runs batches in worker processes."""

    def __init__(self, database: Database, log: LogFile) -> None:
        self._readiness = Readiness(database)
        self._database = database
        self._log = log
        self._processes = settings.whole("ORDER_PROCESSES", 2, least=1)
        self._concurrency = settings.whole("ORDER_CONCURRENCY", 4, least=1)
        if self._concurrency < self._processes:
            raise settings.SettingError(
                f"ORDER_CONCURRENCY is {self._concurrency}: expected at least one order for each of the "
                f"{self._processes} processes (ORDER_PROCESSES)"
            )
        worker.Pace.from_settings()
        self._running: list[subprocess.Popen[bytes]] = []
        self.stopping = threading.Event()
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
        return {status: found.get(status, 0) for status in ("open", "held", "processed")}

    def metrics(self) -> dict[str, float]:
        """Return the samples for `/metrics`."""
        samples: dict[str, float] = {
            "shop_orders_batch_seconds": self.last_batch_seconds,
            "shop_orders_batch_ended_timestamp_seconds": self.last_batch_ended,
        }
        for status, orders in self.orders().items():
            samples[f"shop_orders_{status}"] = orders
        return samples

    def batch(self) -> int:
        """Work off the open orders; return 0, or 1 when a worker failed."""
        started = time.monotonic()
        self._tell("Startup...")
        reason = self.not_ready()
        if reason:
            say(f"order processor: {reason}")
            return 1
        self._tell("Starting to process orders.")
        share, more = divmod(self._concurrency, self._processes)
        for index in range(self._processes):
            threads = share + (1 if index < more else 0)
            command = [sys.executable, "-m", f"{__package__}.orders", "--worker", str(threads)]
            self._running.append(subprocess.Popen(command))
        told = False
        while any(process.poll() is None for process in self._running):
            if self.stopping.is_set() and not told:
                told = True
                for process in self._running:
                    process.terminate()
            time.sleep(0.05)
        # A worker that was told to end before it could listen for that has nothing to finish.
        fine = (0, -signal.SIGTERM) if self.stopping.is_set() else (0,)
        failed = [process.returncode for process in self._running if process.returncode not in fine]
        self._running.clear()
        self.last_batch_seconds = time.monotonic() - started
        self.last_batch_ended = time.time()
        if failed:
            say(
                f"order processor: {len(failed)} of {self._processes} workers failed (exit status {failed[0]})"
            )
            return 1
        if not self.stopping.is_set():
            self._tell("All Orders processed.")
        return 0

    def every(self, seconds: float) -> int:
        """Run a batch each `seconds`, counted from start to start, until told to stop.

        A batch that failed ends the program: the cluster starts it again, and shows that it had to.
        """
        while not self.stopping.is_set():
            started = time.monotonic()
            if self.batch() != 0:
                return 1
            self.stopping.wait(max(0.0, seconds - (time.monotonic() - started)))
        return 0

    def _tell(self, line: str) -> None:
        self._log.write(line)
        print(line, flush=True)


def serve(processor: Processor, port: int) -> Server:
    """Start to answer probes and questions about the queue."""
    router = Router()
    server = Server((settings.listen_host(), settings.whole("PORT", port)), router)
    add_probes(router, "order-processor", lambda: server, processor.not_ready, processor.metrics)
    router.add("GET", "/orders", lambda _: Response(200, processor.orders()))
    server.start()
    say(f"order processor: serving on {server.place()}")
    return server


def parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="shop.orders", description=(__doc__ or "").partition("\n")[0])
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--once", action="store_true", help="work off the open orders and end")
    how.add_argument(
        "--every", type=float, metavar="SECONDS", help="do so again and again, and answer on port 8081"
    )
    how.add_argument("--worker", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the program and return its exit status."""
    options = parse(arguments)
    if options.worker:
        return worker.main(options.worker)
    try:
        database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"))
        log = LogFile(settings.text("ORDER_LOG_PATH", "/home/sre/course4/order_processing.log"))
        processor = Processor(database, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: processor.stop())
        if options.once:
            database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
            return processor.batch()
        server = serve(processor, 8081)
    except (settings.SettingError, DatabaseError, OSError) as error:
        say(f"order processor: cannot start: {error}")
        return 2
    status = processor.every(options.every)
    server.drain(0, settings.number("SHUTDOWN_SECONDS", 20))
    return status


if __name__ == "__main__":
    sys.exit(main())
