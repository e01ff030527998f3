"""The backlog is what the processor would claim: read from its own tables, on both databases."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.orders.backlog import Orders, text_of, unreadable
from include.orders.sizing import waiting_text
from include.shop.shop import baseline
from include.shop.shop.common.db import Database
from include.shop.shop.migrations import Work
from include.shop.shop.release_2.migrations import r2_201_order_problems, r2_201_orders
from include.shop.shop.release_2.processing.problems import UNKNOWN_ITEM, OrderError
from include.shop.shop.release_2.processing.queue import OrderQueue

HOUR = timedelta(hours=1)


class Shop:
    """The shop's database, and what asks it about orders."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        with self.database.transaction() as connection:
            baseline.create(connection)
            connection.execute("DELETE FROM orders")
            for migration in (r2_201_orders, r2_201_order_problems):
                migration.up(Work(connection))
        raw: Any
        if url.startswith("sqlite"):
            raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        else:
            raw = psycopg.connect(url, autocommit=True)
        self.raw = raw
        dialect = self.database.dialect
        self.ask = Orders(lambda sql, values: raw.execute(sql, values).fetchall(), dialect)  # type: ignore[arg-type]
        self.queue = OrderQueue(self.database, "worker/1", 120)

    def place(self, count: int, at: datetime | str, item: str = "Monstera") -> list[int]:
        text = at if isinstance(at, str) else text_of(at)
        with self.database.transaction() as connection:
            return [
                connection.insert(
                    "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (1, ?, 1, ?)",
                    (item, text),
                )
                for _ in range(count)
            ]

    def run(self, statement: str) -> None:
        with self.database.connection() as connection:
            connection.execute(statement)


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path) -> Iterator[Shop]:
    url = f"sqlite:///{tmp_path}/shop.db"
    if request.param == "postgresql":
        folder, name = request.getfixturevalue("postgresql"), f"orders_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(f"postgresql://shop@/postgres?host={folder}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = f"postgresql://shop@/{name}?host={folder}"
    found = Shop(url)
    yield found
    found.raw.close()
    found.database.close()


def now() -> datetime:
    return datetime.now(UTC)


def test_an_empty_shop(shop):
    found = shop.ask.backlog(now())
    assert (found.waiting, found.in_work, found.oldest, found.untimed) == (0, 0, None, False)
    assert waiting_text(found) == "0 orders wait."


def test_each_order_is_counted_where_the_processor_sees_it(shop):
    at = now().replace(microsecond=0)
    ids = [*shop.place(3, at - 2 * HOUR), *shop.place(4, at - HOUR / 2)]
    done, failed, aside, working = (shop.queue.claim() for _ in range(4))
    shop.queue.fulfil(done, 100, 12.0)
    shop.queue.failed(failed, OrderError(UNKNOWN_ITEM, "'x' is in no catalog"), rest=60, aside=False)
    shop.queue.failed(aside, OrderError(UNKNOWN_ITEM, "'y' is in no catalog"), rest=0, aside=True)
    found = shop.ask.backlog(now())
    assert (found.waiting, found.in_work, found.set_aside, found.backing_off) == (4, 1, 1, 1)
    assert (found.arrived, found.done, found.left) == (4, 1, 5)
    assert found.oldest == at - 2 * HOUR
    assert found.last_done is not None
    assert found.seconds_per_order is None, "one order is no average"
    assert working.id == ids[3]


def test_a_claim_that_has_expired_waits_again(shop):
    shop.place(1, now())
    shop.queue.claim()
    assert shop.ask.backlog(now()).in_work == 1
    later = shop.ask.backlog(now() + timedelta(seconds=121))
    assert (later.waiting, later.in_work) == (1, 0)


def test_the_seconds_of_an_order_are_measured(shop):
    shop.place(20, now())
    for _ in range(20):
        shop.queue.fulfil(shop.queue.claim(), 100, 12.5)
    assert shop.ask.backlog(now()).seconds_per_order == pytest.approx(12.5)


def test_what_the_database_keeps_of_errors(shop):
    began = now() - timedelta(seconds=1)
    first, second, _ = shop.place(3, now())
    for text in ("'x' is in no catalog", "'y'\nis in no catalog"):
        shop.queue.failed(shop.queue.claim(), OrderError(UNKNOWN_ITEM, text), rest=0, aside=True)
    shop.queue.fulfil(shop.queue.claim(), 100, 1.0)
    kept = shop.ask.kept_since(began)
    assert [(each.code, each.orders) for each in kept.codes] == [("12", 2)]
    assert {(each.order, each.code, each.tries, each.set_aside) for each in kept.failing} == {
        (first, "12", 1, True),
        (second, "12", 1, True),
    }
    assert (kept.processed, kept.unknown) == (1, "")
    assert {each.text for each in shop.ask.set_aside()} == {"'x' is in no catalog", "'y' is in no catalog"}
    assert shop.ask.kept_since(now() + HOUR).codes == ()


def test_no_code_is_hidden_by_the_many_orders_of_another(shop):
    for text, count in (("'x' is in no catalog", 1), ("'y' is in no catalog", 4)):
        shop.place(count, now())
        for _ in range(count):
            code = UNKNOWN_ITEM + (count > 1)
            shop.queue.failed(shop.queue.claim(), OrderError(code, text), rest=0, aside=True)
    found = shop.ask.set_aside(most=3)
    assert [(each.code, each.of_code) for each in found] == [("12", 1), ("13", 4), ("13", 4)]


