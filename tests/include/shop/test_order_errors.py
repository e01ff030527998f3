"""Orders that cannot be processed, and a world that lets none be: each ends in a state that on-call can read."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.include.shop.orderbook import allow_null, change, orders, problems, rows


@pytest.fixture(autouse=True)
def one_process(shop: Any) -> None:
    """Less to start: what is tested here does not depend on it."""
    shop.env |= {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "2"}


@pytest.fixture
def ready(both: Any) -> Any:
    both.prepare(1, 2)
    return both


@pytest.fixture
def shipper(shop: Any) -> Any:
    """A shipper, and the orders' processors of the shop call it."""
    started = shop.start(
        "shipper:1.0.0", "shop.shipper", SHIPPER_LEDGER=str(shop.folder / "shipped")
    ).serving()
    place = re.search(r"taking shipments on (\S+)", started.output())
    assert place is not None
    shop.env |= {"SHIPPER_URL": f"http://{place[1]}", "SHIPPER_TIMEOUT_SECONDS": "1"}
    return started


def test_orders_with_null_fields_are_set_aside_and_the_others_go_on(ready: Any) -> None:
    allow_null(ready)
    change(
        ready,
        "UPDATE orders SET item = NULL WHERE id = 2",
        "UPDATE orders SET quantity = NULL WHERE id = 3",
        "UPDATE orders SET user_id = NULL WHERE id = 4",
        "UPDATE orders SET item = NULL, quantity = NULL, user_id = NULL, created_at = NULL WHERE id = 5",
        "UPDATE orders SET created_at = NULL WHERE id = 6",
        "UPDATE orders SET status = NULL WHERE id = 7",
        "UPDATE orders SET quantity = 0, item = ' ' WHERE id = 8",
        "UPDATE orders SET quantity = -2147483648 WHERE id = 9",
    )
    ready.run("shop:2.0.0", "shop.orders", "--once")
    assert orders(ready) == {"processed": 13, "held": 7, "fulfilled": 13}
    nothing = "no user (user_id is null), no item (item is null), no quantity (quantity is null)"
    assert problems(ready) == {
        2: (13, "the order is incomplete: no item (item is null)", True),
        3: (13, "the order is incomplete: no quantity (quantity is null)", True),
        4: (13, "the order is incomplete: no user (user_id is null)", True),
        5: (13, f"the order is incomplete: {nothing}", True),
        7: (13, "the order has no status (status is null)", True),
        8: (13, "the order is incomplete: no item (item is ' '), quantity is 0, expected 1 to 1000000", True),
        9: (13, "the order is incomplete: quantity is -2147483648, expected 1 to 1000000", True),
    }
    log = (ready.folder / "orders.log").read_text()
    assert log.count("Error Processing Order. Error #13\n") == 7
    assert "Processing Order 7\nError Processing Order. Error #13\n" in log
    assert log.endswith("All Orders processed.\n")


def test_bytes_that_are_no_text_stop_nobody(shop: Any) -> None:
    shop.prepare(1, 2)
    allow_null(shop)
    with sqlite3.connect(shop.env["DATABASE_URL"].removeprefix("sqlite:///")) as raw:
        raw.execute("UPDATE orders SET item = CAST(x'ff00fe0a41' AS TEXT) WHERE id = 3")
        raw.execute("UPDATE orders SET item = x'00ff', quantity = 'many' WHERE id = 4")
        raw.execute("UPDATE orders SET item = ? WHERE id = 5", ("Processing Order 9\n" * 100_000,))
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="1")
    assert orders(shop) == {"processed": 17, "held": 3, "fulfilled": 17}
    found = problems(shop)
    assert [found[order][0] for order in (3, 4, 5)] == [12, 13, 12]
    assert "quantity is 'many'" in found[4][1]
    assert max(len(text) for _, text, _ in found.values()) <= 300
    log = (shop.folder / "orders.log").read_text()
    assert log.count("Processing Order 9\n") == 1


