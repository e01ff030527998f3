"""Which restarts a rollout excuses, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from include.release.frozen import LABEL_APP, MANAGED_BY, NOTE_DIGEST, NOTE_RUN
from include.restarts.ledger import Ledger
from include.restarts.rollouts import counts, rollout_of
from include.restarts.view import View, moment_of, view_of
from tests.include.restarts.kubelet import START, Kubelet, stamp
from tests.include.restarts.timelines import timeline

OURS = {**MANAGED_BY, LABEL_APP: "upcommerce"}


def released(number: int) -> dict[str, str]:
    """What a release writes on a Deployment."""
    return {NOTE_RUN: f"release/run-{number}", NOTE_DIGEST: f"digest-{number}"}


RELEASE, RESTART = "during a release", "during kubectl rollout restart"


def _look(ledger: Ledger, kubelet: Kubelet) -> None:
    new = ledger.new_restarts(kubelet.view(), kubelet.now)
    ledger.record(new, kubelet.view(), kubelet.now)


def _counted(ledger: Ledger, kubelet: Kubelet) -> list[tuple[str, int]]:
    """Pods and numbers of the restarts that count now."""
    view = kubelet.view()
    kept = ledger.in_window(kubelet.now)
    return [(each.pod_uid, each.number) for each in kept if counts(view, each, kubelet.now)]


def _rolling(kubelet: Kubelet, *, how: str) -> None:
    """Begin a rollout: the old pod stays, a new one comes."""
    kubelet.pass_time(minutes=30)
    if how == RESTART:
        kubelet.roll_out(restarted_at=stamp(kubelet.now))
    else:
        kubelet.labels = OURS if how == RELEASE else {}
        kubelet.roll_out(notes=released(2) if how == RELEASE else None)
    kubelet.add()


@pytest.mark.parametrize("how", [RELEASE, RESTART])
def test_new_pods_of_a_rollout_do_not_count_and_old_ones_do(how: str) -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    _look(ledger, kubelet)
    _rolling(kubelet, how=how)
    _look(ledger, kubelet)
    old, new = (pod.processes[0] for pod in kubelet.pods.values())
    for process in (old, new, new):
        kubelet.crash(process, after=10)
        _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-1", 1)]
    assert {each.not_counted for each in ledger.restarts if each.pod_uid == "uid-2"} == {how}


@pytest.mark.parametrize("how", [RELEASE, RESTART])
def test_after_the_rollout_they_count_and_those_before_still_do_not(how: str) -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    _rolling(kubelet, how=how)
    new = kubelet.pods["uid-2"].processes[0]
    kubelet.crash(new, after=10)
    kubelet.remove("uid-1")
    kubelet.rollout_done_at = kubelet.pass_time(seconds=5)
    kubelet.crash(new, after=10)
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 2)]


@pytest.mark.parametrize("how", [RELEASE, RESTART])
@pytest.mark.parametrize("failed", [True, False])
def test_a_rollout_that_is_stuck_is_no_blind_spot(how: str, failed: bool) -> None:
    """Whether the controller says so, or the deadline of a new pod is over: then all of them count."""
    kubelet, ledger = Kubelet(), Ledger(15)
    kubelet.progress_deadline = 300
    _rolling(kubelet, how=how)
    new = kubelet.pods["uid-2"].processes[0]
    for _ in range(4):
        kubelet.crash(new, after=30)
        _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == []
    kubelet.pass_time(minutes=1 if failed else 4)
    kubelet.failed = failed
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", number) for number in (1, 2, 3, 4)]


def test_a_deadline_of_days_excuses_for_half_an_hour() -> None:
    kubelet, ledger = Kubelet(), Ledger(60)
    kubelet.progress_deadline = 2**31 - 1
    _rolling(kubelet, how=RELEASE)
    kubelet.crash(kubelet.pods["uid-2"].processes[0])
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == []
    kubelet.pass_time(minutes=31)
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 1)]


def test_what_happens_after_a_new_pods_deadline_counts_whatever_becomes_of_the_rollout() -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    kubelet.progress_deadline = 300
    _rolling(kubelet, how=RELEASE)
    new = kubelet.pods["uid-2"].processes[0]
    kubelet.crash(new, after=10)
    _look(ledger, kubelet)
    kubelet.crash(new, after=400)
    _look(ledger, kubelet)
    kubelet.rollout_done_at = kubelet.pass_time(seconds=5)
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 2)]


def test_a_rollout_of_somebody_else_counts() -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    _rolling(kubelet, how="somebody else's")
    kubelet.crash(kubelet.pods["uid-2"].processes[0])
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 1)]


def test_an_image_that_somebody_sets_on_what_a_release_has_brought_is_no_release() -> None:
    """``kubectl set image``: the labels and notes of the release stay on the Deployment, and get onto the new pods' owner."""
    kubelet, ledger = Kubelet(), Ledger(15)
    kubelet.labels, kubelet.annotations = OURS, released(1)
    kubelet.pass_time(minutes=30)
    kubelet.roll_out()
    kubelet.add()
    kubelet.crash(kubelet.pods["uid-2"].processes[0])
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 1)]


def test_a_release_over_an_image_that_somebody_has_set_and_one_back_are_releases() -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    kubelet.labels, kubelet.annotations = OURS, released(1)
    kubelet.roll_out()
    for number in (2, 3):
        kubelet.pass_time(minutes=30)
        kubelet.roll_out(notes=released(number))
        new = kubelet.add()
        kubelet.crash(new.processes[0])
        _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == []
    assert {each.not_counted for each in ledger.restarts} == {RELEASE}