def test_a_password_in_an_order_s_error_is_not_repeated(shop):
    shop.place(1, now())
    text = "RuntimeError: postgresql://shop:geheim@db/shop"
    shop.queue.failed(shop.queue.claim(), OrderError(UNKNOWN_ITEM, text), rest=0, aside=True)
    (found,) = shop.ask.set_aside()
    assert (found.text, "geheim" in str(shop.ask.kept_since(now() - HOUR))) == (
        "RuntimeError: postgresql://shop:***@db/shop",
        False,
    )


@pytest.mark.parametrize("garbage", ["", "yesterday", "\x01"])
def test_an_order_without_a_readable_time_counts_and_is_said(shop, garbage):
    shop.place(2, garbage)
    found = shop.ask.backlog(now())
    assert (found.waiting, found.oldest, found.untimed) == (2, None, True)
    shop.place(1, now() - HOUR)
    assert not shop.ask.backlog(now()).untimed


def test_a_time_that_only_looks_like_one_hides_no_oldest_order(shop):
    at = now().replace(microsecond=0)
    for count, text in ((2, "1999x"), (1, "1999-13-45T00:00:00Z"), (1, "long ago"), (1, "")):
        shop.place(count, text)
    shop.place(1, at - HOUR)
    found = shop.ask.backlog(at)
    assert (found.waiting, found.oldest, found.without_time) == (6, at - HOUR, 5)
    said = "6 orders wait; the oldest waits 1 h, not counting 5 orders without a time that can be read."
    assert waiting_text(found) == said


def test_a_time_in_the_future_is_no_negative_age(shop):
    shop.place(1, now() + 24 * HOUR)
    assert shop.ask.backlog(now()).oldest_seconds == 0


def test_null_fields_are_counted(shop):
    first, second = shop.place(2, now())
    if shop.database.dialect == "sqlite":
        shop.run("PRAGMA writable_schema = ON")
        shop.run("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'orders'")
        shop.run("PRAGMA writable_schema = RESET")
    else:
        for column in ("created_at", "status"):
            shop.run(f"ALTER TABLE orders ALTER COLUMN {column} DROP NOT NULL")
    shop.database.close()
    shop.run(f"UPDATE orders SET created_at = NULL WHERE id = {first}")
    shop.run(f"UPDATE orders SET status = NULL WHERE id = {second}")
    found = shop.ask.backlog(now())
    assert (found.waiting, found.untimed, found.without_status) == (1, True, 1)
    assert "1 has no known status" in waiting_text(found)


def test_a_missing_table_is_said_to_people(shop):
    shop.run("DROP TABLE order_problems")
    with pytest.raises((sqlite3.Error, psycopg.Error)) as error:
        shop.ask.kept_since(now())
    problem = unreadable(error.value, "shop_database")
    assert "order_problems" in problem.found
    assert (problem.where, problem.expected) == (
        "connection shop_database",
        "the tables orders, order_claims, fulfilments, order_problems",
    )


@pytest.mark.parametrize(
    "shop", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
def test_a_million_orders_are_counted_quickly(shop):
    at = now()
    old, new = text_of(at - 24 * HOUR), text_of(at - HOUR / 2)
    numbers = "generate_series(1, 1000000) AS n(i)"
    if shop.database.dialect == "sqlite":
        numbers = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n)"
    shop.run(
        "INSERT INTO orders (user_id, item, quantity, status, created_at) SELECT 1, 'Monstera', 1, 'open', "
        f"CASE WHEN i <= 999000 THEN '{old}' ELSE '{new}' END FROM {numbers}"
    )
    shop.run("ANALYZE")
    took = []
    for _ in range(3):
        began = time.perf_counter()
        found = shop.ask.backlog(now())
        took.append(time.perf_counter() - began)
    assert (found.waiting, found.arrived, found.oldest) == (1_000_000, 1000, datetime.fromisoformat(old))
    assert min(took) < 1.5, took


# What a driver says, for people.


@pytest.mark.parametrize("what", ['relation "order_claims"', "column c.not_before", "column"])
def test_a_schema_that_is_too_old_is_told_from_a_database_that_is_not_there(what):
    problem = unreadable(psycopg.errors.UndefinedTable(f"{what} does not exist"), "shop_database")
    assert problem.expected.startswith("the tables orders,") == (what != "column")
    assert not unreadable(
        psycopg.OperationalError('database "shop" does not exist'), "shop_database"
    ).expected.startswith("the tables")


@pytest.mark.parametrize(
    ("error", "found", "fix"),
    [
        (
            sqlite3.OperationalError("unable to open database file"),
            "OperationalError: unable to open database file",
            "bring the database back, or correct the Airflow connection; the next look tries again by itself",
        ),
        (
            RuntimeError("The conn_id `shop_database` isn't defined"),
            "RuntimeError: The conn_id `shop_database` isn't defined",
            "add the Airflow connection shop_database, or correct database: in include/config/orders.yaml",
        ),
        (TimeoutError(), "TimeoutError", "bring the database back"),
    ],
)
def test_why_the_database_cannot_be_asked(error, found, fix):
    problem = unreadable(error, "shop_database")
    assert problem.found == found
    assert problem.fix.startswith(fix)


def test_a_password_in_the_driver_s_words_is_not_repeated():
    error = RuntimeError(
        "could not connect to postgresql://shop:geheim@db:5432/shop password=auchgeheim " + "x" * 9999
    )
    problem = unreadable(error, "shop_database")
    assert "geheim" not in problem.found
    assert len(problem.found) < 600
