"""What tests of the order processor ask a shop's database, and how they spoil it."""

from __future__ import annotations

from typing import Any

from include.shop.shop.common.db import POSTGRESQL, Database

COLUMNS = "user_id, item, quantity, status, created_at"


def rows(shop: Any, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    database = Database(shop.env["DATABASE_URL"])
    with database.connection() as connection:
        found = connection.rows(statement, parameters)
    database.close()
    return found


def change(shop: Any, *statements: str) -> None:
    database = Database(shop.env["DATABASE_URL"])
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)
    database.close()


def orders(shop: Any) -> dict[str, int]:
    """How many orders have each status, and how many were fulfilled."""
    found = {
        r["status"]: r["n"] for r in rows(shop, "SELECT status, count(*) AS n FROM orders GROUP BY status")
    }
    return found | {"fulfilled": rows(shop, "SELECT count(*) AS n FROM fulfilments")[0]["n"]}


def problems(shop: Any) -> dict[int, tuple[int, str, bool]]:
    """Code, text and whether it is set aside, of each order with a problem."""
    found = rows(shop, "SELECT * FROM order_problems ORDER BY order_id")
    return {r["order_id"]: (r["code"], r["text"], r["set_aside_at"] is not None) for r in found}


def allow_null(shop: Any) -> None:
    """Take the rules off the table of orders, as in a database that others write to."""
    database = Database(shop.env["DATABASE_URL"])
    with database.transaction() as connection:
        if connection.dialect == POSTGRESQL:
            for column in COLUMNS.split(", "):
                connection.execute(f"ALTER TABLE orders ALTER COLUMN {column} DROP NOT NULL")
        else:
            connection.execute(f"CREATE TABLE loose (id INTEGER PRIMARY KEY AUTOINCREMENT, {COLUMNS})")
            connection.execute(f"INSERT INTO loose (id, {COLUMNS}) SELECT id, {COLUMNS} FROM orders")
            connection.execute("DROP TABLE orders")
            connection.execute("ALTER TABLE loose RENAME TO orders")
            connection.execute("CREATE INDEX orders_by_status ON orders (status, id)")
    database.close()
