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
            self._read()

    def take(self, request: Request) -> Response:
        """Take a shipment; the second call is answered like the first, and refused when its contents are others."""
        given = request.json()
        key, quantity = given.get("key"), given.get("quantity")
        if not isinstance(key, str) or not key:
            raise HttpError(422, "key: expected a name")
        if type(quantity) is not int or not 1 <= quantity <= MOST_PIECES:
            raise HttpError(422, f"quantity: expected a number from 1 to {MOST_PIECES}")
        with self._lock:
            self.calls += 1
            known = self._keys.get(key)
            taken = {"key": key, "order": given.get("order"), "item": given.get("item"), "quantity": quantity}
            if known == taken:
                return Response(200, known)
            if known is not None:
                raise HttpError(
                    409,
                    f"key {key!r} was shipped already as {known.get('quantity')} of {known.get('item')!r}",
                )
            self._write(json.dumps(taken).encode() + b"\n")
            self._keys[key] = taken
            return Response(201, taken)

    def _read(self) -> None:
        """Read what was taken. A last line without its end was being written when the shipper was killed.

        Whoever sent that shipment has had no answer, and sends it again: it is dropped, and then taken once.

        Raises:
            ValueError: a whole line is no shipment.
        """
        whole, end, torn = self._path.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(self._path, len(whole + end))
            say(
                f"shipper: {self._path}: the last line was not written to its end ({len(torn)} bytes): dropped"
            )
        for number, line in enumerate((whole + end).splitlines(), start=1):
            try:
                found = json.loads(line)
                self._keys[found["key"]] = found
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self._path}, line {number} is no shipment: {line[:60]!r}") from error

    def _write(self, line: bytes) -> None:
        """Add a line, and have it on the disk; what could not be written whole is taken out again."""
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(f"{self._path}: no room for a whole line")
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, before)
                raise

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
