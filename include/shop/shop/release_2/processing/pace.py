"""How long orders take, how long a claim on one lasts, and when one that failed is tried again."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from ...common import settings

LARGE_ORDER = 10
"""Pieces; an order of this size or more takes the longest time."""


@dataclass(frozen=True)
class Pace:
    """The settings of one processor; all times in seconds, those of orders and retries are scaled already.

    Attributes:
        claim_seconds: a claim ends after this time, so that the orders of a dead worker are taken over.
        most_attempts: an order that failed this often is set aside; 0: never.
        retry_seconds: after its first error an order rests this long, then twice as long after each other.
        most_retry_seconds: at most this long; so long, too, when the error was not the order's.
        stop_after: so many different orders with one error and none processed between end the batch; 0: never.
    """

    least_seconds: float
    most_seconds: float
    cpu_share: float
    claim_seconds: float
    most_attempts: int
    retry_seconds: float
    most_retry_seconds: float
    stop_after: int

    @staticmethod
    def from_settings() -> Pace:
        """Read the pace from the environment.

        Raises:
            SettingError: when the values do not fit together.
        """
        scale = settings.number("ORDER_TIME_SCALE", 1)
        least = settings.number("ORDER_SECONDS_MIN", 10) * scale
        most = settings.number("ORDER_SECONDS_MAX", 15) * scale
        claim = settings.number("ORDER_CLAIM_SECONDS", 120)
        if least > most:
            raise settings.SettingError(
                f"ORDER_SECONDS_MIN is more than ORDER_SECONDS_MAX ({least:g} > {most:g})"
            )
        if claim < 2 * most:
            raise settings.SettingError(
                f"ORDER_CLAIM_SECONDS is {claim:g}: expected at least {2 * most:g}, twice the time of the longest order"
            )
        share = settings.number("ORDER_CPU_SHARE", 0.5)
        retry = settings.number("ORDER_RETRY_SECONDS", 5) * scale
        most_retry = max(retry, settings.number("ORDER_RETRY_SECONDS_MAX", 60) * scale)
        return Pace(
            *(least, most, min(share, 1.0), claim, settings.whole("ORDER_MAX_ATTEMPTS", 6)),
            *(retry, most_retry, settings.whole("ORDER_STOP_AFTER", 10)),
        )

    def seconds(self, quantity: int) -> float:
        """Return how long an order of this many pieces takes."""
        size = min(max(quantity - 1, 0) / (LARGE_ORDER - 1), 1.0)
        return self.least_seconds + size * (self.most_seconds - self.least_seconds)

    def rest(self, attempts: int, *, outside: bool) -> float:
        """Return how long an order rests after this many attempts failed; others go on meanwhile."""
        if outside or attempts > 30:
            return self.most_retry_seconds
        return min(self.retry_seconds * float(2 ** max(attempts - 1, 0)), self.most_retry_seconds)


def labour(seconds: float, cpu_share: float) -> None:
    """Take this long, computing for the given share of it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        slice_end = time.monotonic() + min(0.02, left) * cpu_share
        while time.monotonic() < slice_end:
            hashlib.pbkdf2_hmac("sha256", b"order", b"shop", 500)
        time.sleep(max(0.0, min(0.02, left) * (1 - cpu_share)))
