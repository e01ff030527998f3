"""What a watch writes into its log, and what it waits for before it calls a cause unknown."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.kube import KubeError
from include.restarts import tails as reading
from include.restarts.doubts import Doubts
from include.restarts.explaining import explained
from include.restarts.facts import Restart
from include.restarts.saying import Saying
from include.restarts.tails import tails
from include.restarts.view import View
from tests.include.restarts.watch.shown import restart_status


def looks(saying: Saying, *steps: str) -> None:
    """One look each: ``!text`` is a trouble, anything else is news."""
    for step in steps:
        saying.begin()
        if step.startswith("!"):
            saying.trouble(step[1:])
        else:
            saying.news(step)


def test_what_was_decided_is_said_when_it_changes():
    said: list[str] = []
    looks(Saying(said.append), "none", "none", "one", "one", "none")
    assert said == ["none", "one", "none"]


def test_a_trouble_is_said_when_it_begins_and_then_once_a_minute(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    saying = Saying(said.append)
    for _ in range(120):  # a look every second, with an error text that differs each time
        looks(saying, f"!down {now[0]}")
        now[0] += 1
    assert said == ["down 100.0", "down 160.0"]


def test_the_end_of_a_trouble_is_said_and_its_return_too():
    said: list[str] = []
    looks(Saying(said.append), "none", "!down", "!down", "none", "!down again")
    assert said == ["none", "down", "none", "down again"]


def test_a_trouble_beside_the_news_repeats_neither():
    """Signs of life cannot be written, and the watch decides all the same."""
    said: list[str] = []
    saying = Saying(said.append)
    for _ in range(5):
        saying.begin()
        saying.trouble("no sign of life")
        saying.news("none")
    assert said == ["no sign of life", "none"]


def test_something_is_said_once():
    said: list[str] = []
    saying = Saying(said.append)
    for _ in range(3):
        saying.once("no nodes")
    assert said == ["no nodes"]


def restart(number: int = 1, **more: Any) -> Restart:
    facts = {"pod": "p", "pod_uid": "u", "container": "main", "number": number, "at": datetime.now(UTC)}
    return Restart.model_validate(facts | more)


def view(count: int = 1, message: str = "") -> View:
    pod = {"metadata": {"name": "p", "uid": "u"}, "spec": {}, "status": restart_status(count, message)}
    return View("shop", "app", datetime.now(UTC), deployment={"metadata": {}}, pods=[pod])


def test_an_unknown_cause_is_doubtful_for_a_moment():
    doubts = Doubts(seconds=0.2)
    doubts.note([restart()], view())
    assert doubts.any()
    assert [each.number for each in doubts.among([restart()], view(), set())] == [1]
    time.sleep(0.25)
    assert not doubts.any()
    assert doubts.among([restart()], view(), set()) == []


def test_what_is_known_or_old_or_unseen_is_not_doubtful():
    doubts = Doubts()
    old = datetime.now(UTC) - timedelta(minutes=5)
    doubts.note([restart(1, cause="oom"), restart(2, at=old), restart(3, seen=False)], view())
    assert not doubts.any()


def test_a_doubt_ends_when_the_cause_is_found():
    doubts = Doubts()
    doubts.note([restart()], view())
    doubts.note([restart(cause="network")], view())
    assert not doubts.any()


def test_a_later_end_of_the_container_is_not_taken_for_the_cause_of_an_earlier_one():
    doubts = Doubts()
    doubts.note([restart()], view(1))
    assert [each.number for each in doubts.among([restart()], view(1), set())] == [1]
    assert doubts.among([restart()], view(2), set()) == []
    assert doubts.among([restart()], view(1), {restart().key}) == []


class Logs:
    """A cluster that has logs, some of them slow."""

    def __init__(self, seconds: float = 0.0, error: KubeError | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.asked: list[tuple[str, str, bool]] = []
        self.at_once = self.most = 0

    async def log(self, namespace: str, pod: str, container: str, **more: Any) -> str:
        self.asked.append((pod, container, more["previous"]))
        assert (more["tail"], more["limit_bytes"]) == (50, 65536)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        if self.error:
            raise self.error
        return f"{pod} {'before' if more['previous'] else 'now'}"


async def test_both_logs_of_a_container_are_read_once():
    logs = Logs()
    found = await tails(logs, "shop", [("a", "main"), ("a", "main"), ("b", "main")])  # type: ignore[arg-type]
    assert found == {
        ("a", "main"): {"previous": "a before", "current": "a now"},
        ("b", "main"): {"previous": "b before", "current": "b now"},
    }
    assert len(logs.asked) == 4


async def test_logs_that_cannot_be_had_are_done_without():
    logs = Logs(error=KubeError(400, "previous terminated container not found", "GET"))
    assert await tails(logs, "shop", [("a", "main")]) == {  # type: ignore[arg-type]
        ("a", "main"): {"previous": None, "current": None}
    }
    assert await tails(logs, "shop", []) == {}  # type: ignore[arg-type]


async def test_logs_that_come_late_are_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    began = time.monotonic()
    found = await tails(Logs(seconds=5), "shop", [("a", "main")], seconds=0.1)  # type: ignore[arg-type]
    assert found == {("a", "main"): {"previous": None, "current": None}}
    monkeypatch.setattr(reading, "ALL_SECONDS", 0.3)
    logs = Logs(seconds=0.2)
    many = [(f"p{number}", "main") for number in range(40)]
    found = await tails(logs, "shop", many)  # type: ignore[arg-type]
    assert time.monotonic() - began < 2
    texts = [text for each in found.values() for text in each.values()]
    assert 0 < sum(text is not None for text in texts) <= 16
    assert logs.most <= reading.AT_ONCE


async def test_only_what_was_seen_is_explained():
    logs = Logs()
    found = await explained(
        logs,  # type: ignore[arg-type]
        view(2, "dial tcp 192.0.2.10:5010: connect: connection refused"),
        [restart(1, seen=False), restart(2), restart(1, pod_uid="gone", pod="gone")],
    )
    assert [each.cause for each in found] == ["unknown", "network", "unknown"]
    assert {pod for pod, _, _ in logs.asked} == {"p"}


async def test_secrets_do_not_come_into_the_evidence():
    text = "dial postgres://shop:hunter2@db:5432/x: connection refused password=hunter2"
    (found,) = await explained(Logs(), view(1, text), [restart()])  # type: ignore[arg-type]
    assert found.cause == "network"
    assert "hunter2" not in found.evidence