def test_orders_that_no_try_can_help_are_set_aside_at_once(shop: Any) -> None:
    shop.prepare(1, 2)
    change(
        shop,
        "INSERT INTO order_claims (order_id, worker, claimed_until, attempts) VALUES (4, 'gone/1', 1, 7)",
        "INSERT INTO fulfilments (order_id, worker, total_cents, processed_at) VALUES (5, 'w', 1, '2023')",
    )
    shop.run("shop:2.0.0", "shop.orders", "--once")
    assert problems(shop) == {
        4: (
            16,
            "taken 7 times, and its worker ended each time before the order did, "
            "the last time with no other order in work in its process",
            True,
        ),
        5: (15, "the order is open, but was fulfilled before; it is not fulfilled again", True),
    }
    assert orders(shop) == {"processed": 18, "held": 2, "fulfilled": 19}


def test_a_set_aside_order_is_opened_again_once_its_cause_is_gone(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id = 4")
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="2")
    said = shop.run("shop:2.0.0", "shop.orders", "--reopen", "4", "5", "99", expect=1)
    assert "order 4 is open again, with all its tries" in said
    assert "order 5 is not set aside, it is processed: nothing to do" in said
    assert "there is no order 99: nothing done" in said
    said = shop.run("shop:2.0.0", "shop.orders", "--reopen", "4")
    assert "order 4 is not set aside, it is open: nothing to do" in said
    change(shop, "INSERT INTO plants (name, price_cents) VALUES ('Triffid', 6600)")
    shop.run("shop:2.0.0", "shop.orders", "--once")
    assert orders(shop) == {"processed": 20, "fulfilled": 20}
    (problem,) = rows(shop, "SELECT set_aside_at, solved_at FROM order_problems")
    assert problem["set_aside_at"] is None
    assert problem["solved_at"] is not None


def test_one_error_on_many_orders_ends_the_batch_and_sets_none_aside(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "DELETE FROM plants")
    said = shop.run(
        "shop:2.0.0", "shop.orders", "--once", expect=4, ORDER_STOP_AFTER="6", ORDER_RETRY_SECONDS="500"
    )
    stopped = re.search(r"stopped: error #12 on (\d+) different orders and none processed since 2", said)
    assert stopped is not None
    # An order that another thread took before the first error is waited for, however many fail meanwhile.
    assert 6 <= int(stopped[1]) <= 20
    assert said.endswith("ended early: many orders failed with the same error (exit status 4)\n")
    assert orders(shop) == {"open": 20, "fulfilled": 0}
    assert "All Orders processed." not in said


def test_after_everything_failed_the_next_batch_begins_with_orders_that_were_not_tried(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE plants SET name = name || ' (gone)'")
    # So many look like everything, and end at the limit before an order would have had its time.
    doubt = {"ORDER_STOP_AFTER": "5", "ORDER_SECONDS_MAX": "15000"}
    rest = {"ORDER_RETRY_SECONDS": "1000", "ORDER_RETRY_SECONDS_MAX": "50000"}
    said = shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "6", **doubt, **rest)
    assert "order processor: tries given back, as all failed alike: " in said
    tried = set(problems(shop))
    claims = rows(shop, "SELECT attempts, not_before FROM order_claims")
    assert {row["attempts"] for row in claims} == {0}
    assert min(row["not_before"] for row in claims) > time.time() + 60
    change(shop, "UPDATE plants SET name = replace(name, ' (gone)', '')")
    shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "14")
    assert {row["id"] for row in rows(shop, "SELECT id FROM orders WHERE status = 'open'")} == tried
    assert orders(shop) == {"open": 6, "processed": 14, "fulfilled": 14}


def test_bad_orders_at_the_head_end_no_batch_before_good_ones_had_their_time(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id <= 8")
    # An order may take eight seconds: so long the good ones are looked for, which take none.
    slow = {"ORDER_SECONDS_MIN": "0", "ORDER_SECONDS_MAX": "2000", "ORDER_STOP_AFTER": "4"}
    slow |= {"ORDER_RETRY_SECONDS": "250", "ORDER_RETRY_SECONDS_MAX": "250"}
    change(shop, "UPDATE orders SET quantity = 1")
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="2", **slow)
    assert orders(shop) == {"processed": 12, "held": 8, "fulfilled": 12}


