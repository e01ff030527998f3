from __future__ import annotations

from typing import Any

import pytest

from include.cluster.resources import RESOURCES
from include.cluster.rules import limits, support
from include.cluster.rules.model import Type, fields

Object = dict[str, Any]

_PODS, _JOBS = RESOURCES["pods"], RESOURCES["jobs"]


def _pod(**spec: Any) -> Object:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def _with(**container: Any) -> Object:
    return _pod(containers=[{"name": "c", "image": "i", **container}])


@pytest.mark.parametrize(
    ("pod", "field"),
    [
        (_pod(affinity={"nodeAffinity": {}}), "spec.affinity"),
        (_pod(nodeSelector={"disk": "ssd"}), "spec.nodeSelector"),
        (_pod(tolerations=[{"operator": "Exists"}]), "spec.tolerations"),
        (_pod(dnsPolicy="None"), "spec.dnsPolicy"),
        (_with(resources={"limits": {"cpu": "1"}}), "spec.containers[0].resources.limits.cpu"),
        (
            _with(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
            "spec.containers[0].securityContext.capabilities.add",
        ),
        (
            _pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]),
            "spec.volumes[0].emptyDir.sizeLimit",
        ),
    ],
)
def test_a_field_without_effect_is_told_by_name(pod: Object, field: str) -> None:
    (warning,) = support.warnings(_PODS, pod)
    assert warning.startswith(f"{field}: kept, but has no effect on this stand-in cluster: ")
    assert support.refusals(_PODS, pod) == []


def test_what_everybody_gets_is_not_warned_of() -> None:
    added = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    pod = _pod(
        tolerations=[added],
        dnsPolicy="ClusterFirst",
        preemptionPolicy="PreemptLowerPriority",
        securityContext={},
    )
    assert support.warnings(_PODS, pod) == []


@pytest.mark.parametrize(
    ("pod", "field"),
    [
        (_pod(volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}]), "spec.volumes[0].nfs"),
        (_pod(volumes=[{"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}}]), "spec.volumes[0].projected.sources[0].clusterTrustBundle"),
        (_with(livenessProbe={"grpc": {"port": 1}}), "spec.containers[0].livenessProbe.grpc"),
        (_with(ports=[{"containerPort": 1, "hostPort": 1}]), "spec.containers[0].ports[0].hostPort"),
        (_with(volumeDevices=[{"name": "v", "devicePath": "/d"}]), "spec.containers[0].volumeDevices"),
        (_with(stdin=True), "spec.containers[0].stdin"),
        (_pod(hostPID=True), "spec.hostPID"),
        (_pod(runtimeClassName="gvisor"), "spec.runtimeClassName"),
    ],
)  # fmt: skip
def test_a_field_that_would_change_what_runs_is_refused_by_name(pod: Object, field: str) -> None:
    (cause,) = support.refusals(_PODS, pod)
    assert (cause.field, cause.reason) == (field, "FieldValueForbidden")
    assert cause.message.startswith(
        "Forbidden: valid in Kubernetes, but this is the stand-in cluster, which does not have it: "
    )


@pytest.mark.parametrize(
    ("plural", "spec", "field"),
    [
        ("services", {"type": "LoadBalancer"}, "spec.type"),
        (
            "services",
            {"type": "ClusterIP", "ports": [{"port": 53, "protocol": "UDP"}]},
            "spec.ports[0].protocol",
        ),
        ("services", {"sessionAffinity": "ClientIP"}, "spec.sessionAffinity"),
        ("persistentvolumeclaims", {"volumeMode": "Block"}, "spec.volumeMode"),
        ("jobs", {"successPolicy": {"rules": [{"succeededCount": 1}]}}, "spec.successPolicy"),
    ],
)
def test_other_kinds_have_refusals_of_their_own(plural: str, spec: Object, field: str) -> None:
    causes = support.refusals(RESOURCES[plural], {"metadata": {"name": "x"}, "spec": spec})
    assert [cause.field for cause in causes] == [field]


def test_a_sidecar_is_no_refusal() -> None:
    assert support.refusals(_PODS, _pod(initContainers=[{"name": "s", "restartPolicy": "Always"}])) == []


def test_the_host_port_that_comes_with_the_host_network_is_no_refusal() -> None:
    port = {"containerPort": 1, "hostPort": 1}
    pod = _pod(hostNetwork=True, containers=[{"name": "c", "image": "i", "ports": [port]}])
    assert support.refusals(_PODS, pod) == []


def test_two_containers_on_one_port_are_warned_of_as_kubernetes_does() -> None:
    port = {"containerPort": 80, "protocol": "TCP"}
    pod = _pod(containers=[{"name": "a", "ports": [port]}, {"name": "b", "ports": [port]}])
    assert support.warnings(_PODS, pod) == [
        "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]"
    ]


def test_a_name_that_makes_a_poor_host_name_is_warned_of() -> None:
    job = {"metadata": {"name": "a.b"}, "spec": {"template": {"spec": {}}}}
    (warning,) = support.warnings(_JOBS, job)
    assert warning.startswith(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising"
    )


def test_every_listed_field_exists() -> None:
    listed = [("V1PodSpec", limit.path) for limit in (*limits.POD_WITHOUT_EFFECT, *limits.POD_REFUSED)]
    for table in (limits.WITHOUT_EFFECT, limits.REFUSED):
        listed += [
            (RESOURCES[plural].model, limit.path) for plural, found in table.items() for limit in found
        ]
    for model, path in listed:
        type_ = Type("struct", model=model)
        for part in path.split("."):
            if type_.shape == "map":
                break
            assert part.removesuffix("[*]") in fields(type_.model), path
            type_ = fields(type_.model)[part.removesuffix("[*]")]
            if part.endswith("[*]"):
                assert type_.item is not None, path
                type_ = type_.item
