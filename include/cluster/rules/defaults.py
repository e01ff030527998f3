"""The values that Kubernetes fills in where an object leaves them out."""

from __future__ import annotations

from typing import Any

from include.cluster.resources import Resource
from include.cluster.rules import quantity

Object = dict[str, Any]

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_DEFAULT_MODE = 0o644
_TOKEN_SECONDS = 3600
_STICKY_SECONDS = 10800
_NO_LIMIT = 2**31 - 1


def apply_defaults(resource: Resource, obj: Object) -> None:
    """Fills in, in place, every default of the kind."""
    filler = _BY_PLURAL.get(resource.plural)
    if filler is not None:
        filler(obj)


def _fill(obj: Object, values: Object) -> None:
    for key, value in values.items():
        if obj.get(key) is None:
            obj[key] = dict(value) if isinstance(value, dict) else value


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, {"enableServiceLinks": True})
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container.get("resources") or {}
        for name, value in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, value)
    pod_spec(spec)


def pod_spec(spec: Object) -> None:
    """Fills in a pod's spec, in a pod or in a template."""
    _fill(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    if spec.get("serviceAccountName") and not spec.get("serviceAccount"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount") and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in spec.get("volumes") or []:
        _volume(volume)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container, host_network=bool(spec.get("hostNetwork")))


def _container(container: Object, *, host_network: bool) -> None:
    _fill(
        container,
        {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": _pull_policy(container.get("image", "")),
        },
    )
    for kind in ("limits", "requests"):
        amounts = container["resources"].get(kind) or {}
        amounts.update(
            {name: quantity.rounded(value) for name, value in amounts.items() if value is not None}
        )
    for port in container.get("ports") or []:
        _fill(port, {"protocol": "TCP"})
        if host_network and not port.get("hostPort") and port.get("containerPort"):
            port["hostPort"] = port["containerPort"]
    for variable in container.get("env") or []:
        _field_reference(variable.get("valueFrom") or {})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            _fill(probe, _PROBE)
            _handler(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _handler(hook)


def _pull_policy(image: str) -> str:
    name = image.rsplit("/", 1)[-1]
    tag = name.partition("@")[0].partition(":")[2]
    if tag == "latest" or (not tag and image.strip() and "@" not in name):
        return "Always"
    return "IfNotPresent"


def _handler(handler: Object) -> None:
    if handler.get("httpGet") is not None:
        _fill(handler["httpGet"], {"path": "/", "scheme": "HTTP"})
    if handler.get("grpc") is not None:
        _fill(handler["grpc"], {"service": ""})


def _field_reference(source: Object) -> None:
    if source.get("fieldRef") is not None:
        _fill(source["fieldRef"], {"apiVersion": "v1"})
    if source.get("resourceFieldRef") is not None:
        _fill(source["resourceFieldRef"], {"divisor": "0"})


def _volume(volume: Object) -> None:
    if not [key for key in volume if key != "name"]:
        volume["emptyDir"] = {}
    for name in ("configMap", "secret", "downwardAPI", "projected"):
        if volume.get(name) is not None:
            _fill(volume[name], {"defaultMode": _DEFAULT_MODE})
    if volume.get("hostPath") is not None:
        _fill(volume["hostPath"], {"type": ""})
    for item in (volume.get("downwardAPI") or {}).get("items") or []:
        _field_reference(item)
    for source in (volume.get("projected") or {}).get("sources") or []:
        if source.get("serviceAccountToken") is not None:
            _fill(source["serviceAccountToken"], {"expirationSeconds": _TOKEN_SECONDS})
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            _field_reference(item)


def _template(obj: Object) -> Object:
    spec: Object = obj.setdefault("spec", {})
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))
    return spec


def _deployment(obj: Object) -> None:
    spec = _template(obj)
    _fill(spec, {"replicas": 1, "strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec["strategy"]
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, {"rollingUpdate": {}})
        _fill(strategy["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})


def _replica_set(obj: Object) -> None:
    _fill(_template(obj), {"replicas": 1})


def _job(obj: Object) -> None:
    spec = _template(obj)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    failure_policy = spec.get("podFailurePolicy")
    _fill(
        spec,
        {
            "parallelism": 1,
            "backoffLimit": _NO_LIMIT if spec.get("backoffLimitPerIndex") is not None else 6,
            "completionMode": "NonIndexed",
            "suspend": False,
            "manualSelector": False,
            "podReplacementPolicy": "Failed" if failure_policy is not None else "TerminatingOrFailed",
        },
    )
    for rule in (failure_policy or {}).get("rules") or []:
        for pattern in rule.get("onPodConditions") or []:
            _fill(pattern, {"status": "True"})


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        _fill(spec, {"sessionAffinityConfig": {}})
        _fill(spec["sessionAffinityConfig"], {"clientIP": {}})
        _fill(spec["sessionAffinityConfig"]["clientIP"], {"timeoutSeconds": _STICKY_SECONDS})
    for port in spec.get("ports") or []:
        _fill(port, {"protocol": "TCP"})
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    outside = spec["type"] in ("NodePort", "LoadBalancer")
    if outside:
        _fill(spec, {"externalTrafficPolicy": "Cluster"})
    if outside or spec["type"] == "ClusterIP":
        _fill(spec, {"internalTrafficPolicy": "Cluster"})
    if spec["type"] == "LoadBalancer":
        _fill(spec, {"allocateLoadBalancerNodePorts": True})


def _secret(obj: Object) -> None:
    _fill(obj, {"type": "Opaque"})


def _namespace(obj: Object) -> None:
    metadata = obj.setdefault("metadata", {})
    if metadata.get("name"):
        labels = metadata["labels"] = metadata.get("labels") or {}
        _fill(labels, {"kubernetes.io/metadata.name": metadata["name"]})
    obj.setdefault("spec", {})
    _fill(obj.setdefault("status", {}), {"phase": "Active"})


def _claim(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), {"volumeMode": "Filesystem"})
    _fill(obj.setdefault("status", {}), {"phase": "Pending"})


def _lease(obj: Object) -> None:
    _fill(obj, {"spec": {}})


def _event(obj: Object) -> None:
    obj.setdefault("source", {})
    obj.setdefault("eventTime", None)
    obj.setdefault("firstTimestamp", None)
    obj.setdefault("lastTimestamp", None)
    _fill(obj, {"reportingComponent": "", "reportingInstance": ""})


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or []:
        for port in subset.get("ports") or []:
            _fill(port, {"protocol": "TCP"})


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or []:
        _fill(port, {"name": "", "protocol": "TCP"})


_BY_PLURAL = {
    "pods": _pod,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "jobs": _job,
    "services": _service,
    "endpoints": _endpoints,
    "endpointslices": _endpoint_slice,
    "secrets": _secret,
    "namespaces": _namespace,
    "persistentvolumeclaims": _claim,
    "events": _event,
    "leases": _lease,
}
