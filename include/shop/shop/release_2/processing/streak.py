"""Whether it is not the orders: one error on many of them, and none processed between."""

from __future__ import annotations

import threading
import time
from typing import Optional

from ...common.db import Database
from ...common.logs import now
from .queue import completed_since, failing_alike, taken_before

MOST_EXCUSED = 1000
FEW = 2
"""Different orders with one error: less is one bad order."""


class Streak:
    """Counts the different orders that failed alike since an order was last processed.

    The database knows them: those of earlier batches and of other processors count, and a success of anybody ends it.
    Errors that are an order's own fault are not told here.

    Args:
        stop_after: so many of them end the batch; 0: never. Where the error is not the orders' fault, so many
            failures do, of however few orders: their tries do not count, and they would be tried for ever.
        claim_seconds: how long a claim lasts. Bad orders fail at once: while others are in work that were taken before
            the first of them, these decide.
        full_seconds: longer than any order takes. Before one was processed, good ones may stand behind the bad ones: so
            long they are looked for.
    """

    def __init__(
        self, database: Database, stop_after: int, claim_seconds: float, full_seconds: float
    ) -> None:
        self._database = database
        self._stop_after = stop_after
        self._claim_seconds = claim_seconds
        self._full_seconds = full_seconds
        self._processed = False
        self._began = 0.0
        self._lock = threading.Lock()
        self._orders: dict[int, set[int]] = {}
        self._alike: dict[int, int] = {}
        self._excused: set[int] = set()
        self._tries: dict[int, int] = {}
        self._outside = 0
        self._since = ""
        self.stop: Optional[str] = None
        self.doubtful = False
        """It looks as if everything fails, and is not certain yet."""

    def success(self) -> None:
        """An order was processed: count from the start."""
        with self._lock:
            self._processed = True
            self._clear()

    def failure(self, order: int, code: int, *, outside: bool = False, counted: bool = True) -> bool:
        """Note an error, and whether the try counted; True when the batch is to end, and `stop` says why.

        Raises:
            DatabaseError: when it cannot be asked what others did.
        """
        with self._lock:
            if self.stop is not None:
                return True
            if not self._orders:
                self._since, self._began = now(), time.time()
            hit = self._orders.setdefault(code, set())
            if order not in self._excused:
                hit.add(order)
            self._outside += outside
            if counted:
                self._tries[order] = self._tries.get(order, 0) + 1
            if self._stop_after == 0:
                return False
            known = failing_alike(self._database, code)
            many = self._alike[code] = len((hit | known.orders) - self._excused)
            if max(many, self._outside) < self._stop_after:
                return False
            if completed_since(self._database, self._since):
                self._processed = True
                self._clear()
                return False
            self.doubtful = True
            if not (outside or self._processed) and time.time() - self._began < self._full_seconds:
                return False
            if taken_before(self._database, self._began, self._claim_seconds):
                return False
            orders = f"{many} different orders" if many > 1 else f"order {order} alone"
            since = min(known.since or self._since, self._since)
            self.stop = f"error #{code} on {orders} and none processed since {since}"
            return True

    def unjust(self) -> dict[int, int]:
        """Return tries that say nothing of their orders, as everything failed: how many, by order.

        Raises:
            DatabaseError: when other workers' successes cannot be asked for.
        """
        with self._lock:
            many = max([*map(len, self._orders.values()), *self._alike.values()], default=0) >= FEW
            if not many or completed_since(self._database, self._since):
                return {}
            return dict(self._tries)

    def set_aside(self) -> list[int]:
        """Return orders that were set aside, by whatever batch, before so many had failed that it is not their fault.

        Raises:
            DatabaseError: when it cannot be asked for them.
        """
        with self._lock:
            codes = [code for code, many in self._alike.items() if many >= self._stop_after]
            return [order for code in codes for order in failing_alike(self._database, code).aside]

    def _clear(self) -> None:
        # They failed while others were processed: that they fail again says nothing of the others.
        for hit in self._orders.values():
            self._excused.update(list(hit)[: MOST_EXCUSED - len(self._excused)])
        self._orders.clear()
        self._alike.clear()
        self._tries.clear()
        self._outside = 0
        self.doubtful = False
