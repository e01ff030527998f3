"""The logs of the shop's own processor, with two processes that interleave, are judged for what really happened."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.orders.attributing import settled
from include.orders.backlog import Orders
from include.orders.deciding import Tried, decide
from include.orders.facts import BatchEnd
from tests.include.orders.world import judged, known, orders
from tests.include.shop.conftest import images, shop  # noqa: F401 - fixtures


@pytest.fixture
def ready(shop: Any) -> Any:  # noqa: F811
    shop.prepare(1, 2)
    return shop


class Book:
    """The database, asked as the DAGs do."""

    def __init__(self, shop: Any) -> None:  # noqa: F811
        self.raw = sqlite3.connect(shop.folder / "shop.db", isolation_level=None)
        self.ask = Orders(lambda sql, values: self.raw.execute(sql, values).fetchall(), "sqlite")
        self.began = datetime.now(UTC) - timedelta(seconds=1)


@pytest.fixture
def book(ready: Any) -> Iterator[Book]:
    found = Book(ready)
    yield found
    found.raw.close()


def test_two_bad_orders_among_good_ones(ready, book):
    book.raw.execute("UPDATE orders SET item = 'Triffid' WHERE id IN (4, 5)")
    output = ready.run("shop:2.0.0", "shop.orders", "--once")
    found, stop, _ = judged(output.splitlines())
    assert stop is None
    assert (found.verdict, found.processed, found.complete, found.sure) == ("poison", 18, True, True)
    (seen,) = found.errors
    assert (seen.code, set(seen.orders), seen.times) == ("12", {4, 5}, 12)
    found = settled(found, book.ask.kept_since(book.began), 5, known())
    assert found.errors[0].orders == (4, 5)
    after = book.ask.backlog(datetime.now(UTC))
    assert (after.waiting, after.set_aside) == (0, 2)
    decision = decide(found, BatchEnd(end="complete"), after, Tried(), orders(), known())
    assert (decision.next, decision.works) == ("done", True)


def test_the_log_file_alone_which_names_no_order(ready, book):
    book.raw.execute("UPDATE orders SET item = 'Triffid' WHERE id = 4")
    ready.run("shop:2.0.0", "shop.orders", "--once")
    found, stop, _ = judged((ready.folder / "orders.log").read_text().splitlines())
    assert (stop, found.verdict, found.processed) == (None, "poison", 19)
    found = settled(found, book.ask.kept_since(book.began), 5, known())
    assert (found.errors[0].orders, found.sure) == ((4,), True)


def test_from_one_order_on_every_one_fails(ready, book):
    book.raw.execute("UPDATE orders SET item = 'Triffid' WHERE id > 1")
    alone = {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "1"}
    output = ready.run("shop:2.0.0", "shop.orders", "--once", ORDER_STOP_AFTER="0", **alone)
    found, stop, line = judged(output.splitlines())
    assert stop is not None
    assert (stop.verdict, stop.code) == ("systemic", "12")
    assert line < len(output.splitlines()) / 2, "long before the end"
    kept = book.ask.kept_since(book.began)
    assert settled(found, kept, 5, known()).verdict == "systemic"


def test_the_processor_s_own_brake_is_understood(ready):
    with sqlite3.connect(ready.folder / "shop.db") as raw:
        raw.execute("UPDATE orders SET item = 'Triffid'")
    output = ready.run("shop:2.0.0", "shop.orders", "--once", ORDER_STOP_AFTER="2", expect=4)
    found, stop, _ = judged(output.splitlines(), systemic_orders=50)
    assert stop is not None
    assert (found.verdict, found.code) == ("systemic", "12")
    assert re.match(r"The processor stopped itself: error #12 on \d+ different orders and none", stop.text)


def test_a_database_that_loses_a_table_in_mid_batch(ready, book):
    batch = ready.start("shop:2.0.0", "shop.orders", "--once", ORDER_TIME_SCALE="0.05")
    limit = time.monotonic() + 10
    while "Order Processed" not in batch.output() and time.monotonic() < limit:
        time.sleep(0.02)
    book.raw.execute("DROP TABLE fulfilments")
    status = batch.process.wait(20)
    found, _, _ = judged(batch.output().splitlines())
    assert found.verdict == "broken", batch.output()
    decision = decide(found, BatchEnd(end="failed", exit_code=status), None, Tried(), orders(), known())
    assert (decision.next, decision.tell) == ("hand_over", "ops")
    assert decision.text.startswith("The processor cannot work: schema too old (")
