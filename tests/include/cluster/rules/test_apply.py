from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from include.cluster.errors import ApiError
from include.cluster.resources import RESOURCES
from include.cluster.rules import apply, fieldset

Object = dict[str, Any]

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_DEPLOYMENTS, _CONFIGMAPS, _SERVICES = (
    RESOURCES["deployments"],
    RESOURCES["configmaps"],
    RESOURCES["services"],
)


def _config(data: Object, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}, "data": data}


def _deployment(**container: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "a", "image": "i", **container}]},
    }
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def _container(obj: Object) -> Object:
    found: Object = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def _apply(live: Object | None, config: Object, manager: str = "m", *, force: bool = False) -> Object:
    resource = {one.kind: one for one in (_DEPLOYMENTS, _CONFIGMAPS, _SERVICES)}[config["kind"]]
    return apply.apply(resource, live, config, manager, force, _NOW)


def test_several_conflicts_are_listed_per_manager() -> None:
    live = _apply(_apply(None, _config({"x": "1", "y": "1"}), "one"), _config({"z": "1"}), "two")
    with pytest.raises(ApiError) as refusal:
        _apply(live, _config({"x": "2", "y": "2", "z": "2"}), "three")
    assert refusal.value.code == 409
    assert refusal.value.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.x\n- .data.y\nconflicts with "two":\n- .data.z'
    )
    assert [cause["field"] for cause in (refusal.value.details or {})["causes"]] == [
        ".data.x",
        ".data.y",
        ".data.z",
    ]


def test_an_object_that_nobody_managed_belongs_to_who_was_before_the_first_apply() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "n"},
        "data": {"x": "1"},
    }
    with pytest.raises(ApiError, match=r'conflict with "before-first-apply" using v1: \.data\.x'):
        _apply(live, _config({"x": "2"}))
    forced = _apply(live, _config({"x": "2"}), force=True)
    assert forced["data"] == {"x": "2"}


def test_a_struct_that_is_no_longer_applied_goes_with_its_defaults() -> None:
    probe = {"httpGet": {"path": "/ready", "port": 80}}
    live = _apply(None, _deployment(readinessProbe=probe))
    assert _container(live)["readinessProbe"]["periodSeconds"] == 10
    assert "readinessProbe" not in _container(_apply(live, _deployment()))


def test_a_list_entry_goes_when_its_last_owner_leaves_it_out() -> None:
    live = _apply(None, _deployment(ports=[{"containerPort": 80}, {"containerPort": 81}]))
    live = _apply(live, _deployment(ports=[{"containerPort": 81}]), "other")
    live = _apply(live, _deployment())
    assert _container(live)["ports"] == [{"containerPort": 81, "protocol": "TCP"}]
    live = _apply(live, {**_deployment(), "spec": {}}, "other")
    assert "ports" not in _container(live)


def test_the_applied_order_of_a_keyed_list_holds_and_what_others_added_stays() -> None:
    live = _apply(None, _deployment(env=[{"name": "B"}, {"name": "C"}]))
    live = _apply(
        live,
        {
            **_deployment(),
            "spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "Z"}]}]}}},
        },
        "other",
    )
    live = _apply(live, _deployment(env=[{"name": "C"}, {"name": "B"}]))
    assert [one["name"] for one in _container(live)["env"]] == ["C", "B", "Z"]


def test_an_empty_value_is_owned_though_it_is_not_stored() -> None:
    live = _apply(None, _deployment(env=[{"name": "A", "value": ""}]))
    assert _container(live)["env"] == [{"name": "A"}]
    (entry,) = live["metadata"]["managedFields"]
    path = (
        "f:spec",
        "f:template",
        "f:spec",
        "f:containers",
        'k:{"name":"a"}',
        "f:env",
        'k:{"name":"A"}',
        "f:value",
    )
    assert path in fieldset.read(entry["fieldsV1"])
    assert _apply(live, _deployment(env=[{"name": "A", "value": ""}])) == live


