"""The sign of life to a monitor outside: sent, tried again, and its URL never in a log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from include.release.problems import RejectedError
from plugins.operators import heartbeat
from plugins.operators.heartbeat import send_heartbeat

SECRET = "a-very-secret-id"


class Monitor(BaseHTTPRequestHandler):
    asked: list[str] = []
    answers: list[int] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Monitor]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point(monkeypatch, f"http://127.0.0.1:{server.server_port}/{SECRET}")
    monkeypatch.setattr(heartbeat, "WAIT_SECONDS", 0.0)
    Monitor.asked.clear()
    Monitor.answers[:] = []
    yield Monitor
    server.shutdown()


def point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OUTSIDE", json.dumps({"conn_type": "generic", "password": url}))


def send() -> str:
    return send_heartbeat(BaseOperator(task_id="heartbeat"), "outside")


def test_the_monitor_hears_of_it(monitor: type[Monitor]):
    assert send() == "200 OK"
    assert monitor.asked == [f"/{SECRET}"]


def test_it_is_tried_again(monitor: type[Monitor]):
    monitor.answers[:] = [503, 503]
    assert send() == "200 OK"
    assert len(monitor.asked) == 3


@pytest.mark.parametrize("case", ["refused", "down", "missing"])
def test_what_is_wrong_is_said_without_the_url(
    monitor: type[Monitor], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
):
    found = {
        "refused": "404 Not Found",
        "down": "no answer (ConnectionError)",
        "missing": "no such connection",
    }
    if case == "refused":
        monitor.answers[:] = [404] * 3
    elif case == "down":
        point(monkeypatch, f"http://127.0.0.1:1/{SECRET}")
    else:
        monkeypatch.delenv("AIRFLOW_CONN_OUTSIDE")
    with pytest.raises(RejectedError) as caught:
        send()
    assert found[case] in str(caught.value)
    assert SECRET not in str(caught.value) + capsys.readouterr().out
