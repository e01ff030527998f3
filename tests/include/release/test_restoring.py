"""Bringing objects back, on a running cluster."""

from __future__ import annotations

import copy
from typing import Any

from include.release.applying import apply_object
from include.release.diff import comparable
from include.release.frozen import Frozen
from include.release.pressed import NOTE_PRESSED
from include.release.restoring import delete_created, restore
from include.release.rollback_plan import Facts, Layer, plan_rollback
from include.release.saved import SavedState, live_objects, state_of, stored_release

ONE, TWO = ("replicas: 2", "replicas: 1"), ("number: 1", "number: 2")


def deploy(client: Any, frozen: Frozen, run: str = "release/a") -> None:
    for manifest in frozen.objects:
        apply_object(client, manifest, frozen, run, dry_run=False, requested_at="2026-11-21T00:00:00+00:00")


def found_by(client: Any, frozen: Frozen) -> SavedState:
    live = live_objects(client, frozen)
    return state_of(
        client,
        frozen,
        live,
        run="release/b",
        kind="release",
        applied=[],
        taken_at="2026-11-21T00:00:00+00:00",
    )


def go_back(client: Any, new: Frozen, before: SavedState) -> list[tuple[str, str]]:
    """Back from ``new`` to what was before; the outcomes."""
    namespace = new.environment.namespace
    target = stored_release(client, new.environment, before.previous_spec)
    plan = plan_rollback(
        Facts([Layer(new, frozenset())], target, before, live_objects(client, new), applied=[])
    )
    assert plan.stop == ""
    done = restore(
        client,
        plan,
        target,
        before,
        namespace,
        "small",
        "release/b",
        requested_at="2026-11-21T01:00:00+00:00",
    )
    return [(each.name, each.outcome) for each in done]


def web(client: Any, frozen: Frozen) -> dict[str, Any]:
    found = client.get("Deployment", frozen.environment.namespace, "web")
    assert found is not None
    return found


def with_service(frozen: Frozen) -> Frozen:
    """The release with one object more."""
    (deployment,) = frozen.objects
    service = {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {**copy.deepcopy(deployment["metadata"]), "name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]},
    }  # fmt: skip
    return frozen.model_copy(update={"objects": [service, deployment], "digest": "f" * 64})


def test_the_release_before_comes_back_whole_and_what_was_new_goes(cluster, small, namespace):
    from include.release.applying import ensure_immutable, stored_spec

    client, first = cluster.connect(), small(ONE)
    deploy(client, first)
    ensure_immutable(client, stored_spec(first), namespace)
    second = with_service(small(TWO, ("hello", "changed")))
    before = found_by(client, second)
    assert (before.previous_release, before.absent) == ("small", [("Service", "web")])
    deploy(client, second, "release/b")
    client.apply(  # somebody scales by hand in the heat of it
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}},
        namespace, manager="kubectl", force=True,
    )  # fmt: skip
    done = go_back(client, second, before)
    assert ("web", "changed") in done
    assert ("web", "deleted") in done
    assert web(client, first)["spec"]["replicas"] == 1
    assert client.get("Service", namespace, "web") is None
    name = first.config_maps[0]["metadata"]["name"]
    assert (name, "created") in done
    used = web(client, first)["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"][
        "name"
    ]
    assert used == name
    assert {outcome for _, outcome in go_back(client, second, before)} <= {"unchanged", "gone"}


def test_what_no_release_had_brought_is_as_it_was(cluster, small, namespace):
    client, frozen = cluster.connect(), small(ONE, take_over_fields=True)
    hand_made = copy.deepcopy(frozen.objects[0])
    hand_made["metadata"] = {"name": "web", "namespace": namespace, "labels": {"by": "hand"}}
    hand_made["spec"]["replicas"] = 0
    client.apply(hand_made, namespace, manager="somebody")
    before = found_by(client, frozen)
    kept = comparable({"kind": "Deployment", "apiVersion": "apps/v1", **web(client, frozen)})
    deploy(client, frozen)
    assert web(client, frozen)["spec"]["replicas"] == 1
    assert go_back(client, frozen, before) == [("web", "changed")]
    assert comparable({"kind": "Deployment", "apiVersion": "apps/v1", **web(client, frozen)}) == kept
    assert go_back(client, frozen, before) == [("web", "unchanged")]


def test_a_pressed_deployment_stays_at_zero_through_a_release_and_a_rollback(cluster, small, namespace):
    from include.release.applying import ensure_immutable, stored_spec

    client, first, second = cluster.connect(), small(ONE), small()
    deploy(client, first)
    ensure_immutable(client, stored_spec(first), namespace)
    press = {
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 0},
        "metadata": {"name": "web", "annotations": {NOTE_PRESSED: "2026-11-21T00:30:00Z"}},
    }  # fmt: skip
    client.apply(press, namespace, manager="red-button", force=True)
    before = found_by(client, second)
    deploy(client, second, "release/b")
    assert web(client, second)["spec"]["replicas"] == 0
    go_back(client, second, before)
    assert web(client, second)["spec"]["replicas"] == 0
    assert NOTE_PRESSED in web(client, second)["metadata"]["annotations"]


def test_what_is_not_the_apps_any_more_is_not_deleted(cluster, namespace):
    client = cluster.connect()
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine", "labels": {"a": "b"}}}
    client.create(body, namespace)
    (done,) = delete_created(client, [("ServiceAccount", "mine")], namespace, "small")
    assert done.outcome == "left alone: it is not of small any more"
    assert client.get("ServiceAccount", namespace, "mine") is not None
