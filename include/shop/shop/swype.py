"""`python3 -m shop.swype`: the payment service. It dies when it cannot talk to the gateway."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from .common import settings
from .common.client import NetworkError, call
from .common.logs import say
from .common.probes import add_probes
from .common.server import Server
from .common.web import Request, Response, Router


class Gateway:
    """The payment gateway, and whether talking to it has failed.

    Args:
        url: where it is.
        timeout: seconds for one call.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self._timeout = timeout
        self.failure: Optional[str] = None
        self.ending = threading.Event()

    def charge(self, request: Request) -> Response:
        """Pass a charge on, and its answer back."""
        return self._pass_on("POST", "/charge", request.json())

    def cancel(self, request: Request) -> Response:
        """Pass the cancellation of a key on."""
        return self._pass_on("POST", "/cancel", request.json())

    def look(self, request: Request) -> Response:
        """Ask what became of a key."""
        return self._pass_on("GET", f"/charges/{quote(request.values['key'], safe='')}")

    def _pass_on(self, method: str, path: str, body: Optional[dict[str, Any]] = None) -> Response:
        try:
            status, answer = call(method, f"{self.url}{path}", body, self._timeout)
        except NetworkError as failure:
            self._fail(failure)
            # Whether it may have arrived decides what the caller may do with the payment.
            return Response(502, {"error": f"network failure: {failure}", "sent": failure.sent})
        # The gateway's own errors are no network failure: the caller asks again with the same key.
        known = status in (200, 402, 409, 422)
        return Response(status if known else 502, answer or {"error": f"gateway answered {status}"})

    def wait(self, seconds: float) -> None:
        """Give the gateway some time to come up, as when both are installed at once."""
        limit = time.monotonic() + seconds
        self.check()
        while self.failure and time.monotonic() < limit:
            time.sleep(0.2)
            self.failure = None
            self.ending.clear()
            self.check()

    def check(self) -> None:
        """Ask the gateway whether it is there; any HTTP answer will do."""
        try:
            call("GET", f"{self.url}/ping", timeout=self._timeout)
        except NetworkError as failure:
            self._fail(failure)

    def _fail(self, failure: NetworkError) -> None:
        self.failure = self.failure or f"network failure: cannot talk to the payment gateway: {failure}"
        self.ending.set()


def die(message: str) -> int:
    """Tell the log and the cluster why the program ends; return its exit status."""
    say(f"swype: {message}")
    path = Path(settings.text("TERMINATION_LOG", "/dev/termination-log"))
    try:
        path.write_text(message + "\n", encoding="utf-8")
    except OSError as error:
        say(f"swype: cannot write {path}: {error}")
    return 1


def serve() -> int:
    """Serve until told to end or until the gateway is lost; return the exit status."""
    timeout = settings.number("GATEWAY_TIMEOUT_SECONDS", 3, least=0.1)
    interval = settings.number("GATEWAY_CHECK_SECONDS", 5, least=0.1)
    gateway = Gateway(settings.service_url("GATEWAY_URL", "gateway-service", 5010), timeout)
    # Until it serves there is nothing to finish: a signal ends the program at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    gateway.wait(settings.number("GATEWAY_START_SECONDS", 5))
    if gateway.failure:
        return die(gateway.failure)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.ending.set())
    router = Router()
    router.add("POST", "/charge", gateway.charge)
    router.add("POST", "/cancel", gateway.cancel)
    router.add("GET", "/charges/{key}", gateway.look)
    server = Server((settings.listen_host(), settings.whole("PORT", 5003)), router)
    add_probes(router, "swype", lambda: server)
    server.start()
    say(f"swype: serving on {server.place()}, gateway {gateway.url}")
    due = time.monotonic() + interval
    while not gateway.ending.wait(min(1.0, max(0.0, due - time.monotonic()))):
        if time.monotonic() >= due:
            gateway.check()
            due = time.monotonic() + interval
    if gateway.failure:
        server.drain(0, 1)  # the caller still gets its answer
        return die(gateway.failure)
    say("swype: told to end, draining")
    server.drain(settings.number("DRAIN_SECONDS", 1), settings.number("SHUTDOWN_SECONDS", 20))
    return 0


def main() -> int:
    """Run the program; a setting it cannot work with is told in one line."""
    try:
        return serve()
    except (settings.SettingError, OSError) as error:
        say(f"swype: cannot start: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
