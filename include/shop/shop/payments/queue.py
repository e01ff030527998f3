"""Payments and their states.

    queued ──> in_flight ──> paid | rolled_back    (as the gateway says)
     │ ^  ^       │ │
     v │  └───────┘ v                              (back only when its first try was surely not sent)
    held      rolling_back ──> paid | rolled_back  (as the gateway says when it is told to cancel the key)

    queued, held ──> rolled_back                   (somebody rolled back; nothing was ever sent)

A payment is in flight from before it is sent until the gateway has said what became of it. Whatever may have
arrived there stays in flight, however many later tries are refused: the customer may have paid. It is asked for
again with the same key, for which the gateway charges once; while the queue is held the gateway is only asked
what it knows of the key. Rolling back a payment in flight asks the gateway to cancel its key: it answers that it
has charged it (then it is paid) or never will (then it is rolled back). So each ends once, and as the gateway has it.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any, Optional

from ..common.db import ConflictError, Connection, Database, Row
from ..common.logs import now
from . import holds
from .tables import create_tables

STATES = ("queued", "in_flight", "rolling_back", "paid", "rolled_back", "held")
OPEN = ("in_flight", "rolling_back")
"""States of payments whose outcome only the gateway knows."""
QUEUE_LOCK = 4_700_301
LONGEST_WAIT = 30.0
"""Seconds between two tries of one payment, at most."""
CHARGE, ASK, CANCEL = "charge", "ask", "cancel"
"""What a payment's next try is: send it, ask what became of it, or have its key cancelled."""
NOT_SENT, UNKNOWN = "not_sent", "unknown"
"""What a try may have led to besides `paid` and `rolled_back`: nothing left, or nobody knows."""
KEEP_SETTLEMENTS = 5
"""So many of the latest settlements are shown."""


class StateError(Exception):
    """The payment's or the run's state does not allow this; the text says which it is in."""


@dataclass(frozen=True)
class Try:
    """One try of one payment. Nothing of it can have arrived before when it is the `first`."""

    errand: str
    payment: Row
    first: bool


