"""A batch whose node is lost: its pod stays in the cluster, and its log cannot be read any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import include.jobs.carrying as carrying
import include.orders.following as following
from include.orders.facts import Kept
from include.orders.following import Follower
from include.release.kube import KubeError
from tests.include.orders.world import known, orders


class LostNode:
    """What the API server says of it. Time runs a thousand times as fast."""

    def __init__(self, *, held: bool = False) -> None:
        self.notes: dict[str, str] = {}
        self.suspended, self.held = False, held
        self.asked = 0

    def job(self) -> dict[str, Any]:
        pod = {"spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c"}]}}
        return {
            "metadata": {"name": "batch", "annotations": dict(self.notes)},
            "spec": {"suspend": self.suspended, "activeDeadlineSeconds": 3300, "template": pod},
        }

    def get(self, *_: Any) -> dict[str, Any]:
        return self.job()

    def list(self, kind: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        status = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}}]}
        return [{"metadata": {"name": "pod"}, "status": status}] if kind == "Pod" else []

    def patch(self, _kind: str, _namespace: str, _name: str, change: dict[str, Any]) -> None:
        self.notes |= change["metadata"]["annotations"]
        self.suspended = self.suspended or "spec" in change

    def follow_log(self, *_: Any, timeout: float, since: str) -> Iterator[str]:
        self.asked += 1
        assert self.asked < 20
        if self.asked == 1:
            yield "Startup..."
        time.sleep(timeout / 1000)
        if self.held:
            self.suspended, self.notes = True, {"plan-reduce-repeat/held": "release/run-1 at noon"}
        raise KubeError(0, "Read timed out.", "log of pod pod")


def follow(monkeypatch: Any, node: LostNode) -> Any:
    fast = SimpleNamespace(monotonic=lambda: time.monotonic() * 1000, sleep=lambda _: time.sleep(0.001))
    monkeypatch.setattr(carrying, "time", fast)
    monkeypatch.setattr("include.orders.following.time", fast)
    follower = Follower(node, "ns", orders(), known(), 4, lambda at: Kept(since=at), lambda _: None)  # type: ignore[arg-type]
    return follower.follow(node.job(), 1)


def test_it_is_stopped_after_its_silence_and_not_read_for_ever(monkeypatch):
    node = LostNode()
    ended = follow(monkeypatch, node)
    assert ended.judgement.verdict == "broken"
    assert ended.end.end == "stopped"
    assert (node.suspended, node.asked) == (True, 1)


def test_one_that_gave_way_meanwhile_did_not_hang(monkeypatch):
    ended = follow(monkeypatch, LostNode(held=True))
    assert (ended.how, ended.judgement.verdict) == ("held", "clean")


def test_of_a_log_that_never_ends_ever_fewer_lines_are_repeated(monkeypatch):
    monkeypatch.setattr(following, "MOST_SAID", 20)
    said: list[str] = []
    follower = Follower(LostNode(), "ns", orders(), known(), 4, lambda at: Kept(since=at), said.append)  # type: ignore[arg-type]
    log = following._Log(follower, "batch", datetime.now(UTC))
    for number in range(1, 20_001):
        log.line(f"Processing Order {number}")
    assert said[:21] == [*(f"    Processing Order {n}" for n in range(1, 21)),
                         "    (from here on ever fewer; all are in the log of Job batch)"]  # fmt: skip
    assert said[21] == "    Processing Order 21 (line 21)"
    assert 100 < len(said) < 200
