"""Replace with its conflict, and the three patch kinds."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import JSON, JSON_PATCH, MERGE, STRATEGIC, Object, until
from tests.conformance.kit.manifests import HELD, configmap, container, deployment, service, sh
from tests.conformance.kit.namespace import Namespace

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def test_replace_with_a_stale_revision_conflicts(ns: Namespace) -> None:
    first = ns.create("configmaps", configmap("c", {"a": "1"}))
    ns.patch("configmaps", "c", {"data": {"a": "2"}})
    answer = ns.put("configmaps", "c", {**first, "data": {"a": "3"}})
    assert answer.code == 409
    assert answer.body["reason"] == "Conflict"
    assert answer.message == f'Operation cannot be fulfilled on configmaps "c": {MODIFIED}'
    assert ns.get("configmaps", "c")["data"] == {"a": "2"}


def test_replace_without_a_revision_is_unconditional(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c", {"a": "1", "b": "1"}))
    assert ns.put("configmaps", "c", configmap("c", {"a": "2"})).expect(200)["data"] == {"a": "2"}


def test_nothing_changed_moves_nothing(ns: Namespace) -> None:
    created = ns.create("configmaps", configmap("c", {"a": "1"}))
    before = created["metadata"]["resourceVersion"]
    assert ns.put("configmaps", "c", created).expect(200)["metadata"]["resourceVersion"] == before
    patched = ns.patch("configmaps", "c", {"data": {"a": "1"}}).expect(200)
    assert patched["metadata"]["resourceVersion"] == before


def test_replace_of_another_uid_conflicts(ns: Namespace) -> None:
    created = ns.create("configmaps", configmap("c"))
    created["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
    assert ns.put("configmaps", "c", created).code == 409


def test_merge_patch_sets_and_null_removes(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c", {"a": "1", "b": "1"}))
    patched = ns.patch("configmaps", "c", {"data": {"a": None, "c": "1"}}, MERGE).expect(200)
    assert patched["data"] == {"b": "1", "c": "1"}


def test_merge_patch_replaces_lists_whole(ns: Namespace) -> None:
    ns.create("deployments", two_env(ns))
    containers = [{"name": "main", "image": ns.image, "env": [{"name": "C", "value": "3"}]}]
    patched = ns.patch(
        "deployments", "d", {"spec": {"template": {"spec": {"containers": containers}}}}, MERGE
    )
    (main,) = patched.expect(200)["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "C", "value": "3"}]
    assert "command" not in main


def test_patch_with_a_stale_revision_conflicts(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c"))
    answer = ns.patch("configmaps", "c", {"metadata": {"resourceVersion": "1"}, "data": {"a": "1"}}, MERGE)
    assert answer.code == 409
    assert answer.message.endswith(MODIFIED)


def test_json_patch(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c", {"a": "1", "b": "1"}))
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "add", "path": "/data/x~1y", "value": "3"},
        {"op": "remove", "path": "/data/b"},
        {"op": "copy", "from": "/data/a", "path": "/data/c"},
        {"op": "move", "from": "/data/c", "path": "/data/d"},
    ]
    answer = ns.patch("configmaps", "c", operations, JSON_PATCH)
    # a slash is no part of a config key: the whole patch is refused, and nothing of it stays
    assert answer.code == 422
    assert "data[x/y]: Invalid value" in answer.message
    del operations[2]
    assert ns.patch("configmaps", "c", operations, JSON_PATCH).expect(200)["data"] == {"a": "2", "d": "2"}


def test_json_patch_that_does_not_fit_changes_nothing(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c", {"a": "1"}))
    change = {"op": "replace", "path": "/data/a", "value": "2"}
    for operation in (
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "remove", "path": "/data/nope"},
    ):
        answer = ns.patch("configmaps", "c", [change, operation], JSON_PATCH)
        assert answer.code == 422
        assert answer.body["reason"] == "Invalid"
    assert ns.get("configmaps", "c")["data"] == {"a": "1"}
    assert ns.patch("configmaps", "c", {"data": {}}, JSON_PATCH).code == 400


def test_patch_without_a_patch_type_is_refused(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c"))
    assert ns.patch("configmaps", "c", {"data": {"a": "1"}}, JSON).code == 415


def two_env(ns: Namespace) -> Object:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    return deployment(
        "d", container(ns.image, sh("true"), env=env, ports=[{"containerPort": 8080}]), replicas=0
    )


def strategic(ns: Namespace, **main: Any) -> Object:
    """The container ``main`` after a strategic merge patch of it."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "main", **main}]}}}}
    patched = ns.patch("deployments", "d", body, STRATEGIC).expect(200)
    containers: list[Object] = patched["spec"]["template"]["spec"]["containers"]
    return next(item for item in containers if item["name"] == "main")


