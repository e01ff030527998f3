"""`python3 -m shop.gateway`: a payment gateway that can be broken on demand.

On its own port it charges, says what became of a key, and cancels a key, which is never charged then. On the control port, which always works, `POST /mode {"mode": "reset", "seconds": 30}`
breaks it (for some seconds, or until the next call), `GET /mode` tells, and `GET /charges` lists what was charged.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any, Optional

from .common import settings
from .common.logs import say
from .common.probes import add_probes
from .common.server import Server, run
from .common.web import HttpError, Request, Response, Router

MODES = {
    "ok": "charges",
    "refuse": "nothing listens",
    "reset": "each connection is reset",
    "timeout": "connections are accepted and never answered",
    "lost": "charges, but its answers never arrive",
    "500": "each request is answered with 500",
    "tls": "each connection gets bytes that are neither HTTP nor a TLS handshake",
}
GARBAGE = b"\x15\x03\x03\x00\x02\x02\x50" + b"\x00\xff" * 16 + b"\r\n"
LIMIT_CENTS = 1_000_000
"""A charge above it is declined."""


class Charges:
    """What became of each key: charged once, or cancelled for ever. Kept in a file, so that a restart forgets nothing.

    Args:
        path: the file, one JSON object per line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                found = json.loads(line)
                self._keys[found["key"]] = found

    def charge(self, request: Request) -> Response:
        """Charge, unless the key was charged before (the answer is the same then) or cancelled: 409."""
        given = request.json()
        key, amount = self._key(given), given.get("amount_cents")
        if type(amount) is not int or amount <= 0:
            raise HttpError(422, "amount_cents: expected a number above 0")
        with self._lock:
            known = self._keys.get(key)
            if known is None:
                if amount > LIMIT_CENTS:
                    raise HttpError(402, f"{amount} cents are above the limit of {LIMIT_CENTS}")
                number = sum("charge" in each for each in self._keys.values()) + 1
                known = self._keep({"key": key, "charge": f"ch-{number}", "amount_cents": amount})
        return Response(200 if "charge" in known else 409, known)

    def cancel(self, request: Request) -> Response:
        """Have a key never charged, unless it was: the answer says which, and stays so."""
        key = self._key(request.json())
        with self._lock:
            known = self._keys.get(key)
            return Response(200, self._keep({"key": key, "state": "cancelled"}) if known is None else known)

    def look(self, request: Request) -> Response:
        """Say what became of a key. One that is unknown may still be on its way."""
        key = request.values["key"]
        with self._lock:
            return Response(200, self._keys.get(key, {"key": key, "state": "unknown"}))

    def all(self) -> list[dict[str, Any]]:
        """Return every charge, oldest first."""
        with self._lock:
            return [each for each in self._keys.values() if "charge" in each]

    def _keep(self, entry: dict[str, Any]) -> dict[str, Any]:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._keys[entry["key"]] = entry
        return entry

    @staticmethod
    def _key(given: dict[str, Any]) -> str:
        key = given.get("key")
        if not isinstance(key, str) or not key:
            raise HttpError(422, "key: expected a name")
        return key


class Front(Server):
    """The listener that charges, or misbehaves as its mode says."""

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


class Gateway:
    """Switches the front between its modes."""

    def __init__(self, address: tuple[str, int], charges: Charges) -> None:
        self._address = address
        self._charges = charges
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
                self._front = Front(self._address, self._routes())
                self._address = self._address[0], int(self._front.server_address[1])
                self._front.start()
                say(f"gateway: charging on {self._front.place()}")
            if self._front is not None:
                self._front.mode = mode
            while mode != "timeout" and stuck:
                stuck.pop().close()
            self.mode = mode
            if seconds:
                self._timer = threading.Timer(seconds, self.switch, ("ok",))
                self._timer.daemon = True
                self._timer.start()
        say(f"gateway: {mode}: {MODES[mode]}" + (f", for {seconds:g} s" if seconds else ""))

    def _routes(self) -> Router:
        router = Router()
        router.add("POST", "/charge", self._unless_broken(self._charges.charge))
        router.add("POST", "/cancel", self._unless_broken(self._charges.cancel))
        router.add("GET", "/charges/{key}", self._unless_broken(self._charges.look))
        router.add("GET", "/ping", self._unless_broken(lambda _: Response(200, {"gateway": "here"})))
        return router

    def _unless_broken(self, handler: Any) -> Any:
        return lambda r: Response(500, {"error": "broken on demand"}) if self.mode == "500" else handler(r)


def control(gateway: Gateway, charges: Charges) -> Router:
    """Return the routes of the control port."""

    def change(request: Request) -> Response:
        given = request.json()
        mode, seconds = str(given.get("mode")), given.get("seconds", 0)
        if mode not in MODES:
            raise HttpError(422, f"mode: expected one of {', '.join(MODES)}")
        if type(seconds) not in (int, float) or not 0 <= seconds <= 86400:
            raise HttpError(422, "seconds: expected a number from 0 to 86400")
        gateway.switch(mode, float(seconds))
        return Response(200, {"mode": gateway.mode})

    router = Router()
    router.add("GET", "/mode", lambda _: Response(200, {"mode": gateway.mode, "modes": MODES}))
    router.add("POST", "/mode", change)
    router.add("GET", "/charges", lambda _: Response(200, {"charges": charges.all()}))
    return router


def serve() -> int:
    """Serve until told to end; return the exit status."""
    host = settings.listen_host()
    charges = Charges(Path(settings.text("GATEWAY_LEDGER", "/data/charges.jsonl")))
    gateway = Gateway((host, settings.whole("PORT", 5010)), charges)
    router = control(gateway, charges)
    server = Server((host, settings.whole("CONTROL_PORT", 5011)), router)
    add_probes(router, "gateway", lambda: server)
    status = run(server, "gateway")
    gateway.switch("refuse")
    return status


def main() -> int:
    """Run the program; a setting it cannot work with is told in one line."""
    try:
        return serve()
    except (settings.SettingError, OSError, ValueError) as error:
        say(f"gateway: cannot start: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
