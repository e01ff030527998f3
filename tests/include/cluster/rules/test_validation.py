"""Faults that the recordings do not show, each with its field and words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.cluster.resources import RESOURCES, Resource
from include.cluster.rules import defaults, validation

Object = dict[str, Any]


def _texts(resource: Resource, obj: Object) -> list[str]:
    obj = copy.deepcopy(obj)
    obj["metadata"].setdefault("name", "x")
    if resource.namespaced:
        obj["metadata"].setdefault("namespace", "n")
    defaults.apply_defaults(resource, obj)
    return [cause.text() for cause in validation.validate_create(resource, obj)]


def _pod(**spec: Any) -> Object:
    return {"metadata": {}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def _with(**container: Any) -> Object:
    return _pod(containers=[{"name": "c", "image": "i", **container}])


_VOLUME = {"name": "v", "emptyDir": {}}


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        (_with(image=" i"), 'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace'),
        (_with(ports=[{"name": "much-too-long-name", "containerPort": 1}]), 'spec.containers[0].ports[0].name: Invalid value: "much-too-long-name": must be no more than 15 characters'),
        (_with(ports=[{"containerPort": 1, "protocol": "HTTP"}]), 'spec.containers[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'),
        (_with(env=[{"name": "A", "valueFrom": {}}]), "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"),
        (_with(env=[{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]), 'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'),
        (_with(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phse"}}}]), 'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "status.phse": error converting fieldPath: field label not supported: status.phse'),
        (_with(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]), "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value"),
        (_with(envFrom=[{}]), 'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'),
        (_with(livenessProbe={"exec": {}}), "spec.containers[0].livenessProbe.exec.command: Required value"),
        (_with(livenessProbe={"tcpSocket": {"port": 1}, "exec": {"command": ["x"]}}), "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"),
        (_with(readinessProbe={"httpGet": {"port": "No"}}), 'spec.containers[0].readinessProbe.httpGet.port: Invalid value: "No": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'),
        (_with(startupProbe={"exec": {"command": ["x"]}, "successThreshold": 2}), "spec.containers[0].startupProbe.successThreshold: Invalid value: 2: must be 1"),
        (_with(lifecycle={"preStop": {}}), "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type"),
        (_with(volumeMounts=[{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]) | {}, 'spec.containers[0].volumeMounts[0].name: Not found: "v"'),
        (_pod(volumes=[_VOLUME, _VOLUME]), 'spec.volumes[1].name: Duplicate value: "v"'),
        (_pod(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]), "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"),
        (_pod(volumes=[{"name": "v", "configMap": {}}]), "spec.volumes[0].configMap.name: Required value"),
        (_pod(volumes=[{"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}]), "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"),
        (_pod(volumes=[{"name": "v", "hostPath": {"path": "/x", "type": "Folder"}}]), 'spec.volumes[0].hostPath.type: Unsupported value: "Folder": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'),
        (_pod(volumes=[{"name": "v", "persistentVolumeClaim": {}}]), "spec.volumes[0].persistentVolumeClaim.claimName: Required value"),
        (_pod(dnsPolicy="Cluster"), 'spec.dnsPolicy: Unsupported value: "Cluster": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'),
        (_pod(activeDeadlineSeconds=0), "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"),
        (_with(resources={"requests": {"foo": "1"}}), 'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified'),
        (_with(securityContext={"runAsUser": -1}), "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        (_pod(initContainers=[{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["x"]}}}]), "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"),
        (_pod(tolerations=[{"operator": "Exist", "key": "k"}]), 'spec.tolerations[0].operator: Unsupported value: "Exist": supported values: "Equal", "Exists"'),
        (_pod(tolerations=[{"operator": "Exists", "key": "k", "value": "v"}]), "spec.tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'"),
        (_pod(dnsPolicy="None"), "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        (_pod(schedulingGates=[{"name": "a"}, {"name": "a"}]), 'spec.schedulingGates[1]: Duplicate value: "a"'),
        (_pod(schedulingGates=[{"name": "a"}], nodeName="n"), "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"),
        (_pod(hostname="a.b"), 'spec.hostname: Invalid value: "a.b": must not contain dots'),
    ],
)  # fmt: skip
def test_a_fault_of_a_pod_is_named(pod: Object, text: str) -> None:
    assert text in _texts(RESOURCES["pods"], pod)


@pytest.mark.parametrize(
    ("plural", "obj", "texts"),
    [
        ("services", {"metadata": {}, "spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}}, ['spec.ports[1].name: Duplicate value: "a"']),
        ("services", {"metadata": {}, "spec": {"type": "Cluster", "ports": [{"port": 1}]}}, ['spec.type: Unsupported value: "Cluster": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"']),
        ("persistentvolumeclaims", {"metadata": {}, "spec": {"accessModes": ["ReadWriteOnce"]}}, ["spec.resources[storage]: Required value"]),
        ("persistentvolumeclaims", {"metadata": {}, "spec": {"accessModes": ["RWO"], "resources": {"requests": {"storage": "0"}}}}, ['spec.accessModes: Unsupported value: "RWO": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"', 'spec.resources[storage]: Invalid value: "0": must be greater than zero']),
        ("endpoints", {"metadata": {}, "subsets": [{}]}, ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        ("endpointslices", {"metadata": {}, "addressType": "IPv4", "endpoints": [{"addresses": []}, {"addresses": ["::1"]}]},
         ["endpoints[0].addresses: Required value: must contain at least 1 address", 'endpoints[1].addresses[0]: Invalid value: "::1": must be an IPv4 address']),
        ("leases", {"metadata": {}, "spec": {"leaseDurationSeconds": 0}}, ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
        ("resourcequotas", {"metadata": {}, "spec": {"hard": {"pods": "-1"}}}, ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0']),
        ("configmaps", {"metadata": {"finalizers": ["hold"]}}, ['metadata.finalizers[0]: Invalid value: "hold": name is neither a standard finalizer name nor is it fully qualified']),
        ("configmaps", {"metadata": {}, "data": {"k": "x" * 1048577}}, ["[]: Too long: may not be more than 1048576 bytes"]),
        ("events", {"metadata": {}, "involvedObject": {"namespace": "other"}}, ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']),
    ],
)  # fmt: skip
def test_a_fault_of_another_kind_is_named(plural: str, obj: Object, texts: list[str]) -> None:
    assert _texts(RESOURCES[plural], obj) == texts


def test_a_strategy_is_checked() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    rolling = {"maxSurge": "a lot", "maxUnavailable": "150%"}
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": template,
        "strategy": {"rollingUpdate": rolling},
    }
    assert _texts(RESOURCES["deployments"], {"metadata": {}, "spec": spec}) == [
        'spec.strategy.rollingUpdate.maxSurge: Invalid value: "a lot": a valid percent string must be a numeric string followed '
        "by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "150%": must not be greater than 100%',
    ]


def test_a_terminating_object_takes_no_new_finalizers() -> None:
    old = {
        "metadata": {
            "name": "x",
            "namespace": "n",
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["a/b"],
        }
    }
    new = copy.deepcopy(old)
    new["metadata"]["finalizers"] = ["a/b", "c/d"]
    causes = validation.validate_update(RESOURCES["configmaps"], new, old)
    assert [cause.text() for cause in causes] == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"c/d"}'
    ]


def test_a_suspended_job_may_still_say_where_its_pods_go() -> None:
    template = {
        "metadata": {},
        "spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"},
    }
    job = {
        "metadata": {"name": "j", "namespace": "n"},
        "spec": {"suspend": True, "selector": {}, "template": template},
    }
    defaults.apply_defaults(RESOURCES["jobs"], job)
    new = copy.deepcopy(job)
    new["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    assert validation.validate_update(RESOURCES["jobs"], new, job) == []
    job["spec"]["suspend"] = new["spec"]["suspend"] = False
    assert [cause.field for cause in validation.validate_update(RESOURCES["jobs"], new, job)] == [
        "spec.template"
    ]


def test_a_bound_claim_may_grow_and_not_shrink() -> None:
    def claim(size: str) -> Object:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "volumeName": "v",
        }
        return {"metadata": {"name": "c", "namespace": "n"}, "spec": spec, "status": {"phase": "Bound"}}

    claims = RESOURCES["persistentvolumeclaims"]
    assert validation.validate_update(claims, claim("2Gi"), claim("1Gi")) == []
    assert [cause.field for cause in validation.validate_update(claims, claim("1Gi"), claim("2Gi"))] == [
        "spec.resources.requests.storage"
    ]
