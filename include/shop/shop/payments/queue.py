"""Payments and their states.

    queued ──> in_flight ──> paid
      │ ^          │
      v │          └──────> rolled_back   (the gateway declined)
     held
    queued, held ─────────> rolled_back   (somebody rolled back)

A payment is in flight from before it is sent until its outcome is known. When no answer comes it stays in
flight and is asked for again with the same key, for which the gateway charges once. It is never rolled back
in that state: the customer may have paid.
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Optional

from ..common.db import ConflictError, Connection, Database, Row
from ..common.logs import now

STATES = ("queued", "in_flight", "paid", "rolled_back", "held")
QUEUE_LOCK = 4_700_301
LONGEST_WAIT = 30.0
"""Seconds between two tries of one payment, at most."""


class StateError(Exception):
    """The payment's state does not allow this; the text says which it is in."""


class PaymentQueue:
    """The payments in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_tables(self) -> None:
        """Create what is missing."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS payments ({connection.identity()}, order_name TEXT NOT NULL UNIQUE, "
                "amount_cents BIGINT NOT NULL, state TEXT NOT NULL, reason TEXT, charge_key TEXT NOT NULL UNIQUE, "
                "attempts INTEGER NOT NULL DEFAULT 0, next_try DOUBLE PRECISION NOT NULL DEFAULT 0, "
                "created_at TEXT NOT NULL, changed_at TEXT NOT NULL)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS queue_hold (reason TEXT NOT NULL, since TEXT NOT NULL)"
            )

    def add(self, order: str, amount_cents: int) -> tuple[Row, bool]:
        """Queue an order's payment; return it and whether it is new.

        Raises:
            ConflictError: when the order has a payment of another amount.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            there = connection.row("SELECT * FROM payments WHERE order_name = ?", (order,))
            if there is not None:
                if there["amount_cents"] != amount_cents:
                    raise ConflictError(f"order {order} has a payment of {there['amount_cents']} cents")
                return there, False
            hold = self._hold(connection)
            payment = connection.insert(
                "INSERT INTO payments (order_name, amount_cents, state, reason, charge_key, created_at, changed_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    order,
                    amount_cents,
                    "held" if hold else "queued",
                    hold,
                    f"pay-{uuid.uuid4().hex}",
                    now(),
                    now(),
                ),
            )
            row = connection.row("SELECT * FROM payments WHERE id = ?", (payment,))
        assert row is not None
        return row, True

    def find(self, payment: int) -> Optional[Row]:
        """Return one payment."""
        with self._database.connection() as connection:
            return connection.row("SELECT * FROM payments WHERE id = ?", (payment,))

    def list(self, state: Optional[str], limit: int = 500) -> list[Row]:
        """Return the payments in a state, or all, oldest first."""
        with self._database.connection() as connection:
            if state is None:
                return connection.rows("SELECT * FROM payments ORDER BY id LIMIT ?", (limit,))
            return connection.rows(
                "SELECT * FROM payments WHERE state = ? ORDER BY id LIMIT ?", (state, limit)
            )

    def summary(self) -> dict[str, Any]:
        """Return the number and sum of payments per state, and whether the queue is held and why."""
        states: dict[str, Any] = {state: {"payments": 0, "cents": 0} for state in STATES}
        with self._database.connection() as connection:
            for row in connection.rows(
                "SELECT state, count(*) AS payments, sum(amount_cents) AS cents FROM payments GROUP BY state"
            ):
                states[row["state"]] = {"payments": row["payments"], "cents": int(row["cents"])}
            return {"states": states, "hold": self._hold(connection)}

    def next_to_send(self) -> Optional[Row]:
        """Mark the payment to send next as in flight and return it; those whose outcome is unknown come first."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            row = connection.row(
                "SELECT * FROM payments WHERE state IN ('in_flight', 'queued') AND next_try <= ? "
                "ORDER BY CASE state WHEN 'in_flight' THEN 0 ELSE 1 END, id LIMIT 1",
                (time.time(),),
            )
            if row is not None:
                connection.execute(
                    "UPDATE payments SET state = 'in_flight', attempts = attempts + 1, changed_at = ? WHERE id = ?",
                    (now(), row["id"]),
                )
                row["attempts"] += 1
            return row

    def settle(self, payment: Row, state: str, reason: str) -> None:
        """Record the outcome of a payment in flight: paid, rolled_back, queued (not sent) or in_flight (unknown)."""
        wait = (
            min(LONGEST_WAIT, 0.5 * 2 ** min(payment["attempts"], 10))
            if state in ("queued", "in_flight")
            else 0
        )
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            if state == "queued" and self._hold(connection):
                state = "held"
            connection.execute(
                "UPDATE payments SET state = ?, reason = ?, next_try = ?, changed_at = ? "
                "WHERE id = ? AND state = 'in_flight'",
                (state, reason, time.time() + wait, now(), payment["id"]),
            )

    def hold(self, reason: str) -> int:
        """Hold every queued payment and those that come; return how many were queued."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            if self._hold(connection) is None:
                connection.execute("INSERT INTO queue_hold (reason, since) VALUES (?, ?)", (reason, now()))
            return connection.execute(
                "UPDATE payments SET state = 'held', reason = ?, changed_at = ? WHERE state = 'queued'",
                (reason, now()),
            )

    def release(self) -> int:
        """End the hold; return how many payments are queued again."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            connection.execute("DELETE FROM queue_hold")
            return connection.execute(
                "UPDATE payments SET state = 'queued', reason = NULL, next_try = 0, changed_at = ? WHERE state = 'held'",
                (now(),),
            )

    def roll_back(self, payment: int, reason: str) -> None:
        """Roll back one payment that is queued or held; nothing when it is rolled back already.

        Raises:
            KeyError: there is no such payment.
            StateError: it is paid or in flight.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            row = connection.row("SELECT state FROM payments WHERE id = ?", (payment,))
            if row is None:
                raise KeyError(payment)
            if row["state"] not in ("queued", "held", "rolled_back"):
                raise StateError(
                    f"payment {payment} is {row['state']}: only queued and held ones are rolled back"
                )
            connection.execute(
                "UPDATE payments SET state = 'rolled_back', reason = ?, changed_at = ? "
                "WHERE id = ? AND state <> 'rolled_back'",
                (reason, now(), payment),
            )

    def roll_back_all(self, reason: str) -> int:
        """Roll back every queued and held payment; return how many there were."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            return connection.execute(
                "UPDATE payments SET state = 'rolled_back', reason = ?, changed_at = ? WHERE state IN ('queued', 'held')",
                (reason, now()),
            )

    @staticmethod
    def _hold(connection: Connection) -> Optional[str]:
        row = connection.row("SELECT reason FROM queue_hold")
        return str(row["reason"]) if row else None
