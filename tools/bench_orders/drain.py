"""Working off a number of orders, calmly or while workers are killed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.shop.shop.common.db import Database
from tools.bench_orders.figures import Drain, more_than_once
from tools.bench_orders.ground import Ground, place_orders
from tools.bench_orders.options import Options
from tools.bench_orders.theory import AT_A_TIME, PROCESSES, SECONDS, listed, lower_bound, quantities, seconds
from tools.demo.options import DemoError

CPU_SHARE = "0.05"
"""Orders take their time whatever they compute: scaled down they would take more of the machine than it has."""
MUCH_LONGER = 5
"""Times the theoretical drain time, after which something is wrong."""
_BEGUN = re.compile(r"Processing Order (\d+) \[(\S+)\]")
_DONE = re.compile(r"Order Processed \[(\S+)\]")


def drain(here: Ground, kind: str, options: Options, *, kill: bool) -> Drain:
    """Work off the orders in a fresh database. Raises DemoError: it did not end, or ended with an error."""
    url = here.fresh(kind)
    pieces = quantities(options.orders)
    place_orders(url, pieces)
    durations = [seconds(each, options.scale) for each in pieces]
    bound = lower_bound(durations)
    name = f"{kind}-{'killed' if kill else 'calm'}"
    ledger, log = here.home / f"{name}.jsonl", here.home / f"{name}.out"
    with here.shipper(ledger) as shipper, log.open("wb") as output:
        env = here.environment(
            url,
            SHIPPER_URL=shipper,
            ORDER_LOG_PATH=str(here.home / f"{name}.log"),
            ORDER_PROCESSES=str(PROCESSES),
            ORDER_CONCURRENCY=str(AT_A_TIME),
            ORDER_SECONDS_MIN=str(SECONDS[0]),
            ORDER_SECONDS_MAX=str(SECONDS[1]),
            ORDER_TIME_SCALE=str(options.scale),
            ORDER_CPU_SHARE=CPU_SHARE,
        )
        command = [sys.executable, "-m", "shop.orders", "--once"]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=here.trees["shop:2.0.0"],
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            kills = _wait(process, began, bound * MUCH_LONGER + 30, options.kill_seconds if kill else None)
            took = time.monotonic() - began
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    said = log.read_text()
    if process.returncode != 0:
        raise DemoError(
            f"the processor ended with {process.returncode}:\n" + "\n".join(said.splitlines()[-8:])
        )
    lost, twice, again = audit(_fulfilled(url), _shipped(ledger), said, _ids(url))
    return Drain(kind, options.orders, took, bound, listed(durations), kills, lost, twice, again)


def audit(
    fulfilled: Sequence[int], shipped: Sequence[int], said: str, expected: Sequence[int]
) -> tuple[int, int, int]:
    """(lost, done twice, begun more than once), from three sources that know nothing of each other.

    Args:
        fulfilled: orders with a fulfilment in the database, one entry for each.
        shipped: orders as the shipper noted them.
        said: the processor's output, whose lines name their workers.
        expected: every order.
    """
    last: dict[str, int] = {}
    begun, done = [], []
    for text in said.splitlines():
        if found := _BEGUN.search(text):
            last[found[2]] = int(found[1])
            begun.append(int(found[1]))
        elif (found := _DONE.search(text)) and found[1] in last:
            done.append(last[found[1]])
    missing = {order for order in expected if order not in set(fulfilled) or order not in set(shipped)}
    twice = max(more_than_once(each) for each in (fulfilled, shipped, done))
    return len(missing), twice, more_than_once(begun)


def _wait(process: subprocess.Popen[bytes], began: float, most: float, every: float | None) -> int:
    """Wait for the end, killing a worker now and then; returns how many were killed."""
    numbers = random.Random(134)
    kills, due = 0, began + (every or 0)
    while process.poll() is None:
        if time.monotonic() - began > most:
            raise DemoError(f"the batch has not ended after {most:.0f} s")
        if every is not None and time.monotonic() >= due:
            due += every
            if workers := _children(process.pid):
                os.kill(numbers.choice(workers), signal.SIGKILL)
                kills += 1
        time.sleep(0.01)
    return kills


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _ids(url: str) -> list[int]:
    return [int(row["id"]) for row in _rows(url, "SELECT id FROM orders")]


def _fulfilled(url: str) -> list[int]:
    statement = "SELECT f.order_id AS id FROM fulfilments f JOIN orders o ON o.id = f.order_id WHERE o.status = 'processed'"
    return [int(row["id"]) for row in _rows(url, statement)]


def _shipped(ledger: Path) -> list[int]:
    return [int(json.loads(text)["order"]) for text in ledger.read_text().splitlines()]


def _rows(url: str, statement: str) -> list[dict[str, Any]]:
    database = Database(url)
    with database.connection() as connection:
        found = connection.rows(statement)
    database.close()
    return found
