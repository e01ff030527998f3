"""Server-side apply: who owns which field, what conflicts, what goes when it is left out."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import APPLY, MERGE, STRATEGIC, Object
from tests.conformance.kit.manifests import HELD, configmap, container, deployment, sh
from tests.conformance.kit.namespace import Namespace


def applied(ns: Namespace, manager: str, data: dict[str, Any], **options: Any) -> Object:
    body: Object = ns.apply("configmaps", "c", configmap("c", data), manager, **options).expect(200, 201)
    return body


def owners(item: Object) -> dict[tuple[str, str, str], Object]:
    """The fields by (manager, operation, subresource)."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in item["metadata"].get("managedFields", [])
    }


def test_apply_creates_and_notes_the_manager(ns: Namespace) -> None:
    answer = ns.apply("configmaps", "c", configmap("c", {"a": "1"}), "alpha")
    created = answer.expect(201)
    (entry,) = created["metadata"]["managedFields"]
    assert entry["manager"] == "alpha"
    assert entry["operation"] == "Apply"
    assert entry["apiVersion"] == "v1"
    assert entry["fieldsType"] == "FieldsV1"
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


def test_applied_again_nothing_moves(ns: Namespace) -> None:
    first = applied(ns, "alpha", {"a": "1"})
    again = applied(ns, "alpha", {"a": "1"})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert again["metadata"]["managedFields"] == first["metadata"]["managedFields"]


def test_another_value_of_anothers_field_conflicts(ns: Namespace) -> None:
    applied(ns, "alpha", {"x": "1", "y": "1"})
    answer = ns.apply("configmaps", "c", configmap("c", {"x": "2", "y": "2"}), "beta")
    assert answer.code == 409
    assert answer.body["reason"] == "Conflict"
    assert answer.message == (
        'Apply failed with 2 conflicts: conflicts with "alpha":\n- .data.x\n- .data.y'
    )  # fmt: skip
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "alpha"', "field": ".data.x"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "alpha"', "field": ".data.y"},
    ]
    assert ns.get("configmaps", "c")["data"] == {"x": "1", "y": "1"}


def test_the_same_value_is_owned_by_both(ns: Namespace) -> None:
    applied(ns, "alpha", {"x": "1"})
    both = applied(ns, "beta", {"x": "1"})
    assert set(owners(both)) == {("alpha", "Apply", ""), ("beta", "Apply", "")}
    left = applied(ns, "alpha", {})
    assert left["data"] == {"x": "1"}


def test_force_takes_the_field_over(ns: Namespace) -> None:
    applied(ns, "alpha", {"x": "1", "y": "1"})
    forced = applied(ns, "beta", {"x": "2"}, force=True)
    assert forced["data"] == {"x": "2", "y": "1"}
    assert owners(forced)["alpha", "Apply", ""] == {"f:data": {"f:y": {}}}
    assert ns.apply("configmaps", "c", configmap("c", {"x": "1"}), "alpha").code == 409


def test_a_field_left_out_is_removed_when_nobody_else_owns_it(ns: Namespace) -> None:
    applied(ns, "alpha", {"x": "1", "y": "1"})
    assert applied(ns, "alpha", {"x": "1"})["data"] == {"x": "1"}


def test_other_writes_own_fields_too(ns: Namespace) -> None:
    applied(ns, "alpha", {"x": "1"})
    patched = ns.patch("configmaps", "c", {"data": {"u": "1"}}, MERGE, fieldManager="gamma").expect(200)
    assert owners(patched)["gamma", "Update", ""] == {"f:data": {"f:u": {}}}
    answer = ns.apply("configmaps", "c", configmap("c", {"u": "2"}), "beta")
    assert answer.code == 409
    assert answer.message == 'Apply failed with 1 conflict: conflict with "gamma" using v1: .data.u'
    named = ns.patch("configmaps", "c", {"data": {"v": "1"}}, headers={"User-Agent": "curl/8.0 (x)"}).expect(
        200
    )
    assert ("curl", "Update", "") in owners(named)


def test_apply_that_is_malformed(ns: Namespace) -> None:
    unnamed = ns.patch("configmaps", "c", configmap("c"), APPLY)
    assert unnamed.code == 422
    assert "fieldManager: Required value: is required for apply patch" in unnamed.message
    forced = ns.patch("configmaps", "c", {"data": {}}, MERGE, force=True)
    assert forced.code == 422
    assert "force: Forbidden: may not be specified for non-apply patch" in forced.message
    other = ns.apply("configmaps", "c", configmap("zzz"), "alpha")
    assert other.code == 400
    assert other.message == "the name of the object (zzz) does not match the name on the URL (c)"
    managed = configmap("c", metadata={"managedFields": [{"manager": "x"}]})
    assert "metadata.managedFields must be nil" in ns.apply("configmaps", "c", managed, "alpha").message


