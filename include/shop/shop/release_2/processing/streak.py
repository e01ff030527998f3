"""Whether it is not the orders: one error on many of them, and none processed between."""

from __future__ import annotations

import threading
from typing import Optional

from ...common.db import Database
from ...common.logs import now
from .queue import completed_since


class Streak:
    """Counts the different orders that failed alike since the last success.

    Args:
        stop_after: so many of them end the batch; 0: never. Where the error is not the orders' fault, so many
            failures do, of however few orders: their tries do not count, and they would be tried for ever.
    """

    def __init__(self, database: Database, stop_after: int) -> None:
        self._database = database
        self._stop_after = stop_after
        self._lock = threading.Lock()
        self._orders: dict[int, set[int]] = {}
        self._outside = 0
        self._since = ""
        self.stop: Optional[str] = None

    def success(self) -> None:
        """An order was processed: count from the start."""
        with self._lock:
            self._clear()

    def failure(self, order: int, code: int, *, outside: bool = False) -> bool:
        """Note an error; True when the batch is to end, and `stop` says why.

        Raises:
            DatabaseError: when other workers' successes cannot be asked for.
        """
        with self._lock:
            if self.stop is not None:
                return True
            if not self._orders:
                self._since = now()
            hit = self._orders.setdefault(code, set())
            hit.add(order)
            self._outside += outside
            if self._stop_after == 0 or max(len(hit), self._outside) < self._stop_after:
                return False
            if completed_since(self._database, self._since):
                self._clear()
                return False
            orders = f"{len(hit)} different orders" if len(hit) > 1 else f"order {order} alone"
            self.stop = f"error #{code} on {orders} and none processed since {self._since}"
            return True

    def _clear(self) -> None:
        self._orders.clear()
        self._outside = 0
