"""A database that does not answer holds up no task: the question ends, with a sentence that names why."""

from __future__ import annotations

import json
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import unquote

import psycopg
import pytest

from include.orders.backlog import NoAnswerError, Orders, unreadable
from include.shop.shop import baseline
from include.shop.shop.common.db import Database
from include.shop.shop.migrations import Work
from include.shop.shop.release_2.migrations import r2_201_order_problems, r2_201_orders
from plugins.hooks.orders import OrdersHook

SECONDS = 0.4


def migrated(url: str) -> None:
    database = Database(url)
    with database.transaction() as connection:
        baseline.create(connection)
        for migration in (r2_201_orders, r2_201_order_problems):
            migration.up(Work(connection))
    database.close()


def asked(seconds: float = SECONDS) -> str:
    """What people are told of a look that ends without an answer."""
    orders = OrdersHook("shop_database", seconds).get_conn()
    with pytest.raises(NoAnswerError) as error:
        orders.backlog(datetime.now(UTC))
    problem = unreadable(error.value, "shop_database")
    assert (problem.where, problem.expected) == ("connection shop_database", "an answer in time")
    assert problem.fix.startswith("see what holds it up: who has a lock")
    return problem.found


@pytest.fixture
def postgres(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database with orders, which the Airflow connection leads to."""
    name = f"hook_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"postgresql://shop@/postgres?host={postgresql}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"postgresql://shop@/{name}?host={postgresql}"
    migrated(url)
    value = {"conn_type": "postgres", "host": unquote(postgresql), "login": "shop", "schema": name}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))
    yield url


def test_a_locked_table_of_postgresql(postgres):
    with psycopg.connect(postgres) as other:
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        found = asked()
        assert found.startswith("the database did not answer within 1 s (")
        assert "statement timeout" in found
        other.rollback()
    assert OrdersHook("shop_database").get_conn().backlog(datetime.now(UTC)).waiting == 20


def test_a_locked_file_of_sqlite(tmp_path, monkeypatch):
    path = tmp_path / "shop.db"
    migrated(f"sqlite:///{path}")
    value = {"conn_type": "sqlite", "host": str(path), "extra": {"mode": "ro"}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert asked() == "the database did not answer within 1 s (database is locked)"
        other.execute("ROLLBACK")
    assert OrdersHook("shop_database").get_conn().backlog(datetime.now(UTC)).waiting == 20


def test_a_statement_of_sqlite_that_does_not_end(tmp_path, monkeypatch):
    path = tmp_path / "shop.db"
    sqlite3.connect(path).close()
    value = {"conn_type": "sqlite", "host": str(path), "extra": {"mode": "ro"}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))
    orders: Orders = OrdersHook("shop_database", SECONDS).get_conn()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(NoAnswerError, match="interrupted"):
        orders._rows(endless, ())


def test_a_server_that_takes_the_connection_and_says_nothing(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        value = {"conn_type": "postgres", "host": "127.0.0.1", "login": "shop", "port": port}
        monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))
        assert "timeout expired" in asked()


def test_what_the_connection_says_of_time_counts(monkeypatch):
    value = {"conn_type": "postgres", "extra": {"connect_timeout": 3}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))
    from plugins.hooks.orders import _give_up_silence

    hook = OrdersHook("shop_database").get_hook("shop_database")
    _give_up_silence(hook.connection, 20)
    assert hook.connection.extra_dejson["connect_timeout"] == 3
    assert hook.connection.extra_dejson["tcp_user_timeout"] == 20_000