class PaymentQueue:
    """The payments in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_tables(self) -> None:
        """Create or upgrade the tables."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            create_tables(connection)

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
            hold = holds.why_held(connection)
            state, key = "held" if hold else "queued", f"pay-{uuid.uuid4().hex}"
            payment = connection.insert(
                "INSERT INTO payments (order_name, amount_cents, state, reason, charge_key, created_at, changed_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (order, amount_cents, state, hold, key, now(), now()),
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
        """Return the number and sum of payments per state, who holds the queue, and the latest settlements."""
        with self._database.connection() as connection:
            settlements = connection.rows(
                "SELECT run, reason, at FROM settlements ORDER BY at DESC LIMIT ?", (KEEP_SETTLEMENTS,)
            )
            for each in settlements:
                each["states"] = _counts(connection, each["run"])
            return {
                "states": {**{state: _NONE for state in STATES}, **_counts(connection)},
                "hold": holds.why_held(connection),
                "holds": holds.holds(connection),
                "settlements": settlements,
            }

    def next_try(self) -> Optional[Try]:
        """Mark the payment to send next as in flight and return its try; those of unknown outcome come first."""
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            moment = time.time()
            # One that is due later than it can be was noted by a clock that has been put back since.
            row = connection.row(
                "SELECT * FROM payments WHERE state IN ('in_flight', 'rolling_back', 'queued') "
                "AND (next_try <= ? OR next_try > ?) "
                "ORDER BY CASE state WHEN 'queued' THEN 1 ELSE 0 END, next_try, id LIMIT 1",
                (moment, moment + LONGEST_WAIT),
            )
            if row is None:
                return None
            first, state = row["state"] == "queued", row["state"]
            if state == "rolling_back":
                errand = CANCEL
            else:
                errand = ASK if not first and holds.why_held(connection) else CHARGE
                state = "in_flight"
            row["attempts"] += 1
            connection.execute(
                "UPDATE payments SET state = ?, attempts = ?, changed_at = ? WHERE id = ?",
                (state, row["attempts"], now(), row["id"]),
            )
            return Try(errand, row, first)

    def record(self, done: Try, outcome: str, reason: str) -> str:
        """Record what a try led to (paid, rolled_back, not_sent or unknown); return the payment's state.

        What the gateway said counts whenever it comes. That nothing is known counts only while no later try has
        begun, and that nothing was sent only for the first try.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            row = connection.row("SELECT * FROM payments WHERE id = ?", (done.payment["id"],))
            if row is None or row["state"] not in OPEN:
                return row["state"] if row else "gone"
            if outcome in (NOT_SENT, UNKNOWN):
                if row["attempts"] != done.payment["attempts"]:
                    return str(row["state"])
                return self._undecided(connection, row, outcome == NOT_SENT and done.first, reason)
            if row["state"] == "rolling_back" and outcome == "rolled_back":
                reason = f"{row['reason']} ({reason})"
            return _change(connection, row, outcome, reason)

    def hold(self, reason: str, holder: str = holds.BY_HAND, run: str = "") -> tuple[int, bool]:
        """Hold every queued payment and those that come.

        Returns:
            How many were queued, and whether the queue is held now for this holder and run: a run whose hold has
            ended does not hold again.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            if not holds.begin(connection, reason, holder, run):
                return 0, False
            return connection.execute(
                "UPDATE payments SET state = 'held', reason = ?, changed_at = ? WHERE state = 'queued'",
                (reason, now()),
            ), True

    def release(self, holder: str = holds.BY_HAND, run: str = "") -> int:
        """End a holder's holds (of one run only, if given); return how many payments are queued again.

        When nobody holds the queue any more, what is of unknown outcome is tried at once.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            holds.end(connection, holder, run)
            if holds.why_held(connection):
                return 0
            connection.execute(
                "UPDATE payments SET next_try = 0 WHERE state IN ('in_flight', 'rolling_back')"
            )
            return connection.execute(
                "UPDATE payments SET state = 'queued', reason = NULL, next_try = 0, changed_at = ? WHERE state = 'held'",
                (now(),),
            )

    def roll_back(self, payment: int, reason: str) -> None:
        """Roll back one payment; one in flight when the gateway has cancelled it. Nothing when that has begun.

        Raises:
            KeyError: there is no such payment.
            StateError: it is paid.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            row = connection.row("SELECT * FROM payments WHERE id = ?", (payment,))
            if row is None:
                raise KeyError(payment)
            if row["state"] == "paid":
                raise StateError(f"payment {payment} is paid: the customer has to be refunded instead")
            if row["state"] in ("queued", "held"):
                _change(connection, row, "rolled_back", reason)
            elif row["state"] == "in_flight":
                _change(connection, row, "rolling_back", reason)

    def roll_back_all(self, reason: str, run: str = "") -> int:
        """Roll back every payment that is queued or held, and those in flight when the gateway has cancelled them.

        Args:
            reason: goes on record.
            run: who settles; the same run does it once, and not when its hold has ended.

        Returns:
            How many are rolled back now.

        Raises:
            StateError: the run's hold has ended, so payments flow again.
        """
        with self._database.transaction(lock=QUEUE_LOCK) as connection:
            if run:
                if connection.row("SELECT run FROM settlements WHERE run = ?", (run,)):
                    return 0
                if holds.ended(connection, run):
                    raise StateError(f"the hold of {run} has ended: nothing is rolled back for it any more")
                connection.execute(
                    "INSERT INTO settlements (run, reason, at) VALUES (?, ?, ?)", (run, reason, now())
                )
            connection.execute(
                "UPDATE payments SET state = 'rolling_back', reason = ?, settlement = ?, next_try = 0, "
                "changed_at = ? WHERE state = 'in_flight'",
                (reason, run or None, now()),
            )
            return connection.execute(
                "UPDATE payments SET state = 'rolled_back', reason = ?, settlement = ?, changed_at = ? "
                "WHERE state IN ('queued', 'held')",
                (reason, run or None, now()),
            )

    @staticmethod
    def _undecided(connection: Connection, row: Row, never_sent: bool, reason: str) -> str:
        """Record a try after which the gateway has not said anything."""
        wait = time.time() + min(LONGEST_WAIT, 0.5 * 2 ** min(row["attempts"], 10))
        if row["state"] == "rolling_back":
            # Its reason stays: why somebody rolled it back.
            return _change(
                connection, row, "rolled_back" if never_sent else "rolling_back", row["reason"], wait
            )
        if not never_sent:
            return _change(connection, row, "in_flight", reason, wait)
        return _change(connection, row, "held" if holds.why_held(connection) else "queued", reason, wait)


_NONE = {"payments": 0, "cents": 0}


def _counts(connection: Connection, settlement: Optional[str] = None) -> dict[str, dict[str, int]]:
    """Count payments per state: all, or those of one settlement."""
    select = "SELECT state, count(*) AS payments, sum(amount_cents) AS cents FROM payments"
    if settlement is None:
        rows = connection.rows(f"{select} GROUP BY state")
    else:
        rows = connection.rows(f"{select} WHERE settlement = ? GROUP BY state", (settlement,))
    return {row["state"]: {"payments": row["payments"], "cents": int(row["cents"])} for row in rows}


def _change(connection: Connection, row: Row, state: str, reason: Optional[str], next_try: float = 0) -> str:
    connection.execute(
        "UPDATE payments SET state = ?, reason = ?, next_try = ?, changed_at = ? WHERE id = ?",
        (state, reason, next_try, now(), row["id"]),
    )
    return state
