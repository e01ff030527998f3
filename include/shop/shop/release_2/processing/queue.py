"""The orders that wait, and who works on which: claims and fulfilments in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from ...common.db import SQLITE, ConflictError, Connection, Database
from ...common.logs import now
from . import statements
from .problems import FULFILLED, INCOMPLETE, OrderError


@dataclass(frozen=True)
class Order:
    """An order that this worker has claimed, as the table has it: any field may be null or garbage."""

    id: int
    user: Any
    item: Any
    quantity: Any
    attempts: int


@dataclass(frozen=True)
class Alike:
    """Orders that failed with one code and no success between: which, since when, and which of them are set aside."""

    orders: frozenset[int]
    since: str
    aside: tuple[int, ...]


class ClaimLostError(Exception):
    """The claim expired while the order was in work; whoever took it over will finish it."""


class OrderQueue:
    """Claims orders for one worker.

    Args:
        worker: a name no other worker has, `<process>/<thread>`.
        claim_seconds: a claim ends after this time, so that the orders of a dead worker are taken over.
    """

    def __init__(self, database: Database, worker: str, claim_seconds: float) -> None:
        self._database = database
        self.worker = worker
        self.claim_seconds = claim_seconds

    def claim(self) -> Optional[Order]:
        """Claim the oldest open order that is free, or return None."""
        while True:
            moment = time.time()
            if self._database.dialect == SQLITE:
                row = self._claim_alone(moment)
            else:
                row = self._claim_beside_others(moment)
            if row is None:
                return None
            if row["attempts"] is not None:
                return Order(row["id"], row["user_id"], row["item"], row["quantity"], row["attempts"])
            # Somebody was quicker with this one.

    def _claim_alone(self, moment: float) -> Optional[dict[str, Any]]:
        with self._database.transaction() as connection:
            row = connection.row(statements.FREE_SQLITE, (moment, moment))
            if row is not None:
                until = moment + self.claim_seconds
                connection.execute(statements.TAKE_SQLITE, (row["id"], self.worker, until, moment, moment))
        return row

    def _claim_beside_others(self, moment: float) -> Optional[dict[str, Any]]:
        until = moment + self.claim_seconds
        with self._database.connection() as connection:
            return connection.row(
                statements.CLAIM_POSTGRESQL, (moment, moment, self.worker, until, moment, moment)
            )

    def soonest(self) -> Optional[float]:
        """Return when (seconds since 1970) the next open order may be claimed; None when no order is open."""
        with self._database.connection() as connection:
            row = connection.row(statements.SOONEST)
        return float(row["free_at"]) if row and row["orders"] else None

    def price(self, item: str) -> Optional[dict[str, Any]]:
        """Return a plant's `price_cents` from either catalog, or None when it is in no catalog."""
        with self._database.connection() as connection:
            return connection.row(statements.PRICE, (item, item))

    def fulfil(self, order: Order, total_cents: int, seconds: float) -> None:
        """Record the order as done, in one transaction with its fulfilment.

        Raises:
            ClaimLostError: when it is not this worker's any more.
            OrderError: when it has been fulfilled before.
        """
        moment = now()
        try:
            with self._database.transaction() as connection:
                self._or_lost(connection.execute(statements.DONE, (order.id,)), order)
                claim = (order.id, self.worker, order.attempts)
                self._or_lost(connection.execute(statements.END_CLAIM, claim), order)
                connection.execute(
                    statements.FULFIL, (order.id, self.worker, total_cents, moment, round(seconds, 3))
                )
                connection.execute(statements.SOLVED, (moment, order.id))
        except ConflictError as error:
            raise OrderError(
                FULFILLED,
                "the order is open, but was fulfilled before; it is not fulfilled again",
                final=True,
            ) from error

    def failed(
        self, order: Order, problem: OrderError, *, rest: float, aside: bool, counts: bool = True
    ) -> None:
        """Let the order rest for some seconds, or set it aside for a person to look at; the try may not count.

        Raises:
            ClaimLostError: when it is not this worker's any more.
        """
        moment = now()
        with self._database.transaction() as connection:
            if aside:
                self._or_lost(connection.execute(statements.HOLD, (order.id,)), order)
            changed = connection.execute(
                statements.FAIL,
                (
                    *(0 if aside else time.time() + rest, int(not counts)),
                    *(f"#{problem.code}: {problem.text}", order.id, self.worker, order.attempts),
                ),
            )
            self._or_lost(changed, order)
            note(connection, order.id, problem, self.worker, moment, moment if aside else None)

    def give_back(self, order: Order) -> None:
        """Return an order that was not worked on; the attempt does not count."""
        with self._database.connection() as connection:
            connection.execute(statements.GIVE_BACK, (order.id, self.worker, order.attempts))

    def wait_to_be_alone(self, order: Order) -> None:
        """Not count the try while the order waits: the worker may be killed for another one.

        Raises:
            ClaimLostError: when it is not this worker's any more.
        """
        with self._database.connection() as connection:
            claim = (order.id, self.worker, order.attempts)
            self._or_lost(connection.execute(statements.COUNT_TRY_LATER, claim), order)

    def is_alone(self, order: Order) -> None:
        """Count the try, and let the claim begin anew. Raises as `wait_to_be_alone`."""
        with self._database.connection() as connection:
            until = time.time() + self.claim_seconds
            claim = (until, order.id, self.worker, order.attempts - 1)
            self._or_lost(connection.execute(statements.COUNT_TRY_NOW, claim), order)

    @staticmethod
    def _or_lost(changed: int, order: Order) -> None:
        if changed != 1:
            raise ClaimLostError(f"order {order.id} was taken over")


