"""`python3 -m shop.upcommerce`: a shop front with a payment queue."""

from __future__ import annotations

import sys

from .common import settings
from .common.db import ConflictError, Database, DatabaseError
from .common.logs import say
from .common.probes import add_probes
from .common.server import Server, run
from .common.web import HttpError, Request, Response, Router
from .payments.queue import STATES, PaymentQueue, StateError
from .payments.sender import Sender


def why(request: Request) -> str:
    """Return the reason that a request for a change must give.

    Raises:
        HttpError: 422 when it gives none.
    """
    given = request.json().get("reason")
    if not isinstance(given, str) or not given.strip() or len(given) > 500 or "\0" in given:
        raise HttpError(422, "reason: expected why, in a sentence")
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
        """Roll one payment back: 409 when it is paid or in flight."""
        payment = request.number("id")
        try:
            self._queue.roll_back(payment, why(request))
        except KeyError:
            raise HttpError(404, f"no payment {payment}") from None
        except StateError as error:
            raise HttpError(409, str(error)) from None
        return Response(200, self._queue.find(payment))


def add_queue_pages(router: Router, queue: PaymentQueue) -> None:
    """Serve the queue as a whole."""
    router.add("GET", "/queue", lambda _: Response(200, queue.summary()))
    router.add(
        "POST", "/queue/hold", lambda r: Response(200, {"held": queue.hold(why(r)), **queue.summary()})
    )
    router.add(
        "POST", "/queue/release", lambda _: Response(200, {"queued": queue.release(), **queue.summary()})
    )
    router.add(
        "POST",
        "/queue/rollback",
        lambda r: Response(200, {"rolled_back": queue.roll_back_all(why(r)), **queue.summary()}),
    )


def serve() -> int:
    """Serve until told to end; return the exit status."""
    database = Database(settings.text("DATABASE_URL", "sqlite:////data/upcommerce.db"))
    database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
    queue = PaymentQueue(database)
    queue.create_tables()
    router = Router()
    PaymentPages(queue).add_to(router)
    add_queue_pages(router, queue)
    server = Server((settings.listen_host(), settings.whole("PORT", 5000)), router)

    def samples() -> dict[str, float]:
        states = queue.summary()["states"]
        return {
            f'upcommerce_payments{{state="{state}"}}': count["payments"] for state, count in states.items()
        }

    add_probes(router, "upcommerce", lambda: server, samples=samples)
    swype = settings.service_url("SWYPE_URL", "swype-service", 5003)
    sender = Sender(queue, swype, settings.number("SWYPE_TIMEOUT_SECONDS", 10, least=0.1))
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
