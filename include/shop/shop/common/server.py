"""A threaded HTTP/1.1 server that ends without dropping a request."""

from __future__ import annotations

import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Optional

from . import settings
from .logs import now, say
from .web import Response, Router

LARGEST_BODY = 1024 * 1024
"""Bytes; a larger request body is refused with 413."""

FIRST_REQUEST_SECONDS = 1.0
"""How long an ending server waits for the first request of a connection that was just accepted."""

LAST_ACCEPT_SECONDS = 0.5
"""How long an ending server goes on accepting connections that wait, at most."""

AccessLog = Callable[[str], None]


class _Exchange(BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 75  # seconds an idle connection is kept
    disable_nagle_algorithm = True
    server: Server

    def parse_request(self) -> bool:
        self.server.entered(self)
        return super().parse_request()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True  # the client went away
        finally:
            self.server.left(self)

    def _serve(self) -> None:
        started = time.monotonic()
        response = self._response()
        body, kind = response.encoded()
        if self.server.draining.is_set():
            self.close_connection = True
        lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        # One write for all: a response in two small packets waits for a delayed acknowledgement.
        self.wfile.write(head if self.command == "HEAD" else head + body)
        self.server.served(self, response.status, len(body), time.monotonic() - started)

    def _response(self) -> Response:
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            return Response(411, {"error": "a request body needs a Content-Length"})
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            return Response(
                413 if length.isdigit() else 400, {"error": f"Content-Length {length} is not accepted"}
            )
        body = self.rfile.read(int(length))
        method = "GET" if self.command == "HEAD" else self.command
        try:
            return self.server.router.answer(method, self.path, body)
        except Exception as error:  # an error in one request must not end the connection's others
            sys.stderr.write(f"{now()} {self.command} {self.path}: {type(error).__name__}: {error}\n")
            return Response(500, {"error": "internal error"})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """The access log is written by the server, after the response."""


class Server(socketserver.ThreadingTCPServer):
    """Listens on one address and answers with a router.

    Args:
        address: host and port; port 0 takes a free one.
        access_log: is given one line per request, probes excepted.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self, address: tuple[str, int], router: Router, access_log: Optional[AccessLog] = None
    ) -> None:
        self.router = router
        self.draining = threading.Event()
        self.counts: dict[int, int] = {}
        self.seconds = 0.0
        self._access_log = access_log
        self._guard = threading.Lock()
        self._busy: set[_Exchange] = set()
        self._fresh: dict[Any, float] = {}
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a connection's thread."""
        with self._guard:
            self._fresh[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._guard:
            self._fresh.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - signature of socketserver
        """Tell of an error outside of a request; a client that went away is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            sys.stderr.write(f"{now()} connection from {client_address}: {type(error).__name__}: {error}\n")

    def entered(self, exchange: _Exchange) -> None:
        """Count a request in, as soon as its first line is there."""
        with self._guard:
            self._busy.add(exchange)
            self._fresh.pop(exchange.request, None)

    def left(self, exchange: _Exchange) -> None:
        """Count a request out."""
        with self._guard:
            self._busy.discard(exchange)

    def served(self, exchange: _Exchange, status: int, size: int, seconds: float) -> None:
        """Count and log one response."""
        with self._guard:
            self.counts[status] = self.counts.get(status, 0) + 1
            self.seconds += seconds
        if self._access_log and exchange.path not in ("/healthz", "/readyz", "/metrics"):
            client = exchange.client_address[0]
            request = f"{exchange.command} {exchange.path} {exchange.request_version}"
            self._access_log(f'{now()} {client} "{request}" {status} {size} {seconds * 1000:.1f}ms')

    def place(self) -> str:
        """Return the address and port it listens on."""
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        """Begin to accept connections, in a thread."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def drain(self, drain_seconds: float, shutdown_seconds: float) -> bool:
        """End: refuse readiness, answer what still comes, close the listener, finish what is in flight.

        Returns:
            False when requests were still in flight after `shutdown_seconds`.
        """
        self.draining.set()
        time.sleep(drain_seconds)
        self.shutdown()
        self._accept_waiting()
        self.server_close()
        limit = time.monotonic() + shutdown_seconds
        while self._unfinished():
            if time.monotonic() > limit:
                return False
            time.sleep(0.01)
        return True

    def _accept_waiting(self) -> None:
        """Accept the connections the kernel completed already: closing the listener would reset them.

        With a limit: clients that come faster than they are accepted would keep the listener open for ever.
        """
        self.socket.setblocking(False)
        limit = time.monotonic() + LAST_ACCEPT_SECONDS
        while time.monotonic() < limit:
            try:
                request, client = self.get_request()
            except OSError:
                return
            request.setblocking(True)
            self.process_request(request, client)

    def _unfinished(self) -> bool:
        """Whether a request is in work, or a new connection may still send its first one."""
        young = time.monotonic() - FIRST_REQUEST_SECONDS
        with self._guard:
            return bool(self._busy) or any(since > young for since in self._fresh.values())


def run(server: Server, name: str, on_end: Callable[[], None] = lambda: None) -> int:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        server: bound, not yet started.
        name: how the program calls itself in its log.
        on_end: called when the signal has come, before draining.

    Returns:
        The program's exit status: 0, or 1 when requests had to be given up.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server.start()
    say(f"{name}: serving on {server.place()}")
    # Waiting with a timeout lets the interpreter run the signal handler on every platform.
    while not ending.wait(1):
        pass
    say(f"{name}: told to end, draining")
    on_end()
    finished = server.drain(settings.number("DRAIN_SECONDS", 1), settings.number("SHUTDOWN_SECONDS", 20))
    say(f"{name}: {'ended' if finished else 'ended with requests still in flight'}")
    return 0 if finished else 1
