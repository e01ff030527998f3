"""`python3 -m shop.shipper`: takes shipments of orders, each key once, and can be broken on demand.

On its own port `POST /shipments`; on the control port, which always works, `POST /mode` breaks it as it does the
payment gateway, and `GET /shipments` lists what was taken.
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

MOST_PIECES = 100
"""A larger shipment is refused."""


class Shipments:
    """What was taken, by key. Kept in a file, so that a restart forgets nothing.

    Args:
        path: the file, one JSON object per line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, Any]] = {}
        self.calls = 0
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                found = json.loads(line)
                self._keys[found["key"]] = found

    def take(self, request: Request) -> Response:
        """Take a shipment; the second call with a key is answered with what the first one was."""
        given = request.json()
        key, quantity = given.get("key"), given.get("quantity")
        if not isinstance(key, str) or not key:
            raise HttpError(422, "key: expected a name")
        if type(quantity) is not int or not 1 <= quantity <= MOST_PIECES:
            raise HttpError(422, f"quantity: expected a number from 1 to {MOST_PIECES}")
        with self._lock:
            self.calls += 1
            known = self._keys.get(key)
            if known is not None:
                return Response(200, known)
            taken = {"key": key, "order": given.get("order"), "item": given.get("item"), "quantity": quantity}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(taken) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._keys[key] = taken
            return Response(201, taken)

    def all(self) -> dict[str, Any]:
        """Return every shipment, oldest first, and how often the shipper was called."""
        with self._lock:
            return {"shipments": list(self._keys.values()), "calls": self.calls}


def serve() -> int:
    """Serve until told to end; return the exit status."""
    host = settings.listen_host()
    shipments = Shipments(Path(settings.text("SHIPPER_LEDGER", "/data/shipments.jsonl")))
    routes = Router()
    routes.add("POST", "/shipments", shipments.take)
    service = Breakable("shipper", "taking shipments", (host, settings.whole("PORT", 5020)), routes)
    router = control(service)
    router.add("GET", "/shipments", lambda _: Response(200, shipments.all()))
    server = Server((host, settings.whole("CONTROL_PORT", 5021)), router)
    add_probes(router, "shipper", lambda: server)
    status = run(server, "shipper")
    service.switch("refuse")
    return status


def main() -> int:
    """Run the program; a setting it cannot work with is told in one line."""
    try:
        return serve()
    except (settings.SettingError, OSError, ValueError) as error:
        say(f"shipper: cannot start: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
