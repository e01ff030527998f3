"""The load client: counts each request once, by what became of it, and tries none again."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tools.bench.load import ANSWERED, Call, Load, Report

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BAD = b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 13\r\n\r\n{"ready": no}'
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"


class Server:
    """Answers the n-th request with the n-th answer, then with the last for ever; None resets the connection."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers, self.requests, self.connections = list(answers), 0, 0
        self.guard = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            while b"\r\n\r\n" in (data := connection.recv(65536)):
                assert data
                with self.guard:
                    self.requests += 1
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(answer)
                if answer in (LAST, SHORT):
                    return


@pytest.fixture
def ask() -> Iterator[Callable[..., tuple[Report, Server]]]:
    servers = []

    def go(*answers: bytes | None, least: int = 10) -> tuple[Report, Server]:
        server = Server(*answers)
        servers.append(server)
        load = Load("127.0.0.1", server.socket.getsockname()[1], [Call("GET", "/")], clients=2, pause=0.001)
        load.start()
        deadline = time.monotonic() + 10
        while load.requests < least:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return load.stop(), server

    yield go
    for server in servers:
        server.socket.close()


def outcomes(report: Report) -> set[str]:
    return {outcome for _, _, outcome in report.counts}


def test_good_answers_are_no_failures(ask):
    report, server = ask(GOOD, least=20)
    assert (report.failed, outcomes(report)) == (0, {ANSWERED})
    assert report.requests == server.requests == report.answered("GET /")
    # one connection for each request of one client, and one for all of the other
    new = sum(number for (client, _, _), number in report.counts.items() if client == "new connection")
    assert server.connections == new + 1


def test_a_client_that_keeps_its_connection_heeds_that_the_server_closes_it(ask):
    report, server = ask(LAST, least=20)
    assert (report.failed, server.connections) == (0, report.requests)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(BAD, "status 503"), (None, "reset"), (SHORT, "broken off"), (b"hello\r\n\r\n", "no HTTP answer")],
)
def test_whatever_else_comes_is_one_failure_and_not_tried_again(ask, answer, outcome):
    report, server = ask(GOOD, GOOD, answer, GOOD, least=20)
    assert [failure.outcome for failure in report.failures] == [outcome]
    assert report.requests == server.requests
    assert f"1  GET / ({report.failures[0].client}): {outcome}" in report.text()


def test_nobody_who_listens_is_a_failure_too():
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    load = Load("127.0.0.1", port, [Call("GET", "/")], clients=2, pause=0.001)
    load.start()
    time.sleep(0.05)
    report = load.stop()
    assert {failure.outcome for failure in report.failures} == {"refused"}
    assert report.failed == report.requests > 0
    assert "ConnectionRefusedError" in report.text(1)
    assert f"and {report.failed - 1} more" in report.text(1)