def test_an_order_whose_status_nobody_knows_is_set_aside(both: Any) -> None:
    both.prepare(1, 2)
    allow_null(both)
    change(
        both,
        "UPDATE orders SET status = 'OPEN' WHERE id < 7",
        "UPDATE orders SET status = '' WHERE id = 7",
        "UPDATE orders SET status = NULL WHERE id = 8",
        "UPDATE orders SET status = 'processed' WHERE id = 9",
    )
    both.run("shop:2.0.0", "shop.orders", "--once")
    assert orders(both) == {"processed": 12, "held": 8, "fulfilled": 11}
    assert problems(both)[6] == (13, "the order has a status that nobody knows: 'OPEN'", True)


def test_bad_orders_behind_each_other_end_no_batch_while_good_ones_are_in_work(both: Any) -> None:
    both.prepare(1, 2)
    change(both, "UPDATE orders SET item = 'Triffid' WHERE id BETWEEN 2 AND 15")
    # All of them before the first good one is done: on a slow machine some of them come after it, which is fewer.
    settings = {"ORDER_STOP_AFTER": "14", "ORDER_MAX_ATTEMPTS": "1", "ORDER_TIME_SCALE": "0.1"}
    both.run("shop:2.0.0", "shop.orders", "--once", **settings)
    assert orders(both) == {"processed": 6, "held": 14, "fulfilled": 6}


@pytest.mark.parametrize("password", ["geh%eim", "ge heim", "g@heim"])
def test_a_database_address_that_cannot_be_read_is_not_repeated(shop: Any, password: str) -> None:
    url = f"postgresql://shop:{password}@127.0.0.1:1/shop"
    said = shop.run(
        "shop:2.0.0", "shop.orders", "--once", expect=3, DATABASE_URL=url, DATABASE_WAIT_SECONDS="0"
    )
    assert "DATABASE_URL is no address that can be read" in said
    assert "heim" not in said
    assert "eim" not in said


def test_a_success_between_lets_the_batch_go_on(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET item = 'Triffid' WHERE id % 2 = 0")
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_STOP_AFTER="6", ORDER_MAX_ATTEMPTS="1")
    assert orders(shop) == {"processed": 10, "held": 10, "fulfilled": 10}


@pytest.mark.parametrize("mode", ["refuse", "500"])
def test_a_shipper_that_is_down_is_not_the_orders_fault(shop: Any, shipper: Any, mode: str) -> None:
    shop.prepare(1, 2)
    shipper.call("POST", "/mode", {"mode": mode})
    said = shop.run(
        "shop:2.0.0", "shop.orders", "--once", expect=4, ORDER_STOP_AFTER="5", ORDER_MAX_ATTEMPTS="1"
    )
    # Five errors, of as many orders unless one had its rest and failed again.
    assert re.search(r"stopped: error #31 on (\d different orders|order \d+ alone) and none processed", said)
    assert {(code, aside) for code, _, aside in problems(shop).values()} == {(31, False)}
    assert {row["attempts"] for row in rows(shop, "SELECT attempts FROM order_claims")} == {0}
    assert "error 31, try 1 of 1 (does not count: it may not be the fault of the order), again in" in said
    assert orders(shop) == {"open": 20, "fulfilled": 0}
    shipper.call("POST", "/mode", {"mode": "ok"})
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="1")
    assert orders(shop) == {"processed": 20, "fulfilled": 20}
    assert rows(shop, "SELECT count(*) AS n FROM order_problems WHERE solved_at IS NULL") == [{"n": 0}]


