"""Telling the shipper about an order: the effect of an order outside the database."""

from __future__ import annotations

from typing import Optional

from ...common import settings
from ...common.client import NetworkError, call
from .problems import SHIPPER_DOWN, SHIPPER_REFUSED, OrderError


class Shipper:
    """Sends shipments, one HTTP call each.

    The key of a shipment is made from the order alone. A worker may die between the call and the commit, and the
    next one calls again: the shipper records a key once and answers the second call like the first.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    @staticmethod
    def from_settings() -> Optional[Shipper]:
        """Return the shipper at SHIPPER_URL, or None: nobody is told then."""
        url = settings.text("SHIPPER_URL", "")
        return Shipper(url, settings.number("SHIPPER_TIMEOUT_SECONDS", 10)) if url else None

    def ship(self, order: int, item: str, quantity: int) -> None:
        """Have an order shipped; the same when it is shipped already.

        Raises:
            OrderError: the shipper does not answer (not the order's fault), or refuses this order.
        """
        shipment = {"key": f"order-{order}", "order": order, "item": item, "quantity": quantity}
        try:
            status, answer = call("POST", f"{self._url}/shipments", shipment, self._timeout)
        except NetworkError as error:
            raise OrderError(SHIPPER_DOWN, f"the shipper does not answer: {error}", outside=True) from error
        if status in (200, 201):
            return
        why = f"{status} {answer.get('error', '')}".strip()
        if 400 <= status < 500 and status not in (408, 429):
            raise OrderError(SHIPPER_REFUSED, f"the shipper refuses the order: {why}")
        raise OrderError(SHIPPER_DOWN, f"the shipper answers with an error of its own: {why}", outside=True)
