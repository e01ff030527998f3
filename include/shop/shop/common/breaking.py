"""A service that can be broken on demand, to see what those do who call it."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any, Optional

from .logs import say
from .server import Server
from .web import HttpError, Request, Response, Router

MODES = {
    "ok": "works",
    "refuse": "nothing listens",
    "reset": "each connection is reset",
    "timeout": "connections are accepted and never answered",
    "lost": "works, but its answers never arrive",
    "500": "each request is answered with 500",
    "tls": "each connection gets bytes that are neither HTTP nor a TLS handshake",
}
GARBAGE = b"\x15\x03\x03\x00\x02\x02\x50" + b"\x00\xff" * 16 + b"\r\n"


class Front(Server):
    """The listener that answers, or misbehaves as its mode says."""

    mode = "ok"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, or spoil it."""
        if self.mode == "reset":
            # Closing with linger 0 sends RST instead of FIN.
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close()
        elif self.mode == "timeout":
            stuck.append(request)
        elif self.mode == "tls":
            request.sendall(GARBAGE)
            self.shutdown_request(request)
        elif self.mode == "lost":
            # The request is read and worked off; only the way back is closed.
            request.shutdown(socket.SHUT_WR)
            super().process_request(request, client_address)
        else:
            super().process_request(request, client_address)


stuck: list[Any] = []
"""Connections that wait for an answer that never comes."""


class Breakable:
    """Switches a service's front between its modes.

    Args:
        program: its name.
        doing: what it does where it listens, for its log: `charging`.
        router: its routes.
    """

    def __init__(self, program: str, doing: str, address: tuple[str, int], router: Router) -> None:
        self._program = program
        self._doing = doing
        self._address = address
        self._router = _UnlessBroken(self, router)
        self._lock = threading.Lock()
        self._timer: Optional[threading.Timer] = None
        self._front: Optional[Front] = None
        self.mode = "refuse"
        self.switch("ok")

    def switch(self, mode: str, seconds: float = 0) -> None:
        """Change the mode, for some seconds or until the next change."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if mode == "refuse" and self._front is not None:
                self._front.shutdown()
                self._front.server_close()
                self._front = None
            elif mode != "refuse" and self._front is None:
                self._front = Front(self._address, self._router)
                self._address = self._address[0], int(self._front.server_address[1])
                self._front.start()
                say(f"{self._program}: {self._doing} on {self._front.place()}")
            if self._front is not None:
                self._front.mode = mode
            while mode != "timeout" and stuck:
                stuck.pop().close()
            self.mode = mode
            if seconds:
                self._timer = threading.Timer(seconds, self.switch, ("ok",))
                self._timer.daemon = True
                self._timer.start()
        say(f"{self._program}: {mode}: {MODES[mode]}" + (f", for {seconds:g} s" if seconds else ""))


class _UnlessBroken(Router):
    def __init__(self, service: Breakable, router: Router) -> None:
        super().__init__()
        self._service = service
        self._working = router

    def answer(self, method: str, target: str, body: bytes = b"") -> Response:
        if self._service.mode == "500":
            return Response(500, {"error": "broken on demand"})
        return self._working.answer(method, target, body)


def control(service: Breakable) -> Router:
    """Return the routes of the control port."""

    def change(request: Request) -> Response:
        given = request.json()
        mode, seconds = str(given.get("mode")), given.get("seconds", 0)
        if mode not in MODES:
            raise HttpError(422, f"mode: expected one of {', '.join(MODES)}")
        if type(seconds) not in (int, float) or not 0 <= seconds <= 86400:
            raise HttpError(422, "seconds: expected a number from 0 to 86400")
        service.switch(mode, float(seconds))
        return Response(200, {"mode": service.mode})

    router = Router()
    router.add("GET", "/mode", lambda _: Response(200, {"mode": service.mode, "modes": MODES}))
    router.add("POST", "/mode", change)
    return router
