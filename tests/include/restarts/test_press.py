"""The press, against the stand-in's API server."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from include.release.kube import KubeError
from include.release.pressed import NOTE_PRESSED
from include.restarts.press import Pressed, PressNote, note_patch, press, read_note
from tests.include.restarts.pressing import Between, deployment, make

NOTE = PressNote(
    run="web_guard/run-1", by="web", cause="network", restarts=4, evidence="evidence-web-1", reason="r"
)


@pytest.fixture
def client(cluster):
    return cluster.connect()


def live(client, namespace: str, name: str = "web") -> dict[str, Any]:
    found = client.get("Deployment", namespace, name)
    assert found is not None
    return found


def test_descheduler_62_the_deployment_is_scaled_down_and_no_pod_is_evicted(client, namespace):
    """descheduler#62: evicted pods come back somewhere else, and go on restarting."""
    uid = make(client, namespace)
    done = press(client, namespace, "web", uid, NOTE)
    assert done.outcome == "pressed"
    assert live(client, namespace)["spec"]["replicas"] == 0
    deadline = time.monotonic() + 20
    while client.list("Pod", namespace):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)
    assert client.list("Pod", namespace) == []  # no controller makes new ones: they were not evicted
    evictions = [each for each in client.list("Event", namespace) if "vict" in each.get("reason", "")]
    assert evictions == []


def test_the_note_says_all_that_brings_it_back(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    note = read_note(live(client, namespace))
    assert note is not None
    assert (note.replicas, note.run, note.by, note.cause, note.restarts, note.evidence) == (
        3, "web_guard/run-1", "web", "network", 4, "evidence-web-1",
    )  # fmt: skip
    assert note.at.startswith("20")
    assert note.text.startswith("pressed by web (run web_guard/run-1) at 20")
    assert "from 3 replicas: r" in note.text


def test_pressing_twice_is_pressing_once(client, namespace):
    uid = make(client, namespace)
    press(client, namespace, "web", uid, NOTE)
    version = live(client, namespace)["metadata"]["resourceVersion"]
    again = press(client, namespace, "web", uid, NOTE)
    other = press(client, namespace, "web", uid, NOTE.model_copy(update={"run": "web_guard/run-2"}))
    assert (again.outcome, again.again) == ("pressed", True)
    assert other.outcome == "already"
    assert "run web_guard/run-1" in other.text
    after = live(client, namespace)
    assert json.loads(after["metadata"]["annotations"][NOTE_PRESSED])["replicas"] == 3
    assert after["spec"] == live(client, namespace)["spec"]
    assert int(after["metadata"]["generation"]) == 2
    assert version  # (status writes may move it; the spec has not changed again)


def test_of_two_that_press_at_once_one_presses(client, cluster, namespace):
    uid = make(client, namespace)
    results: list[Pressed] = []
    gate = threading.Barrier(4)

    def one(number: int) -> None:
        own = cluster.connect()
        gate.wait()
        note = NOTE.model_copy(update={"run": f"web_guard/run-{number}"})
        results.append(press(own, namespace, "web", uid, note))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.outcome for each in results) == ["already", "already", "already", "pressed"]
    (winner,) = [each for each in results if each.outcome == "pressed"]
    assert winner.note is not None
    assert (
        json.loads(live(client, namespace)["metadata"]["annotations"][NOTE_PRESSED])["run"] == winner.note.run
    )


class KilledError(BaseException):
    """kill -9."""


def test_a_kill_just_after_the_patch_is_found_by_the_next_try(client, namespace):
    uid = make(client, namespace)

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        press(Between(client, after=die), namespace, "web", uid, NOTE)
    assert live(client, namespace)["spec"]["replicas"] == 0
    done = press(client, namespace, "web", uid, NOTE)
    assert (done.outcome, done.again) == ("pressed", True)
    assert done.note is not None
    assert done.note.replicas == 3


def test_a_kill_just_before_the_patch_leaves_everything_as_it_was(client, namespace):
    uid = make(client, namespace)

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        press(Between(client, before=die), namespace, "web", uid, NOTE)
    after = live(client, namespace)
    assert (after["spec"]["replicas"], read_note(after)) == (3, None)


def test_replicas_that_change_meanwhile_are_read_again(client, namespace):
    uid = make(client, namespace)

    def scale() -> None:
        client.patch("Deployment", namespace, "web", {"spec": {"replicas": 5}})

    done = press(Between(client, before=scale), namespace, "web", uid, NOTE)
    assert done.note is not None
    assert done.note.replicas == 5
    assert "from 5 to 0" in done.text


def test_a_deployment_of_another_uid_is_left_alone(client, namespace):
    uid = make(client, namespace)
    client.delete("Deployment", namespace, "web")
    make(client, namespace)
    done = press(client, namespace, "web", uid, NOTE)
    assert done.outcome == "replaced"
    assert live(client, namespace)["spec"]["replicas"] == 3
    assert "left alone" in done.text


def test_one_that_is_replaced_right_before_the_patch_is_left_alone(client, namespace):
    uid = make(client, namespace)

    def replace() -> None:
        client.delete("Deployment", namespace, "web")
        make(client, namespace)

    assert press(Between(client, before=replace), namespace, "web", uid, NOTE).outcome == "replaced"
    assert live(client, namespace)["spec"]["replicas"] == 3


def test_one_that_is_gone_or_at_zero_is_not_pressed(client, namespace):
    assert press(client, namespace, "web", "u", NOTE).outcome == "absent"
    uid = make(client, namespace, replicas=0)
    done = press(client, namespace, "web", uid, NOTE)
    assert done.outcome == "at zero"
    assert "somebody scaled it down" in done.text
    assert read_note(live(client, namespace)) is None


def test_a_dry_run_asks_the_api_server_and_changes_nothing(client, namespace):
    uid = make(client, namespace)
    before = live(client, namespace)
    done = press(client, namespace, "web", uid, NOTE, dry_run=True)
    assert done.text == f"Deployment web in {namespace} would be scaled from 3 to 0"
    assert live(client, namespace)["spec"] == before["spec"]
    assert NOTE_PRESSED not in live(client, namespace)["metadata"].get("annotations", {})


def test_who_may_not_is_told_so_by_the_api_server(cluster, client, namespace, tmp_path):
    from kubernetes.config import new_client_from_config

    from include.release.kube import Cluster

    uid = make(client, namespace)
    viewer = cluster.user("looker", "view", tmp_path / "kubeconfig")
    with pytest.raises(KubeError) as found:
        press(Cluster(new_client_from_config(str(viewer))), namespace, "web", uid, NOTE)
    assert found.value.status == 403
    assert live(client, namespace)["spec"]["replicas"] == 3


def test_a_note_by_hand_is_a_press():
    thing = deployment(annotations={NOTE_PRESSED: "jane, at 3 a.m."})
    note = read_note(thing)
    assert note is not None
    assert note.text == "pressed: by hand: jane, at 3 a.m."


def test_annotations_are_made_only_where_nobody_else_makes_them():
    thing = deployment(resourceVersion="7")
    test, add = note_patch(thing, {"a/b": "x", "c": None})
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert add == {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "x"}}
    thing["metadata"]["annotations"] = {"c": "y"}
    assert note_patch(thing, {"a/b~": "x", "c": None, "d": None}) == [
        {"op": "add", "path": "/metadata/annotations/a~1b~0", "value": "x"},
        {"op": "remove", "path": "/metadata/annotations/c"},
    ]