def test_a_template_that_was_restarted_once_does_not_excuse_the_rollouts_after_it() -> None:
    """The annotation stays on the template: only the ReplicaSet that brought it is that restart's."""
    kubelet, ledger = Kubelet(), Ledger(15)
    before = stamp(START)
    kubelet.restarted_at[1] = before
    kubelet.pass_time(minutes=30)
    kubelet.roll_out(restarted_at=before)
    kubelet.add()
    kubelet.crash(kubelet.pods["uid-2"].processes[0])
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 1)]


def test_a_pod_that_was_told_to_end_counts_up_to_then() -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    process = kubelet.only()
    kubelet.crash(process)
    kubelet.pods["uid-1"].told_at = kubelet.pass_time(seconds=5)
    kubelet.crash(process)
    _look(ledger, kubelet)
    assert [(each.number, each.not_counted) for each in ledger.restarts] == [
        (1, ""),
        (2, "its pod was being deleted"),
    ]


def test_scaling_up_is_no_rollout() -> None:
    kubelet, ledger = Kubelet(), Ledger(15)
    kubelet.labels = OURS
    kubelet.pass_time(minutes=30)
    kubelet.add()
    kubelet.crash(kubelet.pods["uid-2"].processes[0])
    _look(ledger, kubelet)
    assert _counted(ledger, kubelet) == [("uid-2", 1)]


def _views(name: str, **labels: str) -> list[tuple[View, str]]:
    """The looks of a recording, and what had been asked last."""
    objects: dict[tuple[str, str], dict[str, Any]] = {}
    found, asked = [], ""
    for step in timeline(name):
        asked = step.get("note", asked) if step["kind"] == "REQUEST" else asked
        if step["kind"] not in ("Deployment", "ReplicaSet", "Pod"):
            continue
        each = step["object"]
        if step["kind"] == "Deployment":
            each = {**each, "metadata": {**each["metadata"], "labels": labels}}
        if step["kind"] == "ReplicaSet":  # as if each had been brought by a release of its own
            notes = (each["metadata"].get("annotations") or {}) | {NOTE_RUN: each["metadata"]["name"]}
            each = {**each, "metadata": {**each["metadata"], "annotations": notes}}
        objects[step["kind"], each["metadata"]["name"]] = each
        if step["type"] == "DELETED":
            del objects[step["kind"], each["metadata"]["name"]]
        now = START + timedelta(seconds=step["t"])
        lists: dict[str, list[dict[str, Any]]] = {"Deployment": [], "ReplicaSet": [], "Pod": []}
        for (kind, _), thing in objects.items():
            lists[kind].append(thing)
        view = view_of(
            "sre",
            "web",
            now,
            deployments=lists["Deployment"],
            replica_sets=lists["ReplicaSet"],
            pods=lists["Pod"],
        )
        found.append((view, asked))
    return found


def _born(pod: dict[str, Any]) -> datetime:
    found = moment_of(pod["metadata"]["creationTimestamp"])
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["rolling-update", "rollout-undo", "recreate"])
def test_a_recorded_rollout_excuses_new_pods_until_it_is_complete(name: str) -> None:
    """At every look of the recording: an end of now in a new pod is excused, in an old one it is not."""
    excused: set[str] = set()
    for view, _ in _views(name, **OURS):
        rollout = rollout_of(view)
        if rollout is None:
            continue
        for pod in view.pods:
            at = _born(pod) + timedelta(seconds=1)
            if rollout.excuses(pod, at):
                excused.add(pod["metadata"]["name"])
                assert pod["metadata"]["ownerReferences"][0]["uid"] == rollout.replica_set["metadata"]["uid"]
    done = rollout_of(view)
    assert done is not None
    assert done.done_at is not None
    last = done.replica_set["metadata"]["name"]
    assert any(each.startswith(last) for each in excused)
    assert not any(done.excuses(pod, done.done_at + timedelta(seconds=1)) for pod in view.pods)


def test_recorded_scaling_to_zero_and_back_excuses_nothing_after_the_first_rollout() -> None:
    looks = [view for view, asked in _views("scale-zero-and-back", **OURS) if asked == "to 3"]
    assert looks
    for view in looks:
        rollout = rollout_of(view)
        assert rollout is not None
        assert rollout.done_at is not None
        assert not any(rollout.excuses(pod, _born(pod) + timedelta(seconds=1)) for pod in view.pods)


def test_a_recorded_deployment_that_is_paused_excuses_nothing() -> None:
    looks = [view for view, asked in _views("paused", **OURS) if asked == "scale while paused"]
    late = looks[3:]
    assert late
    for view in late:
        rollout = rollout_of(view)
        assert rollout is not None
        assert not any(rollout.excuses(pod, _born(pod) + timedelta(seconds=1)) for pod in view.pods)


def test_a_recorded_rollout_that_exceeded_its_deadline_is_stuck() -> None:
    seen = set()
    for view, _ in _views("update-crash-loop", **OURS):
        rollout = rollout_of(view)
        if rollout is not None and rollout.replica_set["metadata"]["name"] == "web-78c7676795":
            seen.add(rollout.going_on)
    assert seen == {True, False}
