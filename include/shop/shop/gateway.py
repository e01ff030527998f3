"""`python3 -m shop.gateway`: a payment gateway that can be broken on demand.

On its own port it charges, says what became of a key, and cancels a key, which is never charged then. On the control port, which always works, `POST /mode {"mode": "reset", "seconds": 30}`
breaks it (for some seconds, or until the next call), `GET /mode` tells, and `GET /charges` lists what was charged.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from .common import settings
from .common.breaking import Breakable, control
from .common.logs import say
from .common.probes import add_probes
from .common.server import Server, run
from .common.web import HttpError, Request, Response, Router

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


def routes(charges: Charges) -> Router:
    """Return the gateway's own routes."""
    router = Router()
    router.add("POST", "/charge", charges.charge)
    router.add("POST", "/cancel", charges.cancel)
    router.add("GET", "/charges/{key}", charges.look)
    router.add("GET", "/ping", lambda _: Response(200, {"gateway": "here"}))
    return router


def serve() -> int:
    """Serve until told to end; return the exit status."""
    host = settings.listen_host()
    charges = Charges(Path(settings.text("GATEWAY_LEDGER", "/data/charges.jsonl")))
    gateway = Breakable("gateway", "charging", (host, settings.whole("PORT", 5010)), routes(charges))
    router = control(gateway)
    router.add("GET", "/charges", lambda _: Response(200, {"charges": charges.all()}))
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
