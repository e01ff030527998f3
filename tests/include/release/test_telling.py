"""The message about a change, and to whom it goes."""

from __future__ import annotations

import pytest

from include.release.policies import Channel
from include.release.problems import RejectedError
from include.release.telling import Message, channels_for, key_of, name_of, rollback_title

MESSAGE = Message(
    outcome="rolled back",
    title="release-2 (shop) in production",
    paragraph="It failed at `smoke_check`: 1 < 2 & 3 > 2.",
    details={"Asked for by": "oncall", "Reason": "<!channel> <b>now</b>\nplease", "Approved by": ""},
    links={
        "Run in Airflow": "http://airflow/dags/release/runs/1",
        "Document": "file:///documents/a.md",
        "None": "",
    },
)


def test_the_outcome_is_the_first_thing_to_read():
    assert MESSAGE.subject == "[rolled back] release-2 (shop) in production"


def test_a_rollback_is_not_taken_for_a_release_that_was_rolled_back():
    title = rollback_title("shop", "production", "release-1")
    message = Message("rolled back", title, "Done.", {}, {})
    assert message.subject == "[rolled back] rollback of shop in production to release-1"


def test_plain_text():
    assert MESSAGE.plain() == (
        "[rolled back] release-2 (shop) in production\n\nIt failed at `smoke_check`: 1 < 2 & 3 > 2.\n\n"
        "Asked for by: oncall\nReason: <!channel> <b>now</b> please\n"
        "Run in Airflow: http://airflow/dags/release/runs/1\nDocument: file:///documents/a.md"
    )


def test_an_email_takes_nothing_for_markup():
    text = MESSAGE.as_html()
    assert "&lt;b&gt;now&lt;/b&gt; please" in text
    assert "1 &lt; 2 &amp; 3 &gt; 2" in text
    assert '<a href="http://airflow/dags/release/runs/1">' in text
    assert "<td>file:///documents/a.md</td>" in text
    assert "Approved by" not in text


def test_a_chat_message_mentions_nobody():
    text = MESSAGE.as_chat()
    assert text.startswith("*[rolled back] release-2 (shop) in production*\n")
    assert "&lt;!channel&gt;" in text
    assert "<http://airflow/dags/release/runs/1|Run in Airflow>" in text
    assert "Document: file:///documents/a.md" in text


def test_only_who_wants_to_hear_of_an_outcome_is_told_once():
    log, bad = (
        Channel(kind="log"),
        Channel(kind="webhook", connection="chat", outcomes=["failed", "rolled back"]),
    )
    assert channels_for([log, bad, log], "released") == [log]
    assert channels_for([log, bad], "rolled back") == [log, bad]


def test_the_same_is_told_once_and_something_new_again():
    mail = Channel(kind="email", to=["a@example.com", "b@example.com"])
    turned = Channel(kind="email", to=["b@example.com", "a@example.com"])
    assert key_of("release/1", mail, MESSAGE) == key_of("release/1", turned, MESSAGE)
    others = {
        key_of("release/2", mail, MESSAGE),
        key_of("release/1", Channel(kind="email", to=["a@example.com"]), MESSAGE),
        key_of("release/1", Channel(kind="log"), MESSAGE),
        key_of("release/1", Channel(kind="webhook", connection="chat"), MESSAGE),
        key_of("release/1", mail, Message("released", MESSAGE.title, "All well.", {}, {})),
        key_of("release/1", mail, MESSAGE),
    }
    assert len(others) == 6
    assert all(len(key) < 500 for key in others)


def test_channels_are_named_without_a_secret():
    assert name_of(Channel(kind="log")) == "the task log"
    assert name_of(Channel(kind="webhook", connection="chat")) == "webhook (connection chat)"
    assert name_of(Channel(kind="email", to=["a@b.c"])) == "email to a@b.c (connection default)"


def test_a_channel_that_can_tell_nobody_is_refused_with_its_line(sources):
    path = sources.config / "environments.yaml"
    path.write_text(path.read_text().replace("- {kind: log}", "- {kind: email}\n      - {kind: webhook}"))
    with pytest.raises(RejectedError) as raised:
        sources.environments()
    for text in (
        "tell[0]",
        "addresses for an e-mail, such as to: [sre@example.com]",
        "tell[1]",
        "the webhook's URL",
    ):
        assert text in str(raised.value)
