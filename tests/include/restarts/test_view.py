"""What belongs to a Deployment, and what its objects say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.release.pressed import NOTE_PRESSED, NOTE_REARMED
from include.restarts.view import View, container_statuses, moment_of, view_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LABELS = {"app": "swype"}


def _owned(
    name: str, kind: str = "", owner: str = "", *, controller: bool = True, **more: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "labels": LABELS}
    if owner:
        metadata["ownerReferences"] = [{"kind": kind, "uid": f"uid-{owner}", "controller": controller}]
    return {"metadata": metadata, **more}


def _view(name: str = "swype-app", **more: Any) -> View:
    return view_of(
        "sre",
        name,
        NOW,
        deployments=[_owned("swype-app"), _owned("other")],
        replica_sets=[
            _owned("swype-1", "Deployment", "swype-app"),
            _owned("swype-2", "Deployment", "swype-app"),
            _owned("other-1", "Deployment", "other"),
            _owned("nobodys-1"),
        ],
        pods=[
            _owned("swype-1-a", "ReplicaSet", "swype-1"),
            _owned("swype-2-a", "ReplicaSet", "swype-2"),
            _owned("other-1-a", "ReplicaSet", "other-1"),
            _owned("adopted", "ReplicaSet", "swype-2", controller=False),
            _owned("by-hand"),
        ],
        **more,
    )


def _names(things: Any) -> list[str]:
    return [each["metadata"]["name"] for each in things]


def test_pods_belong_by_their_owners_whatever_their_labels_are() -> None:
    found = _view()
    assert _names(found.replica_sets) == ["swype-1", "swype-2"]
    assert _names(found.pods) == ["swype-1-a", "swype-2-a"]
    assert found.pod("uid-swype-2-a") is found.pods[1]
    assert found.pod("uid-other-1-a") is None


def test_a_deployment_that_is_not_there_has_nothing() -> None:
    found = _view("absent")
    assert (found.deployment, list(found.replica_sets), list(found.pods), found.replicas) == (None, [], [], 0)


def test_a_deployment_that_was_made_anew_does_not_have_the_pods_of_the_old_one() -> None:
    found = _view()
    anew = {"metadata": {"name": "swype-app", "uid": "uid-anew"}}
    again = view_of(
        "sre", "swype-app", NOW, deployments=[anew], replica_sets=found.replica_sets, pods=found.pods
    )
    assert list(again.pods) == []


def test_events_are_those_of_its_pods() -> None:
    events = [
        {"involvedObject": {"uid": "uid-swype-1-a"}, "reason": "BackOff"},
        {"involvedObject": {"uid": "uid-other-1-a"}, "reason": "Killing"},
        {"involvedObject": {"uid": "uid-swype-app"}, "reason": "ScalingReplicaSet"},
        {"reason": "of nothing"},
    ]
    assert _view(events=events).events_by_pod_uid == {"uid-swype-1-a": [events[0]]}


def test_a_node_that_does_not_say_that_it_is_ready_is_not() -> None:
    def node(name: str, **status: Any) -> dict[str, Any]:
        return _owned(name, status=status)

    nodes = [
        node(
            "good",
            conditions=[{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": "True"}],
        ),
        node("bad", conditions=[{"type": "Ready", "status": "False"}]),
        node("gone", conditions=[{"type": "Ready", "status": "Unknown"}]),
        node("new"),
    ]
    assert _view(nodes=nodes).nodes_not_ready == ["bad", "gone", "new"]


def test_the_role_of_a_container_is_in_the_spec() -> None:
    pod = {
        "spec": {"initContainers": [{"name": "migrate"}, {"name": "proxy", "restartPolicy": "Always"}]},
        "status": {
            "initContainerStatuses": [{"name": "migrate"}, {"name": "proxy"}],
            "containerStatuses": [{"name": "app"}],
        },
    }
    assert [(role, each["name"]) for role, each in container_statuses(pod)] == [
        ("init", "migrate"),
        ("sidecar", "proxy"),
        ("main", "app"),
    ]
    assert list(container_statuses({})) == []


@pytest.mark.parametrize(
    ("spec", "replicas"), [({}, 1), ({"replicas": None}, 1), ({"replicas": 0}, 0), ({"replicas": 3}, 3)]
)
def test_replicas_that_nobody_gave_are_one(spec: dict[str, Any], replicas: int) -> None:
    assert View("sre", "swype-app", NOW, {"metadata": {}, "spec": spec}).replicas == replicas


@pytest.mark.parametrize(
    ("text", "note"),
    [('{"run": "r"}', {"run": "r"}), ("by hand", {}), ("[]", {}), ("", {}), (None, None)],
)
def test_a_note_is_there_whatever_is_in_it(text: str | None, note: dict[str, str] | None) -> None:
    notes = {} if text is None else {NOTE_PRESSED: text}
    assert View("sre", "swype-app", NOW, {"metadata": {"annotations": notes}}).pressed == note


def test_when_it_was_rearmed_is_in_its_note() -> None:
    def rearmed(text: str) -> datetime | None:
        return View("sre", "swype-app", NOW, {"metadata": {"annotations": {NOTE_REARMED: text}}}).rearmed_at

    assert rearmed('{"at": "2026-11-21T09:00:00+00:00"}') == NOW
    assert rearmed('{"at": "yesterday"}') is None
    assert rearmed("x") is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T09:00:00Z", NOW),
        ("2026-11-21T09:00:00", NOW),
        ("1970-01-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
        (5, None),
    ],
)
def test_times_as_the_api_writes_them(text: object, moment: datetime | None) -> None:
    assert moment_of(text) == moment
