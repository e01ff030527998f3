"""A moment by which something has to have ended, which may be moved nearer."""

from __future__ import annotations

import asyncio
import time
from typing import Any

_STEP = 0.1


class Deadline:
    """Counts down from ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def shorten(self, seconds: float) -> None:
        """Moves it to ``seconds`` from now, unless it is nearer already."""
        self._at = min(self._at, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self._at - time.monotonic())

    async def wait(self, task: asyncio.Future[Any], at_least: float = 0.0) -> bool:
        """Waits for ``task`` until the deadline, or ``at_least`` so many seconds. Returns whether it is done."""
        floor = time.monotonic() + at_least
        while not task.done():
            left = max(self.left, floor - time.monotonic())
            if left <= 0:
                return False
            await asyncio.wait({task}, timeout=min(left, _STEP))
        return True