def test_few_orders_and_a_shipper_that_stays_down_end_too(shop: Any, shipper: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "DELETE FROM orders WHERE id > 1")
    shipper.call("POST", "/mode", {"mode": "refuse"})
    said = shop.run("shop:2.0.0", "shop.orders", "--once", expect=4, ORDER_STOP_AFTER="3")
    assert "stopped: error #31 on order 1 alone and none processed since 2" in said
    assert orders(shop) == {"open": 1, "fulfilled": 0}


def test_a_shipment_whose_answer_is_lost_is_recorded_once(shop: Any, shipper: Any) -> None:
    shop.prepare(1, 2)
    shipper.call("POST", "/mode", {"mode": "lost"})
    shop.run("shop:2.0.0", "shop.orders", "--once", expect=4, ORDER_STOP_AFTER="3")
    shipper.call("POST", "/mode", {"mode": "ok"})
    shop.run("shop:2.0.0", "shop.orders", "--once")
    found = shipper.get("/shipments")[1]
    keys = [shipment["key"] for shipment in found["shipments"]]
    assert sorted(keys) == sorted(f"order-{number}" for number in range(1, 21))
    assert found["calls"] > 20
    assert orders(shop) == {"processed": 20, "fulfilled": 20}


def test_a_shipper_that_was_killed_in_mid_line_starts_again_and_ships_nothing_twice(shop: Any) -> None:
    ledger = shop.folder / "shipped"
    shipped = {"key": "order-1", "order": 1, "item": "Bird of paradise", "quantity": 1}
    ledger.write_bytes(json.dumps(shipped).encode() + b'\n{"key": "order-2", "or')
    settings = {"SHIPPER_LEDGER": str(ledger)}
    again = shop.start("shipper:1.0.0", "shop.shipper", **settings).serving()
    assert f"{ledger}: the last line was not written to its end (22 bytes): dropped" in again.output()
    place = re.search(r"taking shipments on (\S+)", again.output())
    assert place is not None
    shop.prepare(1, 2)
    shop.run("shop:2.0.0", "shop.orders", "--once", SHIPPER_URL=f"http://{place[1]}")
    keys = [json.loads(line)["key"] for line in ledger.read_text().splitlines()]
    assert sorted(keys) == sorted(f"order-{number}" for number in range(1, 21))
    assert again.end() == 0
    ledger.write_bytes(b'{"key": "order-1"}\n{"key": "ord\n{"key": "order-3"}\n')
    said = shop.run("shipper:1.0.0", "shop.shipper", expect=2, **settings)
    assert f"cannot start: {ledger}, line 2 is no shipment: " in said


def test_an_order_that_was_shipped_and_then_changed_is_set_aside(shop: Any, shipper: Any) -> None:
    shop.prepare(1, 2)
    shop.run("shop:2.0.0", "shop.orders", "--once", "--limit", "1")
    change(
        shop,
        "DELETE FROM fulfilments",  # as if its worker had been killed between the shipment and its commit
        "UPDATE orders SET status = 'open', quantity = 7 WHERE id = 1",
        "DELETE FROM orders WHERE id > 1",
    )
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="1")
    text = "the shipper refuses the order: 409 key 'order-1' was shipped already as 1 of 'Bird of paradise'"
    assert problems(shop) == {1: (32, text, True)}


def test_an_order_that_the_shipper_refuses_is_set_aside(shop: Any, shipper: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "UPDATE orders SET quantity = 101 WHERE id = 4")
    shop.run("shop:2.0.0", "shop.orders", "--once", ORDER_MAX_ATTEMPTS="2")
    text = "the shipper refuses the order: 422 quantity: expected a number from 1 to 100"
    assert problems(shop) == {4: (32, text, True)}
    assert orders(shop) == {"processed": 19, "held": 1, "fulfilled": 19}


