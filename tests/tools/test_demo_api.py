"""The demo's client of Airflow's API, against a server that has errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.demo import api
from tools.demo.options import DemoError

LOCKED = 500
"""What Airflow answers while its SQLite is locked."""


class Server(ThreadingHTTPServer):
    """Answers with the statuses given, one after the other; the last one from then on."""

    statuses: list[int]
    asked: int = 0


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses[min(self.server.asked, len(self.server.statuses) - 1)]
        self.server.asked += 1
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(api, "PAUSES", (0.0, 0.0))
    with Server(("127.0.0.1", 0), Answer) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("statuses", "asked"),
    [([200], 1), ([LOCKED, LOCKED, 200], 3), ([LOCKED, 409], 2)],
    ids=["at once", "locked for a while", "taken, though the answer was an error"],
)
def test_a_locked_database_does_not_end_the_demo(server: Server, statuses: list[int], asked: int) -> None:
    server.statuses = statuses
    api.Airflow(f"http://127.0.0.1:{server.server_port}", "oncall", "").trigger("demo-1", {})
    assert server.asked == asked


@pytest.mark.parametrize(("status", "asked"), [(LOCKED, 3), (403, 1)])
def test_an_error_that_stays_ends_it_with_what_airflow_says(server: Server, status: int, asked: int) -> None:
    server.statuses = [status]
    with pytest.raises(DemoError, match=f"refuses the run demo-1: {status}"):
        api.Airflow(f"http://127.0.0.1:{server.server_port}", "oncall", "").trigger("demo-1", {})
    assert server.asked == asked
