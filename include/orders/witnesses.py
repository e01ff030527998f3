"""Orders in work while others fail: before they have ended nobody knows whether everything fails.

A bad order fails in milliseconds, a good one takes its seconds. So a few bad ones behind each other look like everything
while the good ones beside them are still in work.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds that an order in work is waited for, as long as a claim lasts: its worker may be gone."""
MOST_WORKERS = 1000


class Witnesses:
    """Follows which workers have an order in work, by their names in the log; lines without a name say nothing.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken = 0
        self._working: dict[str, int] = {}
        self._rows: dict[str, tuple[int, float]] = {}

    def took(self, worker: str) -> None:
        """A worker took up an order."""
        if not worker:
            return
        self._working.pop(worker, None)
        if len(self._working) >= MOST_WORKERS:
            self._working.pop(next(iter(self._working)))
        self._taken += 1
        self._working[worker] = self._taken

    def ended(self, worker: str) -> None:
        """A worker's order was processed, or failed."""
        self._working.pop(worker, None)

    def killed(self, process: str) -> None:
        """A process with all its workers (``process/1``) was killed."""
        for worker in [each for each in self._working if each.startswith(f"{process}/")]:
            del self._working[worker]

    def restart(self) -> None:
        """The processor started anew: nobody has anything in work."""
        self._working.clear()

    def row_begins(self, code: str) -> None:
        """An error is the first of its code since an order was processed."""
        self._rows[code] = self._taken, self._clock()

    def awaited(self, code: str) -> bool:
        """Whether an order is still in work that was before the first of these errors."""
        taken, since = self._rows.get(code, (0, 0.0))
        if self._clock() - since >= PATIENCE:
            return False
        return any(each <= taken for each in self._working.values())
