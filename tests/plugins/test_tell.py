"""Telling people, with a real SMTP server and a real webhook."""

from __future__ import annotations

import email
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from airflow.sdk.exceptions import AirflowSkipException

from include.release.policies import Channel
from tests.plugins.endings import ended, make_dag

SECRET = "T000-the-secret-of-the-webhook"
CONCLUSION = {"outcome": "released", "text": "It was released. {{ 1 + 1 }}", "good": True}
LEFT = {("conclude", "conclusion"): CONCLUSION, ("as_built_document", "return_value"): "file:///documents/a.md",
        ("approve", "return_value"): {"by": "admin"}}  # fmt: skip
MAIL = Channel(kind="email", connection="mail", to=["sre@example.com", "boss@example.com"])
CHAT = Channel(kind="webhook", connection="chat")
LOG = Channel(kind="log")


class Mailbox:
    """What an SMTP server was given."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.letters.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    found = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(found, hostname="127.0.0.1", port=port)
    server.start()
    extra = {
        "from_email": "releases@example.com",
        "disable_ssl": True,
        "disable_tls": True,
        "retry_limit": 1,
        "timeout": 2,
    }
    value = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(value))
    yield found
    server.stop()


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The messages that a webhook was given; answers with the first of ``statuses`` that is left."""
    messages: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messages.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    value = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{server.server_port}/{SECRET}"}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(value))
    yield messages
    server.shutdown()
    server.server_close()


@pytest.fixture
def tell(records: Any) -> Any:
    return make_dag().get_task("tell")


def test_everyone_on_the_list_is_told_once(tell, small, mailbox, chat, capsys):
    frozen = small(tell=[LOG, MAIL, CHAT])
    context = ended(frozen, {}, LEFT, reason="{{ conn.mail.password }} <now>")
    told = {"told": ["the task log", "email to sre@example.com, boss@example.com (connection mail)",
                     "webhook (connection chat)"], "before": [], "failed": []}  # fmt: skip
    assert tell.execute(context) == told
    [(to, letter)] = mailbox.letters
    assert to == ["sre@example.com", "boss@example.com"]
    assert letter["Subject"] == "[released] small (small) in test"
    assert letter["From"] == "releases@example.com"
    body = letter.get_payload(0).get_payload(decode=True).decode()
    for part in (
        "It was released. {{ 1 + 1 }}",
        "{{ conn.mail.password }} &lt;now&gt;",
        "file:///documents/a.md",
        "admin",
    ):
        assert part in body
    [(path, message)] = chat
    assert path == f"/{SECRET}"
    assert "It was released. {{ 1 + 1 }}" in message["text"]
    assert "{{ conn.mail.password }} &lt;now&gt;" in message["text"]
    said = capsys.readouterr().out
    assert "It was released. {{ 1 + 1 }}" in said
    assert SECRET not in said
    # A rerun finds who was told.
    assert tell.execute(context) == {"told": [], "before": told["told"], "failed": []}
    assert (len(mailbox.letters), len(chat)) == (1, 1)


def test_a_channel_that_fails_is_loud_and_stops_nobody_else(tell, small, mailbox, chat, monkeypatch, capsys):
    broken = Channel(kind="webhook", connection="broken")
    missing = Channel(kind="email", connection="missing", to=["a@example.com"])
    value = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:9/{SECRET}"}
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps(value))
    monkeypatch.setattr("plugins.notifiers.chat.RETRIES", 0)
    context = ended(small(tell=[broken, missing, MAIL]), {}, LEFT)
    result = tell.execute(context)
    assert result["told"] == ["email to sre@example.com, boss@example.com (connection mail)"]
    assert len(result["failed"]) == 2
    said = capsys.readouterr().out
    assert "NOT TOLD: webhook (connection broken); email to a@example.com (connection missing)" in said
    assert SECRET not in said
    # Told when it works again; the other one is not told twice.
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "slackwebhook://")
    assert tell.execute(context)["before"] == result["told"]
    assert len(mailbox.letters) == 1


def test_records_that_cannot_be_read_do_not_keep_people_from_being_told(tell, small, chat, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", "mysql://nowhere")
    assert tell.execute(ended(small(tell=[CHAT]), {}, LEFT))["told"] == ["webhook (connection chat)"]
    assert len(chat) == 1


def test_only_the_outcomes_that_a_channel_asks_for(tell, small, chat):
    quiet = Channel(kind="webhook", connection="chat", outcomes=["failed"])
    assert tell.execute(ended(small(tell=[quiet]), {}, LEFT)) == {"told": [], "before": [], "failed": []}
    assert chat == []


def test_a_run_that_somebody_ended_is_told_too(tell, small, chat, connection, cluster):
    connection(cluster.kubeconfig)
    states = dict.fromkeys(["deploy", "smoke_check", "conclude"], "")
    tell.execute(ended(small(tell=[CHAT]), states))
    [(_, message)] = chat
    assert message["text"].startswith("*[interrupted] small (small) in test*")


def test_a_release_that_was_refused_at_once_is_told_by_the_file(tell, chat, project):
    path = project / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("- {kind: log}", "- {kind: webhook, connection: chat}"))
    failure = {"reason": "the change window is closed", "kind": "refused"}
    states = {"freeze_and_check": "failed", "conclude": ""} | dict.fromkeys(
        ["gate", "preflight", "approve", "configure", "deploy", "smoke_check"], "upstream_failed"
    )
    tell.execute(ended(None, states, {("freeze_and_check", "failure"): failure}))
    [(_, message)] = chat
    assert message["text"].startswith("*[refused] release-1 in production*")
    assert "the change window is closed" in message["text"]


@pytest.mark.parametrize("known", [True, False])
def test_the_subject_of_a_rollback_says_that_it_is_one(records, small, known):
    tell = make_dag(kind="rollback").get_task("tell")
    left = {("conclude", "conclusion"): CONCLUSION | {"outcome": "rolled back" if known else "refused"}}
    context = ended(small() if known else None, {}, left, app="small", target="small", environment="test")
    assert tell.message(context).subject == (
        f"[{'rolled back' if known else 'refused'}] rollback of small in test to small"
    )


def test_a_dry_run_tells_nobody(tell, small, chat):
    with pytest.raises(AirflowSkipException):
        tell.execute(ended(small(tell=[CHAT]), {}, LEFT, dry_run=True))
    assert chat == []
