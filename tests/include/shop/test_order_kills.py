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
from tests.include.shop.orderbook import change, orders, problems, rows


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


def test_workers_that_are_killed_are_replaced_and_no_order_is_lost_or_done_twice(
    ready: Any, until: Callable[..., Any]
) -> None:
    shipper = ready.start(
        "shipper:1.0.0", "shop.shipper", SHIPPER_LEDGER=str(ready.folder / "shipped")
    ).serving()
    place = re.search(r"taking shipments on (\S+)", shipper.output())
    assert place is not None
    # The claims of the killed would last much longer than the test: they are freed at once.
    slow = {"ORDER_TIME_SCALE": "0.02", "ORDER_CLAIM_SECONDS": "60", "SHIPPER_URL": f"http://{place[1]}"}
    processor = ready.start("shop:2.0.0", "shop.orders", "--once", **slow)
    for done in (1, 6, 11):
        # With orders left, a worker is at work.
        until(lambda n=done: processor.output().count("Order Processed") >= n, "orders are processed")
        os.kill(workers(processor)[0], signal.SIGKILL)
        until(lambda n=done: processor.output().count("was killed (signal 9)") == (n + 4) // 5, "it is seen")
    assert processor.process.wait(30) == 0, processor.output()
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
    until(lambda: processor.output().count("Processing Order") >= 4, "four orders are in work")
    assert processor.end() == 0
    begun = processor.output().count("Processing Order")
    assert f"told to end; what was in work is finished, {20 - begun} orders wait" in processor.output()
    assert 4 <= begun < 20
    assert orders(shop) == {"open": 20 - begun, "processed": begun, "fulfilled": begun}


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
    queue.failed(first, OrderError(12, "not now"), rest=30, aside=False)
    second = queue.claim()
    assert second is not None
    assert (first.id, second.id, queue.claim()) == (1, 2, None)
    soonest = queue.soonest()
    assert soonest is not None
    assert 0 < soonest - time.time() <= 30
    change(ready, "UPDATE order_claims SET not_before = not_before - 30")  # as if so much time had passed
    again = queue.claim()
    assert again is not None
    assert (again.id, again.attempts) == (1, 2)


def test_before_an_order_is_blamed_for_its_workers_end_it_is_tried_alone(
    shop: Any, until: Callable[..., Any]
) -> None:
    shop.prepare(1, 2)
    shop.env |= {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "2", "ORDER_TIME_SCALE": "0.06"}
    taken = "INSERT INTO order_claims (order_id, worker, claimed_until, attempts) VALUES"
    change(shop, f"{taken} (1, 'gone/1', 1, 6), (2, 'gone/2', 1, 6)", "DELETE FROM orders WHERE id > 3")
    processor = shop.start("shop:2.0.0", "shop.orders", "--once")
    alone = until(lambda: re.search(r"Processing Order (\d)", processor.output()), "one is in work")
    # The other one has waited with its try not counted when this one's worker ends.
    until(
        lambda: rows(shop, "SELECT 1 FROM order_claims WHERE attempts = 6 AND claimed_until > 1"),
        "the other one waits",
    )
    os.kill(workers(processor)[0], signal.SIGKILL)
    assert processor.process.wait(30) == 0, processor.output()
    said = processor.output()
    assert f"order {alone[1]}: taken 6 times, and its worker ended each time" in said
    ((order, (code, text, aside)),) = problems(shop).items()
    assert (order, code, aside) == (int(alone[1]), 16, True)
    assert text.endswith("the last time with no other order in work in its process")
    assert orders(shop) == {"processed": 2, "held": 1, "fulfilled": 2}
    other = 3 - order
    first, rest = said.split(f"Processing Order {other} ", 1)
    between = rest.partition("Order Processed")[0]
    assert "Processing Order" not in between, said
    assert f"order {other}: taken 6 times" in first
