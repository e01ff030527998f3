"""Orders in work while others fail: before they have ended nobody knows whether everything fails.

A bad order fails in milliseconds, a good one takes its seconds. So a few bad ones behind each other look like everything
while the good ones beside them are still in work, or, when a batch begins, are still to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds that an order in work is waited for, as long as a claim lasts: its worker may be gone."""
FULL_SECONDS = 20.0
"""Longer than an order takes: before one was processed, so long those behind the bad ones have their chance."""
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
        self._processed = False

    def processed(self) -> None:
        """An order was processed: not everything fails from the beginning."""
        self._processed = True

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
        """Whether an order is still in work that was before the first of these errors, or one may yet be processed.

        The latter holds at the beginning, for as long as an order takes, where lines name their workers.
        """
        taken, since = self._rows.get(code, (0, 0.0))
        passed = self._clock() - since
        if passed >= PATIENCE:
            return False
        if not self._processed and passed < FULL_SECONDS:
            return self._taken > 0
        return any(each <= taken for each in self._working.values())
