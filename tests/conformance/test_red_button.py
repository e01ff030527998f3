"""What the press and the re-arm rely on: patches that test, applying over a state that was read, kept evidence."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import JSON_PATCH, Object
from tests.conformance.kit.manifests import HELD, configmap, container, deployment, sh
from tests.conformance.kit.namespace import Namespace

NOTE = "example.com/pressed"
POINTER = "/metadata/annotations/example.com~1pressed"


def held(ns: Namespace, replicas: int = 2) -> Object:
    """A Deployment whose pods find no node."""
    made = deployment("d", container(ns.image, sh("true"), **HELD), replicas=replicas)
    return ns.create("deployments", made)


def press(ns: Namespace, uid: str, replicas: int) -> Any:
    live = ns.get("deployments", "d")
    patch: list[Object] = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/spec/replicas", "value": replicas},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
    ]
    if live["metadata"].get("annotations"):
        patch.append({"op": "add", "path": POINTER, "value": "why"})
    else:
        version = live["metadata"]["resourceVersion"]
        patch.append({"op": "test", "path": "/metadata/resourceVersion", "value": version})
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {NOTE: "why"}})
    return ns.patch("deployments", "d", patch, JSON_PATCH, fieldManager="us")


def test_one_patch_scales_to_zero_and_notes_it_and_the_pods_go(ns: Namespace) -> None:
    uid = held(ns)["metadata"]["uid"]
    ns.wait("deployments", "d", "two pods", lambda one: one.get("status", {}).get("replicas") == 2)
    pressed = press(ns, uid, 2).expect(200)
    assert (pressed["spec"]["replicas"], pressed["metadata"]["annotations"][NOTE]) == (0, "why")
    ns.wait("deployments", "d", "no pods", lambda one: not one.get("status", {}).get("replicas"))


def test_a_patch_whose_test_fails_changes_nothing_at_all(ns: Namespace) -> None:
    uid = held(ns)["metadata"]["uid"]
    for other, replicas in (("00000000-0000-4000-8000-000000000000", 2), (uid, 3)):
        assert press(ns, other, replicas).code == 422
    live = ns.get("deployments", "d")
    assert live["spec"]["replicas"] == 2
    assert NOTE not in live["metadata"].get("annotations", {})


def test_the_second_of_two_presses_fails(ns: Namespace) -> None:
    uid = held(ns)["metadata"]["uid"]
    assert press(ns, uid, 2).code == 200
    assert press(ns, uid, 2).code == 422


def test_a_note_is_taken_off_by_a_patch_that_tests_it(ns: Namespace) -> None:
    press(ns, held(ns)["metadata"]["uid"], 2)
    wrong = [{"op": "test", "path": POINTER, "value": "other"}, {"op": "remove", "path": POINTER}]
    assert ns.patch("deployments", "d", wrong, JSON_PATCH).code == 422
    right = [{"op": "test", "path": POINTER, "value": "why"}, {"op": "remove", "path": POINTER}]
    after = ns.patch("deployments", "d", right, JSON_PATCH).expect(200)
    assert NOTE not in after["metadata"].get("annotations", {})


def applied(ns: Namespace, replicas: int, **metadata: Any) -> Object:
    made = deployment("d", container(ns.image, sh("true"), **HELD), replicas=replicas)
    made["metadata"].update(metadata)
    return made


def test_applying_over_a_state_that_is_not_the_one_that_was_read_conflicts_without_causes(
    ns: Namespace,
) -> None:
    first = ns.apply("deployments", "d", applied(ns, 2), "us").expect(201)
    press(ns, first["metadata"]["uid"], 2).expect(200)
    stale = applied(ns, 4, resourceVersion=first["metadata"]["resourceVersion"])
    answer = ns.apply("deployments", "d", stale, "us", force="true")
    assert answer.code == 409
    assert not (answer.body.get("details") or {}).get("causes")
    assert ns.get("deployments", "d")["spec"]["replicas"] == 0


def test_what_a_patch_wrote_is_a_conflict_for_an_apply_of_the_same_name(ns: Namespace) -> None:
    first = ns.apply("deployments", "d", applied(ns, 2), "us").expect(201)
    press(ns, first["metadata"]["uid"], 2).expect(200)
    answer = ns.apply("deployments", "d", applied(ns, 4), "us")
    assert answer.code == 409
    (cause,) = answer.body["details"]["causes"]
    assert cause["message"].startswith('conflict with "us" using apps/v1')
    assert cause["field"] == ".spec.replicas"


def test_each_manager_has_its_key_of_one_config_map_and_sees_the_others(ns: Namespace) -> None:
    ns.apply("configmaps", "trips", configmap("trips", {"a": "1"}), "guard-a", force="true").expect(201)
    both = ns.apply("configmaps", "trips", configmap("trips", {"b": "2"}), "guard-b", force="true").expect(
        200
    )
    assert both["data"] == {"a": "1", "b": "2"}


def test_evidence_cannot_be_changed_and_can_be_deleted(ns: Namespace) -> None:
    ns.create("configmaps", configmap("evidence", {"a": "1"}, immutable=True))
    assert ns.patch("configmaps", "evidence", {"data": {"a": "2"}}).code == 422
    assert ns.delete("configmaps", "evidence").code == 200


def test_a_group_that_is_not_there_is_404(ns: Namespace) -> None:
    answer = ns.api.request("GET", f"/apis/keda.sh/v1alpha1/namespaces/{ns.name}/scaledobjects-none")
    assert answer.code == 404
