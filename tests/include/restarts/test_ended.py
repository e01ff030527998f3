"""Which end led to which restart, on made and on recorded statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.restarts.ended import ends_of, shown_in
from include.restarts.facts import Restart
from include.restarts.view import View, container_statuses, moment_of
from tests.include.restarts.kubelet import START
from tests.include.restarts.timelines import timeline


def _ended(finished: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "startedAt": "2026-11-21T09:00:00Z", "finishedAt": finished}}


FIRST, SECOND = _ended("2026-11-21T09:00:05Z"), _ended("2026-11-21T09:00:30Z")
RUNS = {"running": {"startedAt": "2026-11-21T09:00:10Z"}}
WAITS = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("state", "last", "led", "pending"),
    [
        (RUNS, FIRST, FIRST, None),
        (SECOND, FIRST, FIRST, SECOND),
        (WAITS, SECOND, None, SECOND),
        ({}, {}, None, None),
    ],
)
def test_the_last_end_and_the_one_before(state: Any, last: Any, led: Any, pending: Any) -> None:
    found = ends_of({"name": "app", "restartCount": 1, "state": state, "lastState": last})
    assert found.count == 1
    assert found.led == (led or {}).get("terminated")
    assert found.pending == (pending or {}).get("terminated")


def test_a_first_run_that_ended_leads_to_no_restart_yet() -> None:
    found = ends_of({"name": "app", "restartCount": 0, "state": FIRST, "lastState": {}})
    assert (found.count, found.led) == (0, None)
    assert found.pending == FIRST["terminated"]


@pytest.mark.parametrize(
    "status", [{}, {"name": "app"}, {"restartCount": None}, {"state": None, "lastState": None}]
)
def test_a_status_that_says_nothing_is_no_restart(status: dict[str, Any]) -> None:
    found = ends_of(status)
    assert (found.count, found.led, found.pending, found.led_at) == (0, None, None, None)


def test_in_the_back_off_the_run_that_the_restart_began_tells_its_time() -> None:
    found = ends_of({"name": "app", "restartCount": 2, "state": WAITS, "lastState": SECOND})
    assert found.led_at == moment_of("2026-11-21T09:00:00Z")


def test_a_container_that_could_not_start_has_no_start_but_an_end() -> None:
    last = {
        "terminated": {
            "exitCode": 128,
            "startedAt": "1970-01-01T00:00:00Z",
            "finishedAt": "2026-11-21T09:00:30Z",
        }
    }
    found = ends_of({"name": "app", "restartCount": 2, "state": WAITS, "lastState": last})
    assert found.led_at == moment_of("2026-11-21T09:00:30Z")


def _pod(count: int, state: Any, last: Any) -> dict[str, Any]:
    statuses = [{"name": "other"}, {"name": "app", "restartCount": count, "state": state, "lastState": last}]
    return {"metadata": {"name": "p", "uid": "u"}, "status": {"containerStatuses": statuses}}


def _view(*states: dict[str, Any]) -> View:
    return View("sre", "swype-app", START, {}, [], [states[-1]], passed={"u": states[:-1]})


def _restart(number: int, *, pending: bool = False, pod_uid: str = "u") -> Restart:
    return Restart(pod="p", pod_uid=pod_uid, container="app", number=number, at=START, pending=pending)


def test_the_pod_is_shown_as_it_was_when_the_restart_happened() -> None:
    pod = _pod(1, SECOND, FIRST)
    before = json.dumps(pod)
    shown, of_now = shown_in(_view(pod), _restart(1))
    assert shown is not None
    assert of_now
    *_, (_, status) = container_statuses(shown)
    assert list(status["state"]) == ["running"]
    assert status["lastState"] == FIRST
    assert json.dumps(pod) == before
    assert shown_in(_view(pod), _restart(2, pending=True)) == (pod, True)


def test_an_end_that_is_over_is_shown_in_the_state_that_has_passed() -> None:
    waited, runs = _pod(0, WAITS, FIRST), _pod(2, RUNS, SECOND)
    assert shown_in(_view(waited, runs), _restart(1)) == (waited, False)
    assert shown_in(_view(waited, runs), _restart(2)) == (runs, True)


def test_an_end_that_no_state_shows_is_looked_for_in_the_one_of_now() -> None:
    pod = _pod(2, WAITS, SECOND)
    assert shown_in(_view(pod), _restart(2)) == (pod, True)


def test_a_pod_that_is_gone_shows_nothing() -> None:
    assert shown_in(_view(_pod(1, RUNS, FIRST)), _restart(1, pod_uid="gone")) == (None, False)


def test_every_end_of_a_recorded_crash_loop_is_seen_once() -> None:
    """A kubelet's own sequence of statuses: run, end, back-off, run again."""
    ends: dict[int, str] = {}
    for step in timeline("update-crash-loop"):
        if step["kind"] != "Pod" or "jlbzp" not in step["object"]["metadata"]["name"]:
            continue
        for _, status in container_statuses(step["object"]):
            found = ends_of(status)
            for number, end in ((found.count, found.led), (found.count + 1, found.pending)):
                if end is not None:
                    assert ends.setdefault(number, end["finishedAt"]) == end["finishedAt"]
    assert ends == {
        1: "2026-11-21T01:36:29Z",
        2: "2026-11-21T01:36:31Z",
        3: "2026-11-21T01:36:45Z",
    }


def test_recorded_pods_all_show_their_last_end() -> None:
    folder = Path(__file__).parents[2] / "data" / "kubernetes-1.36" / "terminations"
    cases = sorted(folder.glob("*.json"))
    assert cases, "no recorded terminations"
    for path in cases:
        for _, status in container_statuses(json.loads(path.read_text())["pod"]):
            found = ends_of(status)
            assert found.count == 0 or (found.led or found.pending) is not None, path.name
            assert found.count == 0 or found.led_at is not None, path.name
