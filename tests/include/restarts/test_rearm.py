"""The way back from a press, against the stand-in's API server; and what a re-arm means for the presses after it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.kube import KubeError
from include.release.pressed import NOTE_PRESSED, NOTE_REARMED
from include.restarts.press import PressNote, press, read_note
from include.restarts.rearm import Restored, former_replicas, restore
from include.restarts.rearm_note import RearmNote, read_rearm
from tests.include.restarts.pressing import Between, deployment, make

NOTE = PressNote(run="web_guard/run-1", by="web", cause="network", restarts=4, reason="r")
BACK = RearmNote(run="web_rearm/run-1", by="oncall", reason="it answers", replicas=3)


@pytest.fixture
def client(cluster):
    return cluster.connect()


def live(client, namespace: str, name: str = "web") -> dict[str, Any]:
    found = client.get("Deployment", namespace, name)
    assert found is not None
    return found


def replicas(client, namespace: str) -> int:
    return int(live(client, namespace)["spec"]["replicas"])


def test_a_re_arm_brings_the_former_replicas_and_takes_the_press_off(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    done = restore(client, namespace, "web", BACK)
    after = live(client, namespace)
    assert done.outcome == "re-armed"
    assert done.text == f"Deployment web in {namespace} is scaled from 0 to 3"
    assert after["spec"]["replicas"] == 3
    assert read_note(after) is None
    assert json.loads(after["metadata"]["annotations"][NOTE_REARMED])["pressed_by"] == "web_guard/run-1"
    assert done.note is not None
    assert done.note.at.startswith("20")
    again = restore(client, namespace, "web", BACK)
    assert (again.outcome, again.again) == ("re-armed", True)
    other = restore(client, namespace, "web", BACK.model_copy(update={"run": "web_rearm/run-2"}))
    assert other.outcome == "not pressed"


def test_a_press_between_reading_and_re_arming_is_not_taken_off_unseen(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    def press_anew() -> None:
        restore(client, namespace, "web", BACK.model_copy(update={"run": "web_rearm/other"}))
        press(client, namespace, "web", uid, NOTE.model_copy(update={"run": "web_guard/run-2"}))

    done = restore(Between(client, before=press_anew), namespace, "web", BACK)
    assert done.note is not None
    assert done.note.pressed_by == "web_guard/run-2"  # read again, and noted as what it was


def test_what_was_scaled_up_in_spite_of_the_press_keeps_its_replicas(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    client.patch("Deployment", namespace, "web", {"spec": {"replicas": 2}})
    done = restore(client, namespace, "web", BACK)
    assert live(client, namespace)["spec"]["replicas"] == 2
    assert "in spite of the press" in done.text


def test_a_dry_re_arm_changes_nothing(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    done = restore(client, namespace, "web", BACK, dry_run=True)
    assert "would be scaled from 0 to 3" in done.text
    assert live(client, namespace)["spec"]["replicas"] == 0
    assert read_note(live(client, namespace)) is not None


def test_a_note_without_replicas_asks_for_them():
    problem = former_replicas(PressNote(reason="by hand"), None, "Deployment web in sre")
    assert not isinstance(problem, int)
    assert "param replicas" in problem.fix
    assert former_replicas(PressNote(reason="by hand"), 2, "x") == 2
    assert former_replicas(NOTE.model_copy(update={"replicas": 4}), None, "x") == 4


def test_of_two_that_re_arm_at_once_one_does(client, cluster, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    results: list[Restored] = []
    gate = threading.Barrier(4)

    def one(number: int) -> None:
        own = cluster.connect()
        gate.wait()
        results.append(restore(own, namespace, "web", BACK.model_copy(update={"run": f"web_rearm/{number}"})))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.outcome for each in results) == ["not pressed"] * 3 + ["re-armed"]
    (winner,) = [each for each in results if each.outcome == "re-armed"]
    note = read_rearm(live(client, namespace))
    assert winner.note is not None
    assert note == winner.note
    assert replicas(client, namespace) == 3


class KilledError(BaseException):
    """kill -9."""


def test_a_kill_just_after_the_patch_is_found_by_the_next_try(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        restore(Between(client, after=die), namespace, "web", BACK)
    client.patch("Deployment", namespace, "web", {"spec": {"replicas": 7}})
    again = restore(client, namespace, "web", BACK)
    assert (again.outcome, again.again) == ("re-armed", True)
    assert replicas(client, namespace) == 7  # what somebody has done since stays


def test_what_an_autoscaler_does_right_before_the_patch_is_kept(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    def scale() -> None:
        client.patch("Deployment", namespace, "web", {"spec": {"replicas": 5}})

    done = restore(Between(client, before=scale), namespace, "web", BACK)
    assert replicas(client, namespace) == 5
    assert "somebody had scaled it to 5" in done.text


def test_one_that_is_deleted_right_before_the_patch_is_nothing_to_re_arm(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    def delete() -> None:
        client.delete("Deployment", namespace, "web")

    assert restore(Between(client, before=delete), namespace, "web", BACK).outcome == "absent"


def test_a_patch_that_is_refused_each_time_is_given_up(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    class Refusing(Between):
        def patch(self, *_: Any, **__: Any) -> Any:
            raise KubeError(409, "changed", "PATCH", "Conflict")

    with pytest.raises(KubeError):
        restore(Refusing(client), namespace, "web", BACK)
    assert read_note(live(client, namespace)) is not None


def test_why_it_was_forced_is_kept_until_the_next_re_arm(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    restore(client, namespace, "web", BACK.model_copy(update={"forced": "the probe is wrong"}))
    note = read_rearm(live(client, namespace))
    assert note is not None
    assert (note.forced, note.reason, note.replicas) == ("the probe is wrong", "it answers", 3)
    press(client, namespace, "web", uid, NOTE.model_copy(update={"run": "web_guard/run-2"}))
    restore(client, namespace, "web", BACK.model_copy(update={"run": "web_rearm/run-2"}))
    note = read_rearm(live(client, namespace))
    assert note is not None
    assert (note.forced, note.pressed_by) == ("", "web_guard/run-2")


def test_the_same_run_does_not_press_again_after_the_re_arm(client, namespace):
    """Its worker died after the patch, or somebody clears the task of an old run: a run presses once."""
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    restore(client, namespace, "web", BACK)
    done = press(client, namespace, "web", uid, NOTE)
    assert done.outcome == "re-armed"
    assert "was re-armed by oncall at 20" in done.text
    assert "a run presses once" in done.text
    assert replicas(client, namespace) == 3
    assert read_note(live(client, namespace)) is None


def test_what_was_counted_before_a_re_arm_presses_no_more_and_what_was_counted_after_it_does(
    client, namespace
):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    rearmed = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    restore(client, namespace, "web", BACK, now=lambda: rearmed)
    other = NOTE.model_copy(update={"run": "web_guard/run-2"})
    late = press(client, namespace, "web", uid, other, decided_at=rearmed - timedelta(seconds=1))
    assert late.outcome == "re-armed"
    assert "they are a reason no more" in late.text
    assert replicas(client, namespace) == 3
    anew = press(client, namespace, "web", uid, other, decided_at=rearmed + timedelta(seconds=1))
    assert anew.outcome == "pressed"
    assert replicas(client, namespace) == 0


def test_a_re_arm_between_reading_and_pressing_is_seen(client, namespace):
    """The Deployment is pressed and re-armed by others while this run presses: its patch is refused, and it reads again."""
    uid = make(client, namespace)

    def meanwhile() -> None:
        press(client, namespace, "web", uid, NOTE.model_copy(update={"run": "web_guard/other"}))
        restore(client, namespace, "web", BACK.model_copy(update={"replicas": 4}))

    decided = datetime.now(UTC)
    done = press(Between(client, before=meanwhile), namespace, "web", uid, NOTE, decided_at=decided)
    assert done.outcome == "re-armed"
    assert replicas(client, namespace) == 4


@pytest.mark.parametrize("text", ["jane, 3 a.m.", "[]", '{"replicas": "many"}'])
def test_a_note_of_a_re_arm_that_cannot_be_read_keeps_nobody_from_pressing(text):
    assert read_rearm(deployment(annotations={NOTE_REARMED: text})) is None
    assert read_rearm(deployment()) is None
    assert read_rearm(None) is None


def test_the_note_of_the_press_is_what_the_patch_tests(client, namespace):
    """Somebody writes another note between reading and writing: it is read again, not taken off unseen."""
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)

    def rewrite() -> None:
        notes = {NOTE_PRESSED: '{"by": "jane", "replicas": 3}'}
        client.patch("Deployment", namespace, "web", {"metadata": {"annotations": notes}})

    done = restore(Between(client, before=rewrite), namespace, "web", BACK)
    assert done.note is not None
    assert done.note.pressed_by == ""  # jane's, not that of the run which was read first
