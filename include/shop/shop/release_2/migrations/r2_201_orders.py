"""Ticket 201, Design Doc 5247: what the order processor keeps about orders.

In tables of their own: the previous build's statements on `orders` stay as they are.
"""

from __future__ import annotations

from ...common.db import Connection
from ...migrations import Migration, Work


def up(work: Work) -> None:
    """Create the tables."""
    work.step(
        "create order_claims",
        "CREATE TABLE order_claims (order_id BIGINT PRIMARY KEY, worker TEXT NOT NULL, "
        "claimed_until DOUBLE PRECISION NOT NULL, attempts INTEGER NOT NULL, last_error TEXT)",
    )
    # The primary key is what makes a second fulfilment of an order impossible.
    work.step(
        "create fulfilments",
        "CREATE TABLE fulfilments (order_id BIGINT PRIMARY KEY, worker TEXT NOT NULL, total_cents BIGINT NOT NULL, "
        "processed_at TEXT NOT NULL)",
    )
    waiting = work.connection.count("orders", "status = 'open'")
    work.did(f"{waiting} open orders wait for the order processor")


def down(work: Work) -> None:
    """Drop the tables; held orders are open again, processed ones stay processed."""
    work.step("open held orders", "UPDATE orders SET status = 'open' WHERE status = 'held'")
    work.step("drop order_claims", "DROP TABLE order_claims")
    work.step("drop fulfilments", "DROP TABLE fulfilments")


def lost(connection: Connection) -> dict[str, int]:
    """Count what is known about orders that were worked on."""
    return {table: connection.count(table) for table in ("fulfilments", "order_claims")}


MIGRATION = Migration(
    id="r2-201-orders",
    release=2,
    ticket="201",
    description="claims and fulfilments of the order processor (Design Doc 5247)",
    up=up,
    down=down,
    lost=lost,
)