def test_apply_with_a_stale_revision_conflicts(ns: Namespace) -> None:
    created = applied(ns, "alpha", {"x": "1"})
    applied(ns, "alpha", {"x": "2"})
    stale = configmap("c", {"x": "3"}, metadata={"resourceVersion": created["metadata"]["resourceVersion"]})
    answer = ns.apply("configmaps", "c", stale, "alpha", force=True)
    assert answer.code == 409
    assert "the object has been modified" in answer.message


def test_apply_of_a_field_that_does_not_exist(ns: Namespace) -> None:
    body = deployment("d", container(ns.image, sh("true")), replicas=0)
    body["spec"]["nope"] = 1
    answer = ns.apply("deployments", "d", body)
    assert answer.code == 500
    assert answer.message.endswith(".spec.nope: field not declared in schema")


def test_apply_of_one_env_twice(ns: Namespace) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    answer = ns.apply(
        "deployments", "d", deployment("d", container(ns.image, sh("true"), env=env), replicas=0)
    )
    assert answer.code == 500
    assert 'env: duplicate entries for key [name="A"]' in answer.message


def test_apply_is_yaml(ns: Namespace) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: 'yes'}\n"
    created = ns.api.request(
        "PATCH", ns.path("configmaps", "c"), text, content_type=APPLY, fieldManager="alpha"
    ).expect(201)  # fmt: skip
    assert created["data"] == {"a": "yes"}


def web(ns: Namespace, env: dict[str, str], image: str = "", **spec: Any) -> Object:
    main = container(
        image or ns.image, sh("true"), env=[{"name": k, "value": v} for k, v in env.items()], **HELD
    )
    return deployment("web", main, **spec)


def env_of(item: Object) -> dict[str, str]:
    (main,) = item["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in main["env"]}


def test_lists_are_owned_by_their_keys(ns: Namespace) -> None:
    ns.apply("deployments", "web", web(ns, {"A": "1", "B": "1"}), "alpha").expect(201)
    partial = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "C", "value": "1"}]}]}}
        },
    }
    both = ns.apply("deployments", "web", partial, "beta").expect(200)
    assert env_of(both) == {"A": "1", "B": "1", "C": "1"}
    left = ns.apply("deployments", "web", web(ns, {"A": "1"}), "alpha").expect(200)
    assert env_of(left) == {"A": "1", "C": "1"}
    partial["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/other:1"  # type: ignore[index]
    answer = ns.apply("deployments", "web", partial, "beta")
    assert answer.code == 409
    assert answer.message == (
        'Apply failed with 1 conflict: conflict with "alpha": .spec.template.spec.containers[name="main"].image'
    )


def test_apply_is_idempotent_after_the_controllers_wrote(ns: Namespace) -> None:
    ns.apply("deployments", "web", web(ns, {"A": "1"}), "alpha").expect(201)
    seen = ns.wait(
        "deployments",
        "web",
        "settled",
        lambda d: (
            d.get("status", {}).get("unavailableReplicas") == 1
            and len(d["status"].get("conditions", [])) == 2
        ),
    )
    again = ns.apply("deployments", "web", web(ns, {"A": "1"}), "alpha").expect(200)
    assert again["metadata"]["generation"] == seen["metadata"]["generation"] == 1
    status = [key for key in owners(again) if key[2] == "status"]
    assert status
    assert status[0][1] == "Update"


def test_scaling_through_the_subresource_is_owned_apart(ns: Namespace) -> None:
    ns.apply("deployments", "web", web(ns, {"A": "1"}), "alpha").expect(201)
    body = {"spec": {"replicas": 2}}
    ns.patch("deployments", "web", body, STRATEGIC, "scale", fieldManager="hpa").expect(200)
    answer = ns.apply("deployments", "web", web(ns, {"A": "1"}), "alpha")
    assert answer.code == 409
    assert answer.message == (
        'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
    )
    without = web(ns, {"A": "1"})
    del without["spec"]["replicas"]
    assert ns.apply("deployments", "web", without, "alpha").expect(200)["spec"]["replicas"] == 2
