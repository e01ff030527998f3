"""Sends queued payments to the payment service."""

from __future__ import annotations

import threading

from ..common.client import NetworkError, call
from ..common.db import DatabaseError, Row
from ..common.logs import say
from .queue import PaymentQueue

IDLE_SECONDS = 0.2


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
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the payment in work, whose outcome is still recorded."""
        self._stopping.set()
        self.join(self._timeout + 1)

    def run(self) -> None:
        """Send until stopped."""
        while not self._stopping.is_set():
            try:
                payment = self._queue.next_to_send()
                if payment is not None:
                    self.send(payment)
                    continue
            except DatabaseError as error:
                say(f"upcommerce: the database does not answer: {error}")
            self._stopping.wait(IDLE_SECONDS)

    def send(self, payment: Row) -> None:
        """Send one payment and record what became of it."""
        charge = {
            "key": payment["charge_key"],
            "order": payment["order_name"],
            "amount_cents": payment["amount_cents"],
        }
        state, reason = self._outcome(charge)
        self._queue.settle(payment, state, reason)
        say(f"upcommerce: payment {payment['id']} (try {payment['attempts']}): {state}: {reason}")

    def _outcome(self, charge: dict[str, object]) -> tuple[str, str]:
        try:
            status, answer = call("POST", f"{self._swype}/charge", charge, self._timeout)
        except NetworkError as failure:
            # What never left is queued again; what may have arrived stays in flight.
            return ("in_flight" if failure.sent else "queued"), str(failure)
        if status == 200:
            return "paid", str(answer.get("charge", "paid"))
        if status == 402:
            return "rolled_back", f"declined: {answer.get('error', 'no reason given')}"
        return "in_flight", f"payment service answered {status}: {answer.get('error', '')}".rstrip(": ")
