"""Ticket 201, Design Doc 5247: records of orders that could not be processed, and when to try them again."""

from __future__ import annotations

from ...common.db import POSTGRESQL, Connection
from ...migrations import Migration, Work

CLAIMS = "order_id BIGINT PRIMARY KEY, worker TEXT NOT NULL, claimed_until DOUBLE PRECISION NOT NULL, attempts INTEGER NOT NULL, last_error TEXT"
FULFILMENTS = "order_id BIGINT PRIMARY KEY, worker TEXT NOT NULL, total_cents BIGINT NOT NULL, processed_at TEXT NOT NULL"
"""The tables as r2-201-orders made them."""


def up(work: Work) -> None:
    """Create the table, the columns and what makes the backlog cheap to count."""
    work.step(
        "create order_problems",
        "CREATE TABLE order_problems (order_id BIGINT NOT NULL, code INTEGER NOT NULL, text TEXT NOT NULL, "
        "tries INTEGER NOT NULL, first_at TEXT NOT NULL, last_at TEXT NOT NULL, worker TEXT NOT NULL, "
        "set_aside_at TEXT, solved_at TEXT, PRIMARY KEY (order_id, code))",
    )
    work.step("index order_problems", "CREATE INDEX order_problems_by_time ON order_problems (last_at)")
    work.step(
        "add order_claims.not_before",
        "ALTER TABLE order_claims ADD COLUMN not_before DOUBLE PRECISION NOT NULL DEFAULT 0",
    )
    work.step("add fulfilments.seconds", "ALTER TABLE fulfilments ADD COLUMN seconds DOUBLE PRECISION")
    work.step("index fulfilments", "CREATE INDEX fulfilments_by_time ON fulfilments (processed_at)")
    work.step("index open orders", "CREATE INDEX orders_open ON orders (id) WHERE status = 'open'")
    work.step(
        "index open orders by age", f"CREATE INDEX orders_open_by_age ON orders {_by_age(work.connection)}"
    )
    work.step("index orders by time", "CREATE INDEX orders_by_time ON orders (created_at)")
    # A claim ends with its order from now on, so that the table stays as small as what is in work.
    work.step(
        "drop the claims of processed orders",
        "DELETE FROM order_claims WHERE order_id IN (SELECT id FROM orders WHERE status = 'processed')",
    )


def _by_age(connection: Connection) -> str:
    """What finds the oldest open order at once, in each database's own way.

    PostgreSQL walks from the oldest order of all through those that are processed, as long as it believes that most
    are open, unless the index has no others. SQLite prefers an index on the time alone to one that has no others.
    """
    return (
        "(created_at) WHERE status = 'open'" if connection.dialect == POSTGRESQL else "(status, created_at)"
    )


def down(work: Work) -> None:
    """Take the table, the columns and the indexes away; held orders stay held."""
    work.step("drop order_problems", "DROP TABLE order_problems")
    for index in ("orders_by_time", "orders_open_by_age", "orders_open", "fulfilments_by_time"):
        work.step(f"drop index {index}", f"DROP INDEX {index}")
    _drop(work, "order_claims", "not_before", CLAIMS)
    _drop(work, "fulfilments", "seconds", FULFILMENTS)


def _drop(work: Work, table: str, column: str, declarations: str) -> None:
    if work.connection.dialect == POSTGRESQL:
        work.step(f"drop {table}.{column}", f"ALTER TABLE {table} DROP COLUMN {column}")
        return
    # SQLite before 3.35 cannot drop a column: build the table again without it.
    before = work.connection.count(table)
    columns = ", ".join(declaration.split()[0] for declaration in declarations.split(", "))
    work.step(f"create {table}_without", f"CREATE TABLE {table}_without ({declarations})")
    copy = f"INSERT INTO {table}_without ({columns}) SELECT {columns} FROM {table}"  # noqa: S608 - names from the code
    work.step(f"copy {table}", copy)
    work.same(f"copied {table}", work.connection.count(f"{table}_without"), before)
    work.step(f"drop the old {table}", f"DROP TABLE {table}")
    work.step(f"rename {table}_without to {table}", f"ALTER TABLE {table}_without RENAME TO {table}")


def lost(connection: Connection) -> dict[str, int]:
    """Count the records of problems; when each order was done stays, how long it took does not."""
    return {
        "order_problems": connection.count("order_problems"),
        "fulfilments with their seconds": connection.count("fulfilments", "seconds IS NOT NULL"),
    }


MIGRATION = Migration(
    id="r2-201-order-problems",
    release=2,
    ticket="201",
    description="records of orders that could not be processed (Design Doc 5247)",
    up=up,
    down=down,
    lost=lost,
    requires=("r2-201-orders",),
)
