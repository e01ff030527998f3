"""How many orders several processes claim in a second, while very many wait.

Each claim is followed by the order's fulfilment, as in the processor: claimed orders would pile up at the head of
the queue otherwise, which they never do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from include.shop.shop.common.db import Database
from include.shop.shop.release_2.processing import statements
from include.shop.shop.release_2.processing.problems import OrderError
from include.shop.shop.release_2.processing.queue import ClaimLostError, OrderQueue
from tools.bench_orders.figures import Claims
from tools.bench_orders.ground import Ground, place_many
from tools.bench_orders.options import Options
from tools.bench_orders.theory import AT_A_TIME, PROCESSES
from tools.demo.options import ROOT, DemoError

LOOKS = 3
"""The backlog is asked for so often; the quickest counts, as others use the machine too."""


@dataclass
class Counted:
    """Of one process: orders that it claimed and fulfilled, and that were somebody else's meanwhile."""

    fulfilled: int = 0
    lost: int = 0


def claims(here: Ground, kind: str, options: Options) -> Claims:
    """Claim in two processes with two threads each. Raises DemoError."""
    url = here.fresh(kind)
    place_many(url, options.backlog)
    command = [sys.executable, "-m", __name__, url, str(options.claim_seconds), str(AT_A_TIME // PROCESSES)]
    running = [
        subprocess.Popen(
            [*command, f"claimer-{index}"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for index in range(PROCESSES)
    ]
    for process in running:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise DemoError("a process that claims orders did not start")
    for process in running:  # all have imported what they need
        if process.stdin is not None:
            process.stdin.close()
    told = [process.stdout.read() if process.stdout else "" for process in running]
    if any(process.wait() for process in running):
        raise DemoError("a process that claims orders failed")
    counted = [Counted(*map(int, text.split())) for text in told]
    made = sum(each.fulfilled for each in counted)
    database = Database(url)
    with database.connection() as connection:
        rows = connection.count("fulfilments")
        twice = sum(each.lost for each in counted) + abs(made - rows)
        statement, parameters = statements.backlog(time.time(), "2023-01-01T00:00:00.000Z")
        times = []
        for _ in range(LOOKS):
            began = time.monotonic()
            connection.rows(statement, parameters)
            times.append((time.monotonic() - began) * 1000)
    database.close()
    return Claims(kind, made / options.claim_seconds, PROCESSES, twice, options.backlog, min(times))


def main() -> int:
    """Claim orders for so many seconds, from the moment standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("threads", type=int)
    parser.add_argument("name")
    options = parser.parse_args()
    database = Database(options.url, busy_seconds=60)
    with database.connection() as connection:
        connection.rows("SELECT 1 AS one")
    print("ready", flush=True)
    sys.stdin.read()
    end = time.monotonic() + options.seconds

    counts = [Counted() for _ in range(options.threads)]

    def claim(count: Counted, number: int) -> None:
        queue = OrderQueue(database, f"{options.name}/{number}", 3600)
        while time.monotonic() < end and (order := queue.claim()) is not None:
            try:
                queue.fulfil(order, 100, 0)
                count.fulfilled += 1
            except (ClaimLostError, OrderError):
                count.lost += 1

    threads = [threading.Thread(target=claim, args=(each, number)) for number, each in enumerate(counts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    print(sum(each.fulfilled for each in counts), sum(each.lost for each in counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