def test_strategic_merge_goes_by_the_lists_keys(ns: Namespace) -> None:
    ns.create("deployments", two_env(ns))
    main = strategic(ns, env=[{"name": "A", "value": "2"}, {"name": "D", "value": "1"}])
    assert {item["name"]: item["value"] for item in main["env"]} == {"A": "2", "B": "1", "D": "1"}
    assert main["command"] == sh("true")
    main = strategic(
        ns, ports=[{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "admin"}]
    )
    assert {port["containerPort"]: port["name"] for port in main["ports"]} == {8080: "http", 9090: "admin"}
    main = strategic(ns, command=["python3"])
    assert main["command"] == ["python3"]


def test_strategic_merge_directives(ns: Namespace) -> None:
    ns.create("deployments", two_env(ns))
    main = strategic(ns, env=[{"name": "A", "$patch": "delete"}])
    assert [item["name"] for item in main["env"]] == ["B"]
    main = strategic(ns, env=[{"$patch": "replace"}, {"name": "Z", "value": "1"}])
    assert main["env"] == [{"name": "Z", "value": "1"}]
    order = {"$setElementOrder/env": [{"name": "Y"}, {"name": "Z"}], "env": [{"name": "Y", "value": "2"}]}
    main = strategic(ns, **order)
    assert [item["name"] for item in main["env"]] == ["Y", "Z"]
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert ns.patch("deployments", "d", body, STRATEGIC).expect(200)["spec"]["strategy"] == {
        "type": "Recreate"
    }


def test_strategic_merge_adds_and_removes_a_container(ns: Namespace) -> None:
    ns.create("deployments", two_env(ns))
    side = {"name": "side", "image": ns.image}
    spec = ns.patch(
        "deployments", "d", {"spec": {"template": {"spec": {"containers": [side]}}}}, STRATEGIC
    ).expect(200)["spec"]["template"]["spec"]  # fmt: skip
    assert {item["name"] for item in spec["containers"]} == {"main", "side"}
    gone = {"name": "side", "$patch": "delete"}
    spec = ns.patch(
        "deployments", "d", {"spec": {"template": {"spec": {"containers": [gone]}}}}, STRATEGIC
    ).expect(200)["spec"]["template"]["spec"]  # fmt: skip
    assert [item["name"] for item in spec["containers"]] == ["main"]


def test_service_ports_merge_by_port(ns: Namespace) -> None:
    ns.create("services", service("s"))
    body = {"spec": {"ports": [{"port": 81, "name": "admin", "targetPort": 9090}]}}
    assert [p["port"] for p in ns.patch("services", "s", body, STRATEGIC).expect(200)["spec"]["ports"]] == [
        81,
        80,
    ]
    two = {"spec": {"ports": [{"port": 80}, {"port": 81}]}}
    refused = ns.patch("services", "s", two, MERGE)
    assert refused.code == 422
    assert "spec.ports[0].name: Required value" in refused.message


def test_scale_subresource(ns: Namespace) -> None:
    ns.create("deployments", deployment("d", container(ns.image, sh("true"), **HELD), replicas=0))
    scale = ns.get("deployments", "d", "scale")
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert scale["spec"] == {}
    assert scale["status"]["selector"] == "app=d"

    def put() -> Object | None:
        scale["metadata"] = ns.get("deployments", "d", "scale")["metadata"]
        answer = ns.put("deployments", "d", {**scale, "spec": {"replicas": 2}}, "scale")
        # 409: the controller has written in between
        return None if answer.code == 409 else answer.expect(200)

    assert until("the scale is written", put)["spec"] == {"replicas": 2}
    assert ns.get("deployments", "d")["spec"]["replicas"] == 2
    scale["spec"]["replicas"] = 3
    assert ns.put("deployments", "d", scale, "scale").code == 409
    patched = ns.patch("deployments", "d", {"spec": {"replicas": 1}}, MERGE, "scale").expect(200)
    assert patched["spec"] == {"replicas": 1}
    negative = ns.patch("deployments", "d", {"spec": {"replicas": -1}}, MERGE, "scale")
    assert negative.code == 422
    assert negative.message == (
        'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )
    assert ns.patch("deployments", "d", {"spec": {"replicas": 0}}, MERGE, "scale").expect(200)["spec"] == {}
    assert ns.read("configmaps", "kube-root-ca.crt", "scale").code == 404
