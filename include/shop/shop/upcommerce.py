"""`python3 -m shop.upcommerce`: a shop front with a payment queue."""

from __future__ import annotations

import sys
from typing import Callable, Optional

from .common import settings
from .common.db import ConflictError, Database, DatabaseError
from .common.logs import say
from .common.probes import add_probes
from .common.server import Server, run
from .common.web import HttpError, Request, Response, Router
from .payments.holds import BY_HAND
from .payments.queue import STATES, PaymentQueue, StateError
from .payments.sender import Sender


def why(request: Request) -> str:
    """Return the reason that a request for a change must give.

    Raises:
        HttpError: 422 when it gives none.
    """
    return word(request, "reason", None, "expected why, in a sentence", 500)


def word(request: Request, name: str, default: Optional[str], expected: str, longest: int = 600) -> str:
    """Return a text of the request's body, or the default when it has none.

    Raises:
        HttpError: 422 when it is no such text, or is missing without a default.
    """
    given = request.json().get(name, default)
    if not isinstance(given, str) or len(given) > longest or "\0" in given:
        raise HttpError(422, f"{name}: {expected}")
    if given != default and not given.strip():
        raise HttpError(422, f"{name}: {expected}")
    return given.strip()


class PaymentPages:
    """The pages of single payments."""

    def __init__(self, queue: PaymentQueue) -> None:
        self._queue = queue

    def add_to(self, router: Router) -> None:
        """Serve the pages."""
        router.add("POST", "/payments", self.create)
        router.add("GET", "/payments", self.listing)
        router.add("GET", "/payments/{id}", self.show)
        router.add("POST", "/payments/{id}/rollback", self.roll_back)

    def create(self, request: Request) -> Response:
        """Queue the payment of an order: 201, or 200 with the payment that the order has already."""
        given = request.json()
        order, amount = given.get("order"), given.get("amount_cents")
        if not isinstance(order, str) or not 0 < len(order) <= 200 or "\0" in order:
            raise HttpError(422, "order: expected its name")
        if type(amount) is not int or not 0 < amount < 10**12:
            raise HttpError(422, "amount_cents: expected a number above 0")
        try:
            payment, new = self._queue.add(order, amount)
        except ConflictError as error:
            raise HttpError(409, str(error)) from None
        return Response(201 if new else 200, payment)

    def show(self, request: Request) -> Response:
        """Show one payment."""
        payment = self._queue.find(request.number("id"))
        if payment is None:
            raise HttpError(404, f"no payment {request.values['id']}")
        return Response(200, payment)

    def listing(self, request: Request) -> Response:
        """List the payments in a state, or all."""
        state = request.query.get("state")
        if state is not None and state not in STATES:
            raise HttpError(400, f"state: expected one of {', '.join(STATES)}")
        return Response(200, {"payments": self._queue.list(state)})

    def roll_back(self, request: Request) -> Response:
        """Roll one payment back: 202 when the gateway is asked to cancel it first, 409 when it is paid."""
        payment = request.number("id")
        try:
            self._queue.roll_back(payment, why(request))
        except KeyError:
            raise HttpError(404, f"no payment {payment}") from None
        except StateError as error:
            raise HttpError(409, str(error)) from None
        row = self._queue.find(payment)
        return Response(202 if row and row["state"] == "rolling_back" else 200, row)


class QueuePages:
    """The pages of the queue as a whole.

    Args:
        wake: called when there may be something to send at once.
    """

    def __init__(self, queue: PaymentQueue, wake: Callable[[], None]) -> None:
        self._queue = queue
        self._wake = wake

    def add_to(self, router: Router) -> None:
        """Serve the pages."""
        router.add("GET", "/queue", lambda _: Response(200, self._queue.summary()))
        router.add("POST", "/queue/hold", self.hold)
        router.add("POST", "/queue/release", self.release)
        router.add("POST", "/queue/rollback", self.roll_back)

    def hold(self, request: Request) -> Response:
        """Hold the queue; `holding` is false when the run's hold has ended already."""
        count, holding = self._queue.hold(why(request), self._holder(request), self._run(request))
        return Response(200, {"held": count, "holding": holding, **self._queue.summary()})

    def release(self, request: Request) -> Response:
        """End the holds of one holder, or of one run."""
        count = self._queue.release(self._holder(request), self._run(request))
        self._wake()
        return Response(200, {"queued": count, **self._queue.summary()})

    def roll_back(self, request: Request) -> Response:
        """Roll back what waits, once per run: 409 when the run's hold has ended."""
        try:
            count = self._queue.roll_back_all(why(request), self._run(request))
        except StateError as error:
            raise HttpError(409, str(error)) from None
        self._wake()
        return Response(200, {"rolled_back": count, **self._queue.summary()})

    @staticmethod
    def _holder(request: Request) -> str:
        return word(request, "by", BY_HAND, "expected who holds, or * for everybody")

    @staticmethod
    def _run(request: Request) -> str:
        return word(request, "run", "", "expected the run of the procedure that asks")


def serve() -> int:
    """Serve until told to end; return the exit status."""
    database = Database(settings.text("DATABASE_URL", "sqlite:////data/upcommerce.db"))
    database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
    queue = PaymentQueue(database)
    queue.create_tables()
    router = Router()
    swype = settings.service_url("SWYPE_URL", "swype-service", 5003)
    sender = Sender(queue, swype, settings.number("SWYPE_TIMEOUT_SECONDS", 10, least=0.1))
    PaymentPages(queue).add_to(router)
    QueuePages(queue, sender.wake).add_to(router)
    server = Server((settings.listen_host(), settings.whole("PORT", 5000)), router)

    def samples() -> dict[str, float]:
        states = queue.summary()["states"]
        return {
            f'upcommerce_payments{{state="{state}"}}': count["payments"] for state, count in states.items()
        }

    add_probes(router, "upcommerce", lambda: server, samples=samples)
    sender.start()
    status = run(server, "upcommerce", on_end=sender.stop)
    database.close()
    return status


def main() -> int:
    """Run the program; a setting it cannot work with is told in one line."""
    try:
        return serve()
    except (settings.SettingError, DatabaseError, OSError) as error:
        say(f"upcommerce: cannot start: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
