"""Releases and rollbacks of ours over a Deployment whose red button is pressed, and after it was re-armed."""

from __future__ import annotations

from typing import Any

import pytest

from include.release.applying import apply_object
from include.release.frozen import Frozen
from include.release.pressed import NOTE_PRESSED, NOTE_REARMED, wanted_replicas
from include.release.restoring import restore_saved
from include.release.saved import live_objects, state_of
from include.restarts.press import PressNote, press
from include.restarts.rearm import restore
from include.restarts.rearm_note import RearmNote

TWO, FOUR = ("replicas: 2", "replicas: 2"), ("replicas: 2", "replicas: 4")


def deploy(client: Any, frozen: Frozen, run: str = "release/a", *, force: bool | None = None) -> None:
    for manifest in frozen.objects:
        apply_object(client, manifest, frozen, run, dry_run=False, force=force)


def web(client: Any, namespace: str) -> dict[str, Any]:
    found = client.get("Deployment", namespace, "web")
    assert found is not None
    return found


def saved_now(client: Any, frozen: Frozen) -> dict[str, Any]:
    """The Deployment as another release saves it before it changes it."""
    live = live_objects(client, frozen)
    state = state_of(client, frozen, live, run="release/b", kind="release", applied=[], taken_at="now")
    (saved,) = [each for each in state.objects if each["kind"] == "Deployment"]
    return saved


def press_it(client: Any, namespace: str) -> None:
    uid = web(client, namespace)["metadata"]["uid"]
    assert press(client, namespace, "web", uid, PressNote(run="web_guard/1", by="web")).outcome == "pressed"


def rearm_it(client: Any, namespace: str, replicas: int = 2) -> None:
    note = RearmNote(run="web_rearm/1", by="oncall", reason="fine again", replicas=replicas)
    assert restore(client, namespace, "web", note).outcome == "re-armed"


@pytest.mark.parametrize("force", [None, True], ids=["release", "rollback"])
def test_a_release_after_a_re_arm_sets_its_own_replicas(cluster, small, namespace, force):
    """The press and the re-arm wrote the replicas; they are ours, so no release meets a conflict because of them."""
    client = cluster.connect()
    deploy(client, small(TWO))
    press_it(client, namespace)
    rearm_it(client, namespace)
    deploy(client, small(FOUR), "release/b", force=force)
    after = web(client, namespace)
    assert after["spec"]["replicas"] == 4
    assert NOTE_REARMED in after["metadata"]["annotations"]


@pytest.mark.parametrize("force", [None, True], ids=["swype_guard-release", "swype_guard-rollback"])
def test_a_change_over_a_press_keeps_zero_and_the_note(cluster, small, namespace, force):
    client = cluster.connect()
    deploy(client, small(TWO))
    press_it(client, namespace)
    deploy(client, small(FOUR), "release/b", force=force)
    after = web(client, namespace)
    assert after["spec"]["replicas"] == 0
    assert NOTE_PRESSED in after["metadata"]["annotations"]
    # The re-arm brings what the release wants, and forgets it then.
    assert wanted_replicas(after) == 4
    rearm_it(client, namespace, 4)
    assert wanted_replicas(web(client, namespace)) is None


def test_what_a_release_wants_is_gone_with_the_next_release(cluster, small, namespace):
    client = cluster.connect()
    deploy(client, small(TWO))
    press_it(client, namespace)
    deploy(client, small(FOUR), "release/b")
    client.patch("Deployment", namespace, "web", {"metadata": {"annotations": {NOTE_PRESSED: None}}})
    deploy(client, small(FOUR), "release/c")
    assert wanted_replicas(web(client, namespace)) is None
    assert web(client, namespace)["spec"]["replicas"] == 4


class Pressing:
    """A cluster whose button is pressed right after the release has read the Deployment."""

    def __init__(self, client: Any, namespace: str) -> None:
        self._client, self._namespace, self._armed = client, namespace, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get(self, kind: str, namespace: str, name: str) -> Any:
        found = self._client.get(kind, namespace, name)
        if kind == "Deployment" and self._armed:
            self._armed = False
            press_it(self._client, namespace)
        return found


@pytest.mark.parametrize("force", [None, True], ids=["release", "rollback"])
def test_a_press_between_reading_and_applying_is_not_undone(cluster, small, namespace, force):
    client = cluster.connect()
    deploy(client, small(TWO))
    deploy(Pressing(client, namespace), small(FOUR), "release/b", force=force)
    after = web(client, namespace)
    assert after["spec"]["replicas"] == 0
    assert NOTE_PRESSED in after["metadata"]["annotations"]


def test_a_conflict_with_somebody_else_is_still_one(cluster, small, namespace):
    from include.release.kube import KubeError

    client = cluster.connect()
    deploy(client, small(TWO))
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 3},
    }
    client.apply(theirs, namespace, manager="somebody", force=True)
    with pytest.raises(KubeError, match="somebody"):
        deploy(client, small(FOUR), "release/b")


def test_what_was_saved_while_pressed_is_not_brought_back_at_zero(cluster, small, namespace):
    """Saved at zero because of a press that is no more: the replicas of now stay."""
    client, frozen = cluster.connect(), small(TWO)
    deploy(client, frozen)
    press_it(client, namespace)
    saved = saved_now(client, frozen)
    rearm_it(client, namespace)
    restore_saved(client, saved, namespace)
    after = web(client, namespace)
    assert after["spec"]["replicas"] == 2
    assert NOTE_PRESSED not in after["metadata"]["annotations"]


def test_a_rollback_restores_a_saved_object_that_is_pressed_now_at_zero(cluster, small, namespace):
    client, frozen = cluster.connect(), small(TWO)
    deploy(client, frozen)
    saved = saved_now(client, frozen)
    press_it(client, namespace)
    restore_saved(client, saved, namespace)
    after = web(client, namespace)
    assert after["spec"]["replicas"] == 0
    assert NOTE_PRESSED in after["metadata"]["annotations"]