def test_a_quantity_written_otherwise_is_no_change() -> None:
    config = _deployment(resources={"limits": {"memory": "1024Mi"}})
    live = _apply(None, config)
    assert _container(live)["resources"] == {"limits": {"memory": "1Gi"}}
    again = apply.apply(_DEPLOYMENTS, live, config, "m", False, datetime(2027, 1, 1, tzinfo=UTC))
    assert again == live


def test_finalizers_are_owned_one_by_one() -> None:
    live = _apply(None, _config({"x": "1"}, finalizers=["a.io/x"]), "one")
    live = _apply(live, _config({"y": "1"}, finalizers=["b.io/x"]), "two")
    assert live["metadata"]["finalizers"] == ["a.io/x", "b.io/x"]
    live = _apply(live, _config({"x": "1"}), "one")
    assert live["metadata"]["finalizers"] == ["b.io/x"]


def test_a_service_port_without_protocol_is_the_tcp_one() -> None:
    config: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]},
    }
    live = _apply(None, config)
    ports = fieldset.read(live["metadata"]["managedFields"][0]["fieldsV1"])
    assert ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}') in ports
    assert _apply(live, copy.deepcopy(config)) == live


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        (_config({"x": 1}), 500, ".data.x: expected string, got &value.valueUnstructured{Value:1}"),
        ({**_deployment(), "spec": {"replicas": "two"}}, 500, ".spec.replicas: expected numeric (int or float), got string"),
        (_deployment(env=[{"value": "x"}]), 500, 'element 0: associative list with keys has an element that omits key field "name"'),
        (_deployment(resources={"limits": {"memory": "256mb"}}), 500, "quantities must match the regular expression"),
        ([], 400, "the configuration to apply must be an object"),
        ({**_config({}), "apiVersion": "v2"}, 400, "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1"),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_fit_is_refused(config: Object, code: int, message: str) -> None:
    resource = _DEPLOYMENTS if config and config["kind"] == "Deployment" else _CONFIGMAPS
    with pytest.raises(ApiError) as refusal:
        apply.apply(resource, None, config, "m", False, _NOW)
    assert refusal.value.code == code
    assert message in refusal.value.message


def test_several_faults_are_told_at_once() -> None:
    with pytest.raises(ApiError) as refusal:
        _apply(None, {**_deployment(Image="x"), "Spec": 1})
    assert refusal.value.message == (
        "failed to create typed patch object (/d; apps/v1, Kind=Deployment): errors:\n"
        '  .spec.template.spec.containers[name="a"].Image: field not declared in schema\n'
        "  .Spec: field not declared in schema"
    )


def test_a_new_object_is_tracked_with_every_part_that_was_added() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "uid": "u", "labels": {"a": "b"}},
        "data": {"x": "1"},
    }
    apply.track_update(_CONFIGMAPS, None, obj, "me", "", _NOW)
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:x": {}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}},
        }
    ]


def test_a_status_write_is_its_own_manager_and_the_main_write_does_not_own_status() -> None:
    live = _apply(None, _deployment())
    new = copy.deepcopy(live)
    new["status"] = {"replicas": 1}
    apply.track_update(_DEPLOYMENTS, live, new, "controller", "status", _NOW)
    assert [(one["manager"], one.get("subresource")) for one in new["metadata"]["managedFields"]] == [
        ("m", None),
        ("controller", "status"),
    ]
    plain = copy.deepcopy(live)
    plain["status"] = {"replicas": 1}
    apply.track_update(_DEPLOYMENTS, live, plain, "someone", "", _NOW)
    assert [one["manager"] for one in plain["metadata"]["managedFields"]] == ["m"]


def test_fields_survive_being_written_and_read() -> None:
    paths = frozenset({("f:a",), ("f:a", "f:b"), ("f:c", 'k:{"name":"x"}'), ("f:c", 'k:{"name":"x"}', "f:d")})
    tree = fieldset.write(paths)
    assert tree == {"f:a": {".": {}, "f:b": {}}, "f:c": {'k:{"name":"x"}': {".": {}, "f:d": {}}}}
    assert fieldset.read(tree) == paths
