"""The ledger on what a real cluster did: every step of a recorded timeline is a look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.restarts.ledger import Ledger
from include.restarts.view import View, view_of
from tests.include.restarts.kubelet import START, stamp
from tests.include.restarts.timelines import timeline

WINDOW = 15.0


@pytest.mark.parametrize(
    "name",
    [
        "rolling-update",
        "rollout-undo",
        "recreate",
        "paused",
        "scale-zero-and-back",
        "pod-deleted-under-deployment",
    ],
)
def test_recorded_pods_that_come_and_go_have_no_restart(name: str) -> None:
    """Their containers end because they are told to: nothing is counted, and nothing is expected to start again."""
    ledger, objects = Ledger(WINDOW), {}
    for step in timeline(name):
        now = START.replace(hour=1, minute=36, second=23) + timedelta(seconds=step["t"])
        if step["kind"] not in ("Deployment", "ReplicaSet", "Pod"):
            continue
        objects[step["kind"], step["object"]["metadata"]["name"]] = step["object"]
        if step["type"] == "DELETED":
            del objects[step["kind"], step["object"]["metadata"]["name"]]
        view = _of(objects, now)
        ledger.record(ledger.new_restarts(view, now), view, now)
    assert ledger.restarts == []


def test_a_recorded_crash_loop_is_counted_as_the_kubelet_counted_it() -> None:
    """Every step of a real timeline is a look; and the same from a single look at the end."""
    ledger, objects = Ledger(WINDOW), {}
    for step in timeline("update-crash-loop"):
        now = START.replace(hour=1, minute=36, second=23) + timedelta(seconds=step["t"])
        if step["kind"] not in ("Deployment", "ReplicaSet", "Pod") or "object" not in step:
            continue
        objects[step["kind"], step["object"]["metadata"]["name"]] = step["object"]
        view = _of(objects, now)
        ledger.record(ledger.new_restarts(view, now), view, now)
    assert [(each.number, each.seen, stamp(each.at)) for each in ledger.in_window(now)] == [
        (1, True, "2026-11-21T01:36:29Z"),
        (2, True, "2026-11-21T01:36:31Z"),
        (3, True, "2026-11-21T01:36:45Z"),
    ]
    late = Ledger(WINDOW).new_restarts(view, now)
    assert [(each.number, each.seen) for each in late] == [(1, False), (2, False), (3, True)]


def _of(objects: dict[tuple[str, str], Any], now: Any) -> View:
    lists = {
        kind: [each for (of, _), each in objects.items() if of == kind]
        for kind in ("Deployment", "ReplicaSet", "Pod")
    }
    return view_of(
        "sre",
        "web",
        now,
        deployments=lists["Deployment"],
        replica_sets=lists["ReplicaSet"],
        pods=lists["Pod"],
    )
