"""The order processor as processes: batches, poison, restarts, and each order fulfilled once."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.include.shop.orderbook import change, orders, rows


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


def test_a_poison_order_is_retried_and_then_set_aside_while_others_go_on(ready: Any) -> None:
    change(ready, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    output = ready.run("shop:2.0.0", "shop.orders", "--once", ORDER_RETRY_SECONDS="30")
    log = (ready.folder / "orders.log").read_text()
    assert log.count("Error Processing Order. Error #12\n") == 6
    assert 2 <= log.count("Processing Order 4\n") <= 6  # not again where the same thread had it just before
    assert orders(ready) == {"processed": 19, "held": 1, "fulfilled": 19}
    (claim,) = rows(ready, "SELECT attempts, last_error FROM order_claims")
    assert claim == {"attempts": 6, "last_error": "#12: 'Triffid' is in no catalog"}
    (problem,) = rows(ready, "SELECT * FROM order_problems")
    assert (problem["order_id"], problem["code"], problem["tries"]) == (4, 12, 6)
    assert problem["first_at"] < problem["last_at"] == problem["set_aside_at"]
    assert problem["text"] == "'Triffid' is in no catalog"
    # Beside the lines that name no order, standard output has one with the details.
    tried = re.findall(
        r"order processor: order 4: error 12, (.*) \[(\S+)/\d\]: 'Triffid' is in no catalog", output
    )
    assert [text for text, _ in tried][4:] == ["try 5 of 6, again in 0.2 s", "try 6 of 6, set aside"]
    assert "order 4: error" not in log


def test_the_log_that_on_call_knows(shop: Any, until: Callable[..., Any]) -> None:
    """Orders 1 to 3 processed, then order 4 and from there only error 12, six times."""
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    alone = {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "1", "ORDER_RETRY_SECONDS": "0"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="0", **alone)
    until(lambda: processor.output().count("Error #12") > 8, "errors repeat")
    assert processor.end() == 0
    lines = (shop.folder / "orders.log").read_text().splitlines()
    assert lines[:14] == [
        "Startup...",
        "Starting to process orders.",
        *("Processing Order 1", "Order Processed"),
        *("Processing Order 2", "Order Processed"),
        *("Processing Order 3", "Order Processed"),
        "Processing Order 4",
        *["Error Processing Order. Error #12"] * 5,
    ]
    assert "All Orders processed." not in lines
    assert orders(shop) == {"open": 17, "processed": 3, "fulfilled": 3}


def test_tries_that_follow_at_once_end_too(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    alone = {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "1", "ORDER_RETRY_SECONDS": "0"}
    shop.run("shop:2.0.0", "shop.orders", "--once", **alone)
    log = (shop.folder / "orders.log").read_text()
    assert "Processing Order 4\n" + "Error Processing Order. Error #12\n" * 6 + "Processing Order 5\n" in log
    assert log.endswith("All Orders processed.\n")


def test_told_to_end_it_finishes_what_is_in_work(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    processor = shop.start("shop:2.0.0", "shop.orders", "--every", "3600", ORDER_TIME_SCALE="0.06").serving()
    until(lambda: processor.output().count("Processing Order") >= 4, "four orders are in work")
    assert processor.end() == 0
    output = processor.output()
    begun = output.count("Processing Order")
    assert 4 <= begun == output.count("Order Processed") < 20
    assert orders(shop) == {"open": 20 - begun, "processed": begun, "fulfilled": begun}


def test_orders_of_a_killed_processor_are_taken_over(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1, 2)
    slow = {"ORDER_TIME_SCALE": "0.06", "ORDER_CLAIM_SECONDS": "2"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--worker", "4", **slow)
    until(lambda: processor.output().count("Processing Order") >= 4, "four orders are in work")
    processor.end(signal.SIGKILL)
    assert orders(shop)["open"] >= 4
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


def test_beside_another_processor_it_leaves_the_orders_to_that_one(
    shop: Any, until: Callable[..., Any]
) -> None:
    shop.prepare(1, 2)
    shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "5")
    beside = shop.start("shop:2.0.0", "shop.orders", "--every", "3600").serving()
    until(lambda: "left to that one" in beside.output(), "it gives way")
    assert beside.end() == 0
    assert orders(shop) == {"open": 15, "processed": 5, "fulfilled": 5}
    # Nobody has been heard of for as long as it waits: it takes over, and goes on then.
    takes_over = shop.start("shop:2.0.0", "shop.orders", "--every", "0.3").serving()
    until(lambda: takes_over.output().count("All Orders processed.") >= 2, "two batches of its own")
    assert takes_over.end() == 0
    assert orders(shop) == {"processed": 20, "fulfilled": 20}


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
    assert "not applied: r2-203" in shop.run("shop:2.0.0", "shop.orders", "--once", expect=5)
