from __future__ import annotations

from typing import Any

import pytest

from include.cluster.errors import ApiError
from include.cluster.resources import RESOURCES
from include.cluster.rules import schema

_PODS, _DEPLOYMENTS = RESOURCES["pods"], RESOURCES["deployments"]


def _pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **container}]}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (_pod(command="sh"), "json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string"),
        (_pod(env={"A": "1"}), "json: cannot unmarshal object into Go struct field Container.spec.containers.env of type []v1.EnvVar"),
        (_pod(stdin="yes"), "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool"),
        (_pod(ports=[{"containerPort": "80"}]), "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"),
        (_pod(ports=[{"containerPort": 80.5}]), "json: cannot unmarshal number 80.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"),
        (_pod(ports=[{"containerPort": 2**31}]), "json: cannot unmarshal number 2147483648 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"),
        (_pod(livenessProbe={"httpGet": {"port": True}}), "json: cannot unmarshal bool into Go value of type int32"),
        ({"spec": "x"}, "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
        ({"metadata": {"labels": {"a": 1}}}, "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"),
        ({"spec": {"terminationGracePeriodSeconds": "3"}}, "json: cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64"),
        ({"metadata": {"creationTimestamp": "noon"}}, 'parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"'),
    ],
)  # fmt: skip
def test_a_wrong_type_is_refused_in_gos_words(body: dict[str, Any], why: str) -> None:
    with pytest.raises(ApiError) as refusal:
        schema.decode(_PODS, body)
    assert refusal.value.code == 400
    assert refusal.value.message == f'Pod in version "v1" cannot be handled as a Pod: {why}'


def test_unknown_fields_are_told_with_their_place_and_dropped() -> None:
    body = _pod(image="x", ports=[{"containerPort": 1, "Name": "http"}])
    body["Spec"] = {}
    found = schema.decode(_PODS, body)
    assert found.unknown == ['unknown field "spec.containers[0].ports[0].Name"', 'unknown field "Spec"']
    assert "Spec" not in found.obj
    assert found.obj["spec"]["containers"][0]["ports"] == [{"containerPort": 1}]


def test_what_go_leaves_out_is_left_out_and_zeros_that_count_stay() -> None:
    body = _pod(image="x", args=[], env=[{"name": "A", "value": ""}], stdin=False, workingDir="")
    body["spec"].update(
        hostNetwork=False, terminationGracePeriodSeconds=0, securityContext={}, nodeSelector={}
    )
    body["metadata"]["creationTimestamp"] = None
    found = schema.normalise(_PODS, body)
    assert found["spec"] == {
        "containers": [{"name": "c", "image": "x", "env": [{"name": "A"}]}],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {},
    }
    assert found["metadata"] == {"name": "p"}
    deployment = schema.normalise(
        _DEPLOYMENTS, {"spec": {"replicas": 0, "minReadySeconds": 0, "paused": False}}
    )
    assert deployment["spec"] == {"replicas": 0}


def test_times_and_quantities_are_stored_in_one_form() -> None:
    lease = {"spec": {"renewTime": "2026-01-02T03:04:05.500000+01:00", "holderIdentity": ""}}
    assert schema.normalise(RESOURCES["leases"], lease)["spec"] == {
        "renewTime": "2026-01-02T02:04:05.500000Z",
        "holderIdentity": "",
    }
    pod = _pod(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}})
    assert schema.normalise(_PODS, pod)["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"}
    }


@pytest.mark.parametrize("body", [[], "text", None, 3])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(ApiError, match="couldn't get version/kind"):
        schema.decode(_PODS, body)


def test_duplicates_are_told_first() -> None:
    found = schema.decode(RESOURCES["configmaps"], {"data": {"a": "2"}, "x": 1}, ["data.a"])
    assert found.unknown == ['duplicate field "data.a"', 'unknown field "x"']
