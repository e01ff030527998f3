"""From an Airflow connection to the shop's orders, through Airflow's common-sql hooks; no question waits for ever."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any, cast

from airflow.sdk import BaseHook

from include.orders.backlog import ANSWERS_WITHIN, Dialect, NoAnswerError, Orders
from include.release.problems import Problem, RejectedError

DIALECTS = {"postgres": "postgresql", "postgresql": "postgresql", "sqlite": "sqlite"}
CONNECT_SECONDS = 10
STEPS = 10_000
"""SQLite asks every so many of its steps whether to go on: some milliseconds."""
TOO_LONG = ("statement timeout", "timeout expired", "timed out", "is locked", "interrupted")
"""What drivers say when time is over, or a lock was waited for in vain."""


class OrdersHook(BaseHook):
    """The database with the orders: an Airflow connection of type ``postgres`` or ``sqlite``. It is only read.

    A SQLite file is opened with the extras of its connection; with ``{"mode": "ro"}`` a path that is wrong is an
    error, and no new, empty file.

    Args:
        orders_conn_id: id of the connection.
        seconds: a statement that takes longer, also as it waits for a lock, is given up.
    """

    conn_name_attr = "orders_conn_id"
    hook_name = "Orders of the shop"

    def __init__(self, orders_conn_id: str, seconds: float = ANSWERS_WITHIN) -> None:
        super().__init__()
        self.orders_conn_id = orders_conn_id
        self.seconds = seconds

    def get_conn(self) -> Orders:
        """What can be asked about orders.

        Raises:
            RejectedError: the connection is of another type.
        """
        kind = str(self.get_connection(self.orders_conn_id).conn_type or "").lower()
        if kind not in DIALECTS:
            problem = Problem(
                f"connection {self.orders_conn_id}",
                "",
                f"type {kind or 'none'}",
                "type postgres or sqlite: the database with the orders",
                "correct the connection, or database: in include/config/orders.yaml",
            )
            raise RejectedError([problem], subject="the connection to the orders")
        dialect = cast("Dialect", DIALECTS[kind])
        hook: Any = self.get_hook(self.orders_conn_id, hook_params={"log_sql": False})
        if dialect == "postgresql":
            _give_up_silence(hook.connection, self.seconds)
        return Orders(lambda statement, values: self._ask(hook, dialect, statement, values), dialect)

    def _ask(
        self, hook: Any, dialect: Dialect, statement: str, values: Sequence[Any]
    ) -> Sequence[Sequence[Any]]:
        began = time.monotonic()
        try:
            with contextlib.closing(hook.get_conn()) as connection:
                ask = _ask_postgresql if dialect == "postgresql" else _ask_sqlite
                return ask(connection, statement, values, self.seconds)
        except Exception as error:  # (whatever a driver raises)
            if any(each in str(error).lower() for each in TOO_LONG):
                raise NoAnswerError(time.monotonic() - began, str(error)) from None
            raise


def _ask_postgresql(
    connection: Any, statement: str, values: Sequence[Any], seconds: float
) -> Sequence[Sequence[Any]]:
    with contextlib.closing(connection.cursor()) as cursor:
        # Of this transaction alone: a pooler hands the session to somebody else afterwards.
        cursor.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
        cursor.execute(statement, values)
        return cast("Sequence[Sequence[Any]]", cursor.fetchall())


def _ask_sqlite(
    connection: Any, statement: str, values: Sequence[Any], seconds: float
) -> Sequence[Sequence[Any]]:
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    return cast("Sequence[Sequence[Any]]", connection.execute(statement, values).fetchall())


def _give_up_silence(connection: Any, seconds: float) -> None:
    """Have PostgreSQL's client give up a server that is gone without a word; what the connection itself says counts."""
    whole = max(2, round(seconds))
    limits = {
        "connect_timeout": min(CONNECT_SECONDS, whole),
        "tcp_user_timeout": whole * 1000,
        "keepalives_idle": max(1, whole // 2),
        "keepalives_interval": max(1, whole // 4),
        "keepalives_count": 2,
    }
    connection.extra = json.dumps(limits | connection.extra_dejson)
