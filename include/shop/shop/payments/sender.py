"""Sends payments to the payment service, and asks it what became of those that may have arrived."""

from __future__ import annotations

import threading
from typing import Optional
from urllib.parse import quote

from ..common.client import NetworkError, call
from ..common.db import DatabaseError
from ..common.logs import say
from .queue import ASK, CANCEL, NOT_SENT, UNKNOWN, PaymentQueue, Try

IDLE_SECONDS = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two tries while nothing answers, at most: a service at zero is not asked in a hot loop."""


class Sender(threading.Thread):
    """A thread that sends one payment after the other.

    Args:
        swype: URL of the payment service.
    """

    def __init__(self, queue: PaymentQueue, swype: str, timeout: float) -> None:
        super().__init__(daemon=True)
        self._queue = queue
        self._swype = swype
        self._timeout = timeout
        self._stopping = False
        self._woken = threading.Event()
        self._unanswered = 0

    def stop(self) -> None:
        """End after the payment in work, whose outcome is still recorded."""
        self._stopping = True
        self._woken.set()
        self.join(self._timeout + 1)

    def wake(self) -> None:
        """Try again now, whatever the pause."""
        self._unanswered = 0
        self._woken.set()

    def run(self) -> None:
        """Send until stopped."""
        while not self._stopping:
            self._woken.clear()
            pause = IDLE_SECONDS
            try:
                next_try = self._queue.next_try()
                if next_try is not None:
                    pause = self.send(next_try)
            except DatabaseError as error:
                say(f"upcommerce: the database does not answer: {error}")
            except (
                Exception
            ) as error:  # whatever is wrong with one payment, the others must not wait for ever
                say(f"upcommerce: {type(error).__name__}: {error}")
                pause = LONGEST_PAUSE
            if pause and not self._stopping:
                self._woken.wait(pause)

    def send(self, one: Try) -> float:
        """Try one payment and record what became of it; return how long to pause."""
        outcome, reason = self._outcome(one)
        state = self._queue.record(one, outcome, reason)
        payment = one.payment
        say(
            f"upcommerce: payment {payment['id']} (try {payment['attempts']}, {one.errand}): {state}: {reason}"
        )
        return min(LONGEST_PAUSE, 0.1 * 2 ** min(self._unanswered, 10)) if self._unanswered else 0

    def _outcome(self, one: Try) -> tuple[str, str]:
        try:
            status, answer = self._ask(one)
        except NetworkError as failure:
            self._unanswered += 1
            return (UNKNOWN if failure.sent else NOT_SENT), str(failure)
        self._unanswered = 0
        said = _said(status, answer)
        if said is not None:
            return said
        error = answer.get("error") or answer.get("state", "")
        outcome = NOT_SENT if status == 502 and answer.get("sent") is False else UNKNOWN
        return outcome, f"payment service answered {status}: {error}".rstrip(": ")

    def _ask(self, one: Try) -> tuple[int, dict[str, object]]:
        payment = one.payment
        key = payment["charge_key"]
        if one.errand == ASK:
            return call("GET", f"{self._swype}/charges/{quote(key, safe='')}", timeout=self._timeout)
        if one.errand == CANCEL:
            return call("POST", f"{self._swype}/cancel", {"key": key}, self._timeout)
        charge = {"key": key, "order": payment["order_name"], "amount_cents": payment["amount_cents"]}
        return call("POST", f"{self._swype}/charge", charge, self._timeout)


def _said(status: int, answer: dict[str, object]) -> Optional[tuple[str, str]]:
    """Return what the gateway says became of the payment; None when it does not say.

    Only an answer that names the charge or the cancellation counts: a 200 of something else in between is none.
    """
    if status == 200 and answer.get("charge"):
        return "paid", str(answer["charge"])
    if status in (200, 409) and answer.get("state") == "cancelled":
        return "rolled_back", "cancelled at the gateway, which has not charged it"
    if status == 402:
        return "rolled_back", f"declined: {answer.get('error', 'no reason given')}"
    return None
