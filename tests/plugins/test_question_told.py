"""The channels of the environment hear that a question waits for its answer."""

from __future__ import annotations

from typing import Any

import pytest

from include.release.policies import Channel
from include.release.telling import Message
from tests.plugins.test_approve import POLICY, question

__all__ = ["question"]
CHAT = Channel(kind="webhook", connection="chat")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What the channels were sent; a broken one is sent nothing."""
    messages: list[Message] = []

    def send(channel: Channel, message: Message, _context: Any) -> None:
        if channel.connection == "broken":
            raise ConnectionError("refused")
        messages.append(message)

    monkeypatch.setattr("plugins.notifiers.telling.send", send)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
    return messages


def tells(made: Any, *channels: Channel) -> Any:
    """The question in an environment with these channels."""
    place = made.frozen.environment.model_copy(update={"tell": list(channels)})
    made.ti.values["freeze_and_check", "return_value"] = made.frozen.model_copy(
        update={"environment": place}
    ).to_json()
    return made


def test_who_may_answer_and_where_is_told_once(question, sent, records):
    asked = tells(question(), CHAT)
    asked.ask()
    asked.ask()
    [message] = sent
    assert message.subject == "[waits for approval] small (small) in test"
    assert message.paragraph == (
        "oncall asks for an approval. admin may answer, within 30 minutes; silence refuses. Nothing of small in test "
        "is deployed yet: this replaces nothing."
    )
    page = "http://airflow.example/dags/release/runs/run-1/tasks/approve/required_actions"
    assert message.links == {"Question in Airflow": page}
    assert message.details["Reason"] == "a test"
    assert message.details["Code of the question"] == asked.asked["code"]


def test_it_is_told_again_when_it_is_asked_again(question, sent, records):
    asked = tells(question(), CHAT)
    asked.ask()
    asked.touch()
    asked.asked_again(why="fine")
    assert sent[1].paragraph.startswith("Asked again (question 2, try 1): an earlier answer does not count")


def test_a_rollback_is_named_as_one(question, sent, records):
    tells(question("rollback"), CHAT).ask()
    assert sent[0].subject == "[waits for approval] rollback of small in test to small"


def test_a_channel_that_cannot_be_told_is_loud_and_the_question_is_asked_all_the_same(
    question, sent, records, capsys
):  # fmt: skip
    asked = tells(question(), Channel(kind="webhook", connection="broken"), CHAT)
    asked.ask()
    assert (len(asked.shown), len(sent)) == (1, 1)
    assert "webhook (connection broken): cannot be told: ConnectionError: refused" in capsys.readouterr().out


@pytest.mark.parametrize("case", ["dry run", "not needed", "not wanted"])
def test_nobody_is_told_where_nobody_is_asked_or_wants_to_hear(question, sent, records, case):
    channel = (
        Channel(kind="webhook", connection="chat", outcomes=["failed"]) if case == "not wanted" else CHAT
    )
    policy = POLICY.model_copy(update={"required": case != "not needed"})
    asked = tells(question(policy=policy, dry_run=case == "dry run"), channel)
    if case == "not wanted":
        asked.ask()
    else:
        asked.task.execute(asked.context)
    assert sent == []
