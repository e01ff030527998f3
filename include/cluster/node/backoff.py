"""How long to wait before the next try."""

from __future__ import annotations

import time


class Backoff:
    """Doubles from ``initial`` to ``longest``.

    Args:
        initial: the first delay, in seconds.
        longest: the longest.
        free: how many tries go without a delay.
    """

    def __init__(self, initial: float, longest: float, free: int = 0) -> None:
        self._initial = initial
        self._longest = longest
        self._free = free
        self._failures = 0
        self._until = 0.0
        self.delay = 0.0

    def fail(self, lasted: float = 0.0) -> None:
        """Notes a failure. One after a time of twice the longest delay counts as the first."""
        if lasted >= 2 * self._longest:
            self._failures = 0
        exponent = self._failures - self._free
        # a bounded exponent: 2.0 ** 2000 is an error
        self.delay = 0.0 if exponent < 0 else min(self._initial * 2.0 ** min(exponent, 30), self._longest)
        self._failures += 1
        self._until = time.monotonic() + self.delay

    def reset(self) -> None:
        """Forgets everything."""
        self._failures, self._until, self.delay = 0, 0.0, 0.0

    def skip(self) -> None:
        """Lets the next try happen at once, because what was missing may be there now."""
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds until the next try; 0 when it is due."""
        return max(0.0, self._until - time.monotonic())
