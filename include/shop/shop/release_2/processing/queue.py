"""The orders that wait, and who works on which: claims and fulfilments in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Optional

from ...common.db import CLAIM_LOCK, Connection, Database
from ...common.logs import now


@dataclass(frozen=True)
class Order:
    """An order that this worker has claimed."""

    id: int
    item: str
    quantity: int
    attempts: int


class ClaimLostError(Exception):
    """The claim expired while the order was in work; whoever took it over will finish it."""


class OrderQueue:
    """Claims orders for one worker.

    Args:
        worker: a name no other worker has.
        claim_seconds: a claim ends after this time, so that the orders of a dead worker are taken over.
    """

    def __init__(self, database: Database, worker: str, claim_seconds: float) -> None:
        self._database = database
        self._worker = worker
        self._claim_seconds = claim_seconds

    def claim(self) -> Optional[Order]:
        """Claim the oldest open order that nobody works on, or return None."""
        moment = time.time()
        with self._database.transaction(lock=CLAIM_LOCK) as connection:
            row = connection.row(
                "SELECT o.id, o.item, o.quantity, coalesce(c.attempts, 0) AS attempts FROM orders o "
                "LEFT JOIN order_claims c ON c.order_id = o.id "
                "WHERE o.status = 'open' AND coalesce(c.claimed_until, 0) < ? ORDER BY o.id LIMIT 1",
                (moment,),
            )
            if row is None:
                return None
            connection.execute(
                "INSERT INTO order_claims (order_id, worker, claimed_until, attempts) VALUES (?, ?, ?, 1) "
                "ON CONFLICT (order_id) DO UPDATE SET worker = excluded.worker, "
                "claimed_until = excluded.claimed_until, attempts = order_claims.attempts + 1",
                (row["id"], self._worker, moment + self._claim_seconds),
            )
        return Order(row["id"], row["item"], row["quantity"], row["attempts"] + 1)

    def price(self, item: str) -> Optional[int]:
        """Return a plant's price in cents from either catalog, or None when it is in no catalog."""
        with self._database.connection() as connection:
            row = connection.row(
                "SELECT price_cents FROM plants WHERE name = ? UNION ALL "
                "SELECT price_cents FROM exotic_plants WHERE name = ?",
                (item, item),
            )
        return int(row["price_cents"]) if row else None

    def fulfil(self, order: Order, total_cents: int) -> None:
        """Record the order as done, in one transaction with its fulfilment.

        Raises:
            ClaimLostError: when it is not this worker's any more.
        """
        with self._database.transaction(lock=CLAIM_LOCK) as connection:
            self._still_ours(connection, order)
            connection.execute(
                "INSERT INTO fulfilments (order_id, worker, total_cents, processed_at) VALUES (?, ?, ?, ?)",
                (order.id, self._worker, total_cents, now()),
            )
            connection.execute("UPDATE orders SET status = 'processed' WHERE id = ?", (order.id,))

    def failed(self, order: Order, error: str, *, hold: bool) -> None:
        """Give the order back to the head of the queue, or hold it for a person to look at."""
        with self._database.transaction(lock=CLAIM_LOCK) as connection:
            self._still_ours(connection, order)
            connection.execute(
                "UPDATE order_claims SET claimed_until = 0, last_error = ? WHERE order_id = ?",
                (error, order.id),
            )
            if hold:
                connection.execute("UPDATE orders SET status = 'held' WHERE id = ?", (order.id,))

    def give_back(self, order: Order) -> None:
        """Return an order that was not worked on; the attempt does not count."""
        with self._database.transaction(lock=CLAIM_LOCK) as connection:
            connection.execute(
                "UPDATE order_claims SET claimed_until = 0, attempts = attempts - 1 WHERE order_id = ? AND worker = ?",
                (order.id, self._worker),
            )

    def open_orders(self) -> int:
        """Return how many orders are not done and not held, claimed or not."""
        with self._database.connection() as connection:
            return connection.count("orders", "status = 'open'")

    def _still_ours(self, connection: Connection, order: Order) -> None:
        row = connection.row(
            "SELECT c.attempts FROM order_claims c JOIN orders o ON o.id = c.order_id "
            "WHERE o.id = ? AND o.status = 'open' AND c.worker = ?",
            (order.id, self._worker),
        )
        if row is None or row["attempts"] != order.attempts:
            raise ClaimLostError(f"order {order.id} was taken over")
