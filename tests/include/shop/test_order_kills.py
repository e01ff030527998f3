"""Any number of processes, killed anywhere: each order is processed exactly once, and its shipper told once."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from include.shop.shop.common.db import Database
from include.shop.shop.release_2.processing.problems import OrderError
from include.shop.shop.release_2.processing.queue import ClaimLostError, OrderQueue, free_claims_of
from tests.include.shop.orderbook import change, orders, rows


@pytest.fixture
def ready(both: Any) -> Any:
    both.prepare(1, 2)
    return both


@pytest.fixture
def database(ready: Any) -> Database:
    return Database(ready.env["DATABASE_URL"])


def workers(program: Any) -> list[int]:
    """The worker processes of a processor."""
    pid = program.process.pid
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_workers_that_are_killed_are_replaced_and_no_order_is_lost_or_done_twice(ready: Any) -> None:
    shipper = ready.start(
        "shipper:1.0.0", "shop.shipper", SHIPPER_LEDGER=str(ready.folder / "shipped")
    ).serving()
    place = re.search(r"taking shipments on (\S+)", shipper.output())
    assert place is not None
    # The claims of the killed would last much longer than the test: they are freed at once.
    slow = {"ORDER_TIME_SCALE": "0.02", "ORDER_CLAIM_SECONDS": "60", "SHIPPER_URL": f"http://{place[1]}"}
    processor = ready.start("shop:2.0.0", "shop.orders", "--once", **slow)
    killed = 0
    while processor.process.poll() is None:
        time.sleep(0.5)
        for pid in workers(processor)[:1]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        if killed == 3:
            break
    assert processor.process.wait(30) == 0, processor.output()
    assert killed == 3
    assert processor.output().count("was killed (signal 9)") == 3
    assert orders(ready) == {"processed": 20, "fulfilled": 20}
    keys = [shipment["key"] for shipment in shipper.get("/shipments")[1]["shipments"]]
    assert sorted(keys) == sorted({f"order-{number}" for number in range(1, 21)})


def test_the_whole_processor_is_killed_and_another_one_picks_up(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    slow = {"ORDER_TIME_SCALE": "0.04", "ORDER_CLAIM_SECONDS": "1.2"}
    for _ in range(2):
        processor = shop.start("shop:2.0.0", "shop.orders", "--once", **slow)
        until(lambda p=processor: p.output().count("Processing Order") >= 6, "orders are in work")
        pids = workers(processor)
        processor.end(signal.SIGKILL)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    shop.run("shop:2.0.0", "shop.orders", "--once", **slow)
    assert orders(shop) == {"processed": 20, "fulfilled": 20}


def test_when_none_gets_anywhere_it_gives_up(shop: Any) -> None:
    shop.prepare(1, 2)
    processor = shop.start("shop:2.0.0", "shop.orders", "--once", ORDER_TIME_SCALE="1")
    while processor.process.poll() is None:
        for pid in workers(processor):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    assert processor.process.returncode == 1
    assert "6 workers were killed and none processed an order: giving up" in processor.output()
    assert orders(shop) == {"open": 20, "fulfilled": 0}


def test_a_limit_is_a_limit(shop: Any) -> None:
    shop.prepare(1, 2)
    said = shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "7")
    assert orders(shop) == {"open": 13, "processed": 7, "fulfilled": 7}
    assert said.endswith("order processor: the limit is reached, 13 orders wait\n")
    assert "All Orders processed." not in said
    said = shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "70000")
    assert orders(shop) == {"processed": 20, "fulfilled": 20}
    assert said.endswith("All Orders processed.\n")
    assert "expected a number of at least 1" in shop.run(
        "shop:2.0.0", "shop.orders", "--once", "--limit", "0", expect=2
    )


def test_told_to_end_with_a_limit_it_finishes_what_is_in_work(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    slow = {"ORDER_TIME_SCALE": "0.06"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--once", "--limit", "1000000", **slow)
    until(lambda: processor.output().count("Processing Order") == 4, "four orders are in work")
    assert processor.end() == 0
    assert "told to end; what was in work is finished, 16 orders wait" in processor.output()
    assert orders(shop) == {"open": 16, "processed": 4, "fulfilled": 4}


def test_claims_at_once_are_all_different(ready: Any, database: Database) -> None:
    start = threading.Barrier(8)

    def claim(number: int) -> list[int]:
        queue = OrderQueue(database, f"test/{number}", 60)
        start.wait()
        found = []
        while (order := queue.claim()) is not None:
            found.append(order.id)
        return found

    with ThreadPoolExecutor(8) as pool:
        taken = [order for found in pool.map(claim, range(8)) for order in found]
    assert sorted(taken) == list(range(1, 21))
    assert {row["attempts"] for row in rows(ready, "SELECT attempts FROM order_claims")} == {1}
    assert free_claims_of(database, "test") == 20
    order = OrderQueue(database, "other/1", 60).claim()
    assert order is not None
    assert (order.id, order.attempts) == (1, 2)


def test_who_comes_too_late_changes_nothing(ready: Any, database: Database) -> None:
    slow, quick = OrderQueue(database, "slow/1", 0.01), OrderQueue(database, "quick/1", 60)
    mine = slow.claim()
    assert mine is not None
    time.sleep(0.03)
    theirs = quick.claim()
    assert theirs is not None
    assert theirs.id == mine.id
    problem = OrderError(12, "late")
    with pytest.raises(ClaimLostError):
        slow.fulfil(mine, 100, 1)
    with pytest.raises(ClaimLostError):
        slow.failed(mine, problem, rest=0, aside=False)
    slow.give_back(mine)
    quick.fulfil(theirs, 200, 1)
    with pytest.raises(ClaimLostError):
        slow.failed(mine, problem, rest=0, aside=True)
    assert rows(ready, "SELECT worker, total_cents FROM fulfilments") == [
        {"worker": "quick/1", "total_cents": 200}
    ]
    assert orders(ready) == {"open": 19, "processed": 1, "fulfilled": 1}
    assert rows(ready, "SELECT count(*) AS n FROM order_problems") == [{"n": 0}]


def test_an_order_that_was_fulfilled_before_is_not_fulfilled_again(ready: Any, database: Database) -> None:
    queue = OrderQueue(database, "test/1", 60)
    for _ in range(2):
        change(ready, "UPDATE orders SET status = 'open' WHERE id = 1")
        order = queue.claim()
        assert order is not None
        assert order.id == 1
        if rows(ready, "SELECT * FROM fulfilments"):
            with pytest.raises(OrderError, match="was fulfilled before"):
                queue.fulfil(order, 300, 1)
        else:
            queue.fulfil(order, 100, 1)
    assert rows(ready, "SELECT total_cents FROM fulfilments") == [{"total_cents": 100}]


def test_an_order_that_rests_is_nobodys_for_a_while(ready: Any, database: Database) -> None:
    change(ready, "UPDATE orders SET status = 'processed' WHERE id > 2")
    queue = OrderQueue(database, "test/1", 60)
    first = queue.claim()
    assert first is not None
    queue.failed(first, OrderError(12, "not now"), rest=0.3, aside=False)
    second = queue.claim()
    assert second is not None
    assert (first.id, second.id, queue.claim()) == (1, 2, None)
    soonest = queue.soonest()
    assert soonest is not None
    assert 0 < soonest - time.time() <= 0.3
    time.sleep(0.35)
    again = queue.claim()
    assert again is not None
    assert (again.id, again.attempts) == (1, 2)