def note(
    connection: Connection, order: int, problem: OrderError, worker: str, moment: str, aside: Optional[str]
) -> None:
    """Write an error into the records of problems: one row for an order and a code."""
    connection.execute(statements.PROBLEM, (order, problem.code, problem.text, moment, moment, worker, aside))


def open_orders(database: Database) -> int:
    """Return how many orders are not done and not set aside, claimed or not."""
    with database.connection() as connection:
        return connection.count("orders", "status = 'open'")


def completed_since(database: Database, since: str) -> int:
    """Return how many orders were fulfilled after a moment, by anybody."""
    with database.connection() as connection:
        row = connection.row(statements.COMPLETED_SINCE, (since,))
    return int(row["orders"]) if row else 0


def failing_alike(database: Database, code: int, most: int = 1000) -> Alike:
    """Return the orders that first failed with a code after an order was last processed, by anybody."""
    with database.connection() as connection:
        found = connection.rows(statements.ALIKE, (statements.soon(time.time()), code, most))
    aside = tuple(int(row["order_id"]) for row in found if row["set_aside_at"] is not None)
    since = str(found[0]["first_at"]) if found else ""
    return Alike(frozenset(int(row["order_id"]) for row in found), since, aside)


def taken_before(database: Database, moment: float, claim_seconds: float) -> int:
    """Return how many orders are in work, with whomever, since before a moment (seconds since 1970)."""
    with database.connection() as connection:
        row = connection.row(statements.TAKEN_BEFORE, (time.time(), moment + claim_seconds))
    return int(row["orders"]) if row else 0


def free_claims_of(database: Database, process: str) -> int:
    """Free the orders of a worker process that has ended, and return how many there were."""
    with database.connection() as connection:
        return connection.execute(statements.GIVE_BACK_OF_DEAD, (f"{process}/%",))


def return_tries(database: Database, tries: dict[int, int], rest: float) -> None:
    """Give orders back the tries in which everything failed; not one that somebody has taken up meanwhile.

    They rest for some seconds, so that the next batch begins with orders that have not been tried.
    """
    for order, times in tries.items():
        with database.connection() as connection:
            connection.execute(statements.RETURN_TRIES, (times, times, time.time() + rest, order))


def others_since(database: Database, processor: str, seconds: float) -> int:
    """Return how many orders other processors have in work, or have processed or failed at, of late.

    Args:
        database: with the orders.
        processor: how the names of this one's workers begin.
        seconds: so long ago at most.
    """
    moment, mine = time.time(), f"{processor}-%"
    began = datetime.fromtimestamp(moment - seconds, timezone.utc)
    since = began.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with database.connection() as connection:
        row = connection.row(statements.OTHERS_SINCE, (moment, mine, since, mine, since, mine))
    return int(row["orders"]) if row else 0


def set_aside_without_status(database: Database, worker: str, most: int = 1000) -> dict[int, str]:
    """Set orders aside that have no status, or one nobody knows: nobody would ever see them. Return which, and why."""
    with database.connection() as connection:
        found = connection.rows(statements.WITHOUT_STATUS, (most,))
    done = {}
    for row in found:
        order, text = int(row["id"]), "the order has no status (status is null)"
        if row["status"] is not None:
            text = f"the order has a status that nobody knows: {str(row['status'])[:60]!r}"
        with database.transaction() as connection:
            if connection.execute(statements.HOLD_WITHOUT_STATUS, (order,)) == 1:
                moment = now()
                note(connection, order, OrderError(INCOMPLETE, text), worker, moment, moment)
                done[order] = text
    return done


def reopen(database: Database, order: int) -> Optional[str]:
    """Open an order that was set aside, with all its attempts.

    Returns the status that it had before: `held` when it was opened now; None when there is no such order.
    """
    with database.transaction() as connection:
        if connection.execute(statements.REOPEN, (order,)) != 1:
            row = connection.row(statements.STATUS, (order,))
            return str(row["status"]) if row else None
        connection.execute(statements.FORGET_CLAIM, (order,))
        connection.execute(statements.NOT_ASIDE, (order,))
    return "held"
