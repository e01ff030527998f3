"""The order processor as processes: batches, poison, restarts, and each order fulfilled once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from include.shop.shop.common.db import Database


def orders(shop: Any) -> dict[str, int]:
    database = Database(shop.env["DATABASE_URL"])
    with database.connection() as connection:
        found = {
            r["status"]: r["n"]
            for r in connection.rows("SELECT status, count(*) AS n FROM orders GROUP BY status")
        }
        found["fulfilled"] = connection.count("fulfilments")
    database.close()
    return found


def change(shop: Any, statement: str) -> None:
    database = Database(shop.env["DATABASE_URL"])
    with database.transaction() as connection:
        connection.execute(statement)
    database.close()


@pytest.fixture
def ready(both: Any) -> Any:
    both.prepare(1, 2)
    return both


def test_a_batch_processes_every_order_and_says_so(ready: Any) -> None:
    ready.run("shop:2.0.0", "shop.orders", "--once")
    lines = (ready.folder / "orders.log").read_text().splitlines()
    assert lines[:2] == ["Startup...", "Starting to process orders."]
    assert lines[-1] == "All Orders processed."
    assert sorted(lines[2:-1]) == sorted(
        [f"Processing Order {n}" for n in range(1, 21)] + ["Order Processed"] * 20
    )
    assert orders(ready) == {"processed": 20, "fulfilled": 20}


def test_two_processors_fulfil_each_order_once(ready: Any) -> None:
    pair = [ready.start("shop:2.0.0", "shop.orders", "--once", ORDER_TIME_SCALE="0.01") for _ in range(2)]
    assert [program.process.wait(30) for program in pair] == [0, 0]
    assert orders(ready) == {"processed": 20, "fulfilled": 20}
    log = (ready.folder / "orders.log").read_text()
    assert log.count("Order Processed") == 20
    assert log.count("Processing Order ") == 20


def test_a_poison_order_is_retried_and_then_held(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    shop.run("shop:2.0.0", "shop.orders", "--once")
    log = (shop.folder / "orders.log").read_text()
    assert log.count("Error Processing Order. Error #12") == 6
    assert log.count("Processing Order 4\n") == 6
    assert orders(shop) == {"processed": 19, "held": 1, "fulfilled": 19}
    database = Database(shop.env["DATABASE_URL"])
    with database.connection() as connection:
        claim = connection.row("SELECT attempts, last_error FROM order_claims WHERE order_id = 4")
    assert claim == {"attempts": 6, "last_error": "#12: 'Triffid' is in no catalog"}


def test_without_a_limit_the_poison_order_stays_at_the_head(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    settings = {"ORDER_MAX_ATTEMPTS": "0", "ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "1"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--once", **settings)
    until(lambda: processor.output().count("Error #12") > 8, "errors repeat")
    assert processor.end() == 0
    assert "All Orders processed." not in processor.output()
    assert orders(shop) == {"open": 17, "processed": 3, "fulfilled": 3}


def test_told_to_end_it_finishes_what_is_in_work(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    processor = shop.start("shop:2.0.0", "shop.orders", "--every", "3600", ORDER_TIME_SCALE="0.06").serving()
    until(lambda: processor.output().count("Processing Order") == 4, "four orders are in work")
    assert processor.end() == 0
    output = processor.output()
    assert output.count("Processing Order") == output.count("Order Processed") == 4
    assert orders(shop) == {"open": 16, "processed": 4, "fulfilled": 4}


def test_orders_of_a_killed_processor_are_taken_over(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    slow = {"ORDER_TIME_SCALE": "0.06", "ORDER_CLAIM_SECONDS": "2"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--worker", "4", **slow)
    until(lambda: processor.output().count("Processing Order") == 4, "four orders are in work")
    processor.end(signal.SIGKILL)
    assert orders(shop) == {"open": 20, "fulfilled": 0}
    shop.run("shop:2.0.0", "shop.orders", "--once")
    assert orders(shop) == {"processed": 20, "fulfilled": 20}


def test_the_deployment_answers_about_the_queue(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    processor = shop.start("shop:2.0.0", "shop.orders", "--every", "3600").serving()
    until(lambda: "All Orders processed." in processor.output(), "the batch has ended")
    assert processor.get("/orders") == (200, {"open": 0, "held": 0, "processed": 20})
    assert processor.get("/readyz") == (200, {"ready": True})
    assert processor.get("/version")[1]["program"] == "order-processor"
    assert "shop_orders_open 0" in processor.get("/metrics")[1]
    assert processor.end() == 0


def test_a_batch_every_so_often(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    processor = shop.start("shop:2.0.0", "shop.orders", "--every", "0.5").serving()
    until(lambda: processor.output().count("All Orders processed.") >= 2, "two batches")
    change(
        shop, "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (1, 'Jade vine', 2, '2024')"
    )
    until(lambda: orders(shop)["fulfilled"] == 21, "the new order is in a later batch")
    assert processor.end() == 0


def test_settings_that_do_not_fit_together_are_named(shop: Any) -> None:
    shop.prepare(1, 2)
    output = shop.run(
        "shop:2.0.0", "shop.orders", "--once", expect=2, ORDER_TIME_SCALE="1", ORDER_CLAIM_SECONDS="20"
    )
    assert "ORDER_CLAIM_SECONDS is 20: expected at least 30" in output
    output = shop.run("shop:2.0.0", "shop.orders", "--once", expect=2, ORDER_CONCURRENCY="1")
    assert "ORDER_CONCURRENCY is 1" in output


def test_without_its_tables_it_fails_and_says_why(shop: Any) -> None:
    shop.prepare(1)
    assert "not applied: r2-203" in shop.run("shop:2.0.0", "shop.orders", "--once", expect=1)
