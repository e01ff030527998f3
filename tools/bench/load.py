"""Clients that send requests to a Service without a pause and never try one again; every answer is accounted for.

Built on ``http.client``, because it retries nothing: other clients repeat a GET by themselves when a kept connection
turns out to be closed, and what is looked for here would be hidden.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

ANSWERED = "answered"
ClientKind = Literal["new connection", "kept connection"]
KINDS: tuple[ClientKind, ...] = ("new connection", "kept connection")
"""One connection per request, or one for many until the server says that it closes it."""


@dataclass(frozen=True)
class Call:
    """A request and the status that answers it.

    ``body`` makes the body from the request's number, so that no two writes are the same.
    """

    method: str
    path: str
    status: int = 200
    body: Callable[[int], dict[str, Any]] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Failure:
    """A request that was not answered as it should be. ``at`` is in seconds since the epoch."""

    at: float
    client: ClientKind
    call: str
    outcome: str
    detail: str

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")[11:]
        return f"{moment}  {self.call} ({self.client}): {self.outcome}: {self.detail}"


@dataclass
class Report:
    """What became of all requests."""

    counts: Counter[tuple[ClientKind, str, str]] = field(default_factory=Counter)
    """By client, call and outcome."""
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def requests(self) -> int:
        """All requests that were sent or tried."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Those that were not answered as they should be."""
        return len(self.failures)

    def answered(self, call: str) -> int:
        """How many requests of one call were answered as they should be."""
        return sum(n for (_, name, outcome), n in self.counts.items() if (name, outcome) == (call, ANSWERED))

    def text(self, most: int = 10) -> str:
        """The counts, and the first failures."""
        lines = [f"{self.requests} requests in {self.seconds:.1f} s, {self.failed} failed"]
        for (client, call, outcome), number in sorted(self.counts.items()):
            lines.append(f"  {number:6d}  {call} ({client}): {outcome}")
        lines += [f"  {failure}" for failure in self.failures[:most]]
        if self.failed > most:
            lines.append(f"  and {self.failed - most} more")
        return "\n".join(lines)


class Load:
    """Clients in threads, half of each kind, going round the calls until they are told to stop.

    Args:
        host: address of the Service.
        port: its port.
        calls: what is asked in turn.
        clients: how many at once; at least one of each kind.
        pause: seconds between an answer and the next request of the same client.
        timeout: seconds after which a request has failed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        calls: Sequence[Call],
        *,
        clients: int = 8,
        pause: float = 0.03,
        timeout: float = 10.0,
    ) -> None:
        self._where, self._calls, self._pause, self._timeout = (host, port), calls, pause, timeout
        self._numbers = itertools.count(1)
        self._ending = threading.Event()
        self._guard = threading.Lock()
        self._report = Report()
        self._begun = 0.0
        self._threads = [
            threading.Thread(target=self._client, args=(KINDS[index % 2], index), daemon=True)
            for index in range(max(clients, len(KINDS)))
        ]

    def start(self) -> None:
        """Begin."""
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()

    @property
    def requests(self) -> int:
        """How many there were so far."""
        with self._guard:
            return self._report.requests

    def stop(self) -> Report:
        """End when every request in flight has its answer; what became of them all."""
        self._ending.set()
        for thread in self._threads:
            thread.join(self._timeout + 5)
        if any(thread.is_alive() for thread in self._threads):
            raise RuntimeError("a client does not end: its request counts neither as answered nor as failed")
        self._report.seconds = time.monotonic() - self._begun
        self._report.failures.sort(key=lambda failure: failure.at)
        return self._report

    def _client(self, kind: ClientKind, offset: int) -> None:
        connection = self._connection()
        try:
            for turn in itertools.count(offset):
                if self._ending.is_set():
                    return
                call = self._calls[turn % len(self._calls)]
                fault = self._ask(connection, kind, call)
                if fault or kind == "new connection":
                    connection.close()
                self._ending.wait(self._pause)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._where, timeout=self._timeout)

    def _ask(self, connection: http.client.HTTPConnection, kind: ClientKind, call: Call) -> str:
        """Send one request once; returns its outcome unless it was answered as it should be."""
        begun, at = time.monotonic(), time.time()
        content = json.dumps(call.body(next(self._numbers))) if call.body else None
        headers = {"Content-Type": "application/json"} if content else {}
        if kind == "new connection":
            headers["Connection"] = "close"
        outcome, detail = ANSWERED, ""
        try:
            connection.request(call.method, call.path, content, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            if answer.status != call.status:
                outcome, detail = f"status {answer.status}", text.strip()[:200]
        except (OSError, http.client.HTTPException) as error:
            outcome, detail = classify(error), f"{type(error).__name__}: {error}"
        with self._guard:
            self._report.counts[kind, str(call), outcome] += 1
            self._report.slowest = max(self._report.slowest, time.monotonic() - begun)
            if outcome != ANSWERED:
                self._report.failures.append(Failure(at, kind, str(call), outcome, detail))
        return "" if outcome == ANSWERED else outcome


def classify(error: Exception) -> str:
    """In one word or two, how a request without a whole answer ended."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "broken off"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    if isinstance(error, TimeoutError):
        return "timed out"
    return "no HTTP answer"


@contextlib.contextmanager
def under_load(load: Load) -> Iterator[list[Report]]:
    """Run a block under load; the list has the report afterwards, whatever became of the block."""
    reports: list[Report] = []
    load.start()
    try:
        yield reports
    finally:
        reports.append(load.stop())


SHOP_CALLS = (
    Call("GET", "/menu"),
    Call("GET", "/catalog?q=&sort=name"),
    Call("POST", "/orders", 201, lambda number: {"user_id": 1, "item": f"plant {number}"}),
    Call("GET", "/users/1"),
    Call("GET", "/orders"),
)
"""Pages that releases 1 and 2 both have, and a write."""
USER_CALL = Call(
    "POST",
    "/users",
    201,
    lambda number: {
        "first_name": "Ada",
        "middle_name": "N.",
        "last_name": "Load",
        "email": f"load-{number}-{time.time_ns()}@example.com",
        "password": "Long-enough-42-for-all",
    },
)
"""A second write; its password costs the server some CPU."""