def test_a_database_that_goes_away_in_mid_batch(both: Any, until: Callable[..., Any]) -> None:
    both.prepare(1, 2)
    # Longer than a slow disk makes one writer of SQLite wait for the other.
    slow = {"ORDER_TIME_SCALE": "0.05", "ORDER_CLAIM_SECONDS": "2", "DATABASE_WAIT_SECONDS": "2"}
    processor = both.start("shop:2.0.0", "shop.orders", "--once", **slow)
    until(lambda: processor.output().count("Processing Order") >= 4, "orders are in work")
    done = [row["order_id"] for row in rows(both, "SELECT order_id FROM fulfilments")]
    with _gone(both.env["DATABASE_URL"]):
        assert processor.process.wait(30) == 3, processor.output()
    said = processor.output()
    assert "Error Processing Order. Error #21" in said
    assert re.search(
        r"the database went away: .+; in work were: [\d, ]+\. Nothing is lost: they are taken up again", said
    )
    assert said.endswith("ended early: the database went away (exit status 3)\n")
    assert "Traceback" not in said
    assert {row["order_id"] for row in rows(both, "SELECT order_id FROM fulfilments")} >= set(done)
    both.run("shop:2.0.0", "shop.orders", "--once")
    assert orders(both) == {"processed": 20, "fulfilled": 20}


def test_a_database_server_that_crashes_in_mid_batch(
    shop: Any, shipper: Any, postgresql: str, until: Callable[..., Any]
) -> None:
    """One of its processes is killed: the server ends all connections, and recovers from its log."""
    server = f"postgresql://shop@/%s?host={postgresql}"
    name = f"crash_{time.time_ns()}"
    with psycopg.connect(server % "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    shop.env["DATABASE_URL"] = server % name
    shop.prepare(1, 2)
    change(shop, "DELETE FROM orders WHERE id > 10")
    slow = {"ORDER_TIME_SCALE": "0.03", "ORDER_CLAIM_SECONDS": "1"}
    processor = shop.start("shop:2.0.0", "shop.orders", "--once", **slow)
    until(lambda: processor.output().count("Order Processed") >= 2, "orders are processed")
    (backend,) = rows(
        shop, "SELECT pid FROM pg_stat_activity WHERE datname = ? AND pid <> pg_backend_pid() LIMIT 1", name
    )
    os.kill(backend["pid"], signal.SIGKILL)
    assert processor.process.wait(30) == 3, processor.output()
    said = processor.output()
    assert said.endswith("ended early: the database went away (exit status 3)\n")
    assert "Traceback" not in said
    shop.run("shop:2.0.0", "shop.orders", "--once", **slow)
    assert orders(shop) == {"processed": 10, "fulfilled": 10}
    keys = [shipment["key"] for shipment in shipper.get("/shipments")[1]["shipments"]]
    assert sorted(keys) == sorted(f"order-{number}" for number in range(1, 11))


class _gone:  # noqa: N801 - reads as a word where it is used
    """A database that answers nobody for a while."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        if self._url.startswith("sqlite"):
            self._raw = sqlite3.connect(self._url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
            self._raw.execute("BEGIN IMMEDIATE")
            return
        self._name = self._url.split("@/")[1].split("?")[0]
        self._raw = psycopg.connect(self._url.replace(self._name, "postgres", 1), autocommit=True)
        self._raw.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,)
        )

    def __exit__(self, *_: Any) -> None:
        if self._url.startswith("sqlite"):
            self._raw.execute("ROLLBACK")
        else:
            self._raw.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")
        self._raw.close()


def test_a_database_that_is_not_there_at_the_start(shop: Any) -> None:
    shop.env |= {"DATABASE_URL": "postgresql://shop:geheim@127.0.0.1:1/shop", "DATABASE_WAIT_SECONDS": "0"}
    said = shop.run("shop:2.0.0", "shop.orders", "--once", expect=3)
    assert "order processor: the database does not answer: " in said
    assert "geheim" not in said


def test_a_table_that_is_missing_in_mid_batch_is_named(shop: Any) -> None:
    shop.prepare(1, 2)
    change(shop, "DROP TABLE exotic_stock", "DROP TABLE exotic_plants")
    said = shop.run("shop:2.0.0", "shop.orders", "--once", expect=3)
    assert re.search(r"the database went away: .*exotic_plants", said)
    assert orders(shop) == {"open": 20, "fulfilled": 0}
