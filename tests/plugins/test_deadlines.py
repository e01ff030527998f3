"""A run that does not end in time is told to the procedure's channels."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from include.release.policies import Channel
from include.release.telling import Message
from plugins import deadlines
from plugins.deadlines import must_end_within, tell_late

CHAT = Channel(kind="webhook", connection="chat")
LATE = {
    "dag_id": "log_cleanup",
    "dag_run_id": "scheduled__1",
    "state": "running",
    "start_date": "2026-11-21T03:00:00Z",
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    messages: list[Message] = []

    def send(channel: Channel, message: Message, _context: Any) -> None:
        if channel.connection == "broken":
            raise ConnectionError("https://secret.example")
        messages.append(message)

    monkeypatch.setattr(deadlines, "send", send)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
    return messages


def call(*channels: Channel, state: str = "running") -> str:
    """As the triggerer does: by path, with what was kept in the database."""
    alert = must_end_within(timedelta(hours=2), title="the clean-up", tell=channels, what_now="Look.")
    assert alert.callback.path == "plugins.deadlines.tell_late"
    return asyncio.run(tell_late(**alert.callback.kwargs, context={"dag_run": {**LATE, "state": state}}))


def test_a_run_that_is_late_is_told_with_its_state_and_link(sent: list[Message]):
    assert call(CHAT) == "told: webhook (connection chat)"
    (message,) = sent
    assert message.subject == "[alert] log_cleanup is late"
    assert message.paragraph == (
        "log_cleanup (the clean-up): run scheduled__1 should have ended within 120 minutes and is running since "
        "Sat 21 Nov 03:00 UTC. What now: Look."
    )
    assert message.links == {"Run in Airflow": "http://airflow.example/dags/log_cleanup/runs/scheduled__1"}


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_has_ended_by_then_is_not_told_as_late(sent: list[Message], state: str):
    assert call(CHAT, state=state) == f"not told: scheduled__1 has ended, state {state}"
    assert sent == []


def test_a_channel_that_is_broken_keeps_nobody_from_being_told(sent: list[Message]):
    assert call(Channel(kind="webhook", connection="broken"), CHAT) == "told: webhook (connection chat)"


def test_when_nobody_could_be_told_it_fails_without_the_address(sent: list[Message]):
    with pytest.raises(RuntimeError, match="ConnectionError") as caught:
        call(Channel(kind="webhook", connection="broken"))
    assert "secret" not in str(caught.value)


def test_channels_that_want_no_failures_are_left_out(sent: list[Message]):
    assert call(Channel(kind="log", outcomes=["released"])) == "told: nobody"


def test_the_answer_is_a_text_as_anything_else_ends_the_triggerer(sent: list[Message]):
    """Airflow 3.3.2 writes it into a text column, in the triggerer's own loop: all guards would go blind."""
    from airflow.models.callback import Callback

    assert Callback.__table__.c.output.type.python_type is str
    assert type(call(CHAT)) is str
