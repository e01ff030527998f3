"""From an Airflow connection to the shop's orders, through Airflow's common-sql hooks."""

from __future__ import annotations

from typing import Any, cast

from airflow.sdk import BaseHook

from include.orders.backlog import Dialect, Orders
from include.release.problems import Problem, RejectedError

DIALECTS = {"postgres": "postgresql", "postgresql": "postgresql", "sqlite": "sqlite"}


class OrdersHook(BaseHook):
    """The database with the orders: an Airflow connection of type ``postgres`` or ``sqlite``. It is only read.

    A SQLite file is opened with the extras of its connection; with ``{"mode": "ro"}`` a path that is wrong is an
    error, and no new, empty file.
    """

    conn_name_attr = "orders_conn_id"
    hook_name = "Orders of the shop"

    def __init__(self, orders_conn_id: str) -> None:
        super().__init__()
        self.orders_conn_id = orders_conn_id

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
        hook: Any = self.get_hook(self.orders_conn_id, hook_params={"log_sql": False})
        return Orders(
            lambda statement, parameters: hook.get_records(statement, parameters),
            cast("Dialect", DIALECTS[kind]),
        )
