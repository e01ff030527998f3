"""The columns of each kind's Table, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.cluster.http.durations import UNKNOWN, between, since
from include.cluster.http.pod_row import pod_cells
from include.cluster.registry import clock
from include.cluster.resources import BY_KIND, Resource

Object = dict[str, Any]
Cells = Callable[[Object], list[Any]]
NONE = "<none>"


@dataclass(frozen=True)
class Layout:
    """Columns as ``Name`` or, shown only with ``-o wide``, ``Name*``; and the cells of one object."""

    names: tuple[str, ...]
    cells: Cells
    integers: tuple[str, ...] = ()


def columns(resource: Resource) -> list[Object]:
    """The definitions of a kind's columns."""
    layout = _layout(resource)
    return [
        {
            "name": name.rstrip("*"),
            "type": "integer" if name in layout.integers else "string",
            "format": "name" if name.rstrip("*") == "Name" else "",
            "description": "",
            "priority": int(name.endswith("*")),
        }
        for name in layout.names
    ]


def row(resource: Resource, obj: Object) -> list[Any]:
    """One object's cells."""
    return _layout(resource).cells(obj)


def _layout(resource: Resource) -> Layout:
    return _LAYOUTS.get(resource.plural, _PLAIN)


def _age(obj: Object) -> str:
    return since(obj["metadata"].get("creationTimestamp"))


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def _labels(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _selector(selector: Object | None) -> str:
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for one in (selector or {}).get("matchExpressions") or []:
        values = ",".join(one.get("values") or [])
        operator = {"In": f" in ({values})", "NotIn": f" notin ({values})", "Exists": ""}.get(
            one["operator"], ""
        )
        parts.append(("!" if one["operator"] == "DoesNotExist" else "") + one["key"] + operator)
    return ",".join(parts) or NONE


def _containers(template: Object | None) -> tuple[str, str]:
    containers = ((template or {}).get("spec") or {}).get("containers") or []
    return ",".join(one["name"] for one in containers), ",".join(one.get("image", "") for one in containers)


def _pod(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    gates = spec.get("readinessGates") or []
    met = {one["type"] for one in status.get("conditions") or [] if one["status"] == "True"}
    passed = f"{sum(gate['conditionType'] in met for gate in gates)}/{len(gates)}" if gates else NONE
    wide = [
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        passed,
    ]
    return [_name(obj), *pod_cells(obj), _age(obj), *wide]


def _deployment(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [
        _name(obj),
        ready,
        *counts,
        _age(obj),
        *_containers(spec["template"]),
        _selector(spec["selector"]),
    ]


def _replicaset(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, _age(obj), *_containers(spec.get("template")), _selector(spec["selector"])]


def _job(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    true = {one["type"] for one in status.get("conditions") or [] if one["status"] == "True"}
    word = "Running"
    for condition, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if condition in true:
            word = shown
            break
    else:
        if obj["metadata"].get("deletionTimestamp"):
            word = "Terminating"
        elif "FailureTarget" in true:
            word = "FailureTarget"
        elif "SuccessCriteriaMet" in true:
            word = "SuccessCriteriaMet"
    done, parallel = status.get("succeeded", 0), spec.get("parallelism", 1)
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    duration = ""
    if status.get("startTime"):
        duration = between(status["startTime"], status.get("completionTime") or clock.stamp())
    wide = [*_containers(spec["template"]), _selector(spec.get("selector"))]
    return [_name(obj), word, completions, duration, _age(obj), *wide]


def _service(obj: Object) -> list[Any]:
    spec = obj["spec"]
    kind = spec.get("type", "ClusterIP")
    external = ",".join(spec.get("externalIPs") or []) or NONE
    if kind == "LoadBalancer":
        external = "<pending>"
    elif kind == "ExternalName":
        external = spec.get("externalName", "")
    ports = ",".join(
        f"{one['port']}{':' + str(one['nodePort']) if one.get('nodePort') else ''}/{one.get('protocol', 'TCP')}"
        for one in spec.get("ports") or []
    )
    address = spec.get("clusterIP") or NONE
    return [_name(obj), kind, address, external, ports or NONE, _age(obj), _labels(spec.get("selector"))]


def _endpoints(obj: Object) -> list[Any]:
    found = []
    for subset in obj.get("subsets") or []:
        suffixes = [f":{port['port']}" for port in subset.get("ports") or []] or [""]
        found += [one["ip"] + suffix for suffix in suffixes for one in subset.get("addresses") or []]
    return [_name(obj), _first(found) if obj.get("subsets") else NONE, _age(obj)]


def _endpoint_slice(obj: Object) -> list[Any]:
    # A port without a number stands for all.
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or []]
    found = [address for one in obj.get("endpoints") or [] for address in one.get("addresses") or []]
    kind = obj.get("addressType", "")
    return [_name(obj), kind, _first(ports) or "<unset>", _first(found) or "<unset>", _age(obj)]


def _first(texts: list[str], most: int = 3) -> str:
    more = f" + {len(texts) - most} more..." if len(texts) > most else ""
    return ",".join(texts[:most]) + more


def _event(obj: Object) -> list[Any]:
    about = obj.get("involvedObject") or {}
    kind = about.get("kind", "")
    target = f"{BY_KIND[kind].singular if kind in BY_KIND else kind.lower()}/{about.get('name', '')}"
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or first
    source = obj.get("source") or {}
    said = [
        source.get("component") or obj.get("reportingComponent"),
        source.get("host") or obj.get("reportingInstance"),
    ]
    return [
        since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        about.get("fieldPath", ""),
        ", ".join(part for part in said if part),
        obj.get("message", "").strip(),
        since(first),
        obj.get("count") or 1,
        _name(obj),
    ]


def _node(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    ready = next(
        (one["status"] for one in status.get("conditions") or [] if one["type"] == "Ready"), "Unknown"
    )
    word = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")
    if (obj.get("spec") or {}).get("unschedulable"):
        word += ",SchedulingDisabled"
    info = status.get("nodeInfo") or {}
    addresses = {one["type"]: one["address"] for one in status.get("addresses") or []}
    prefix = "node-role.kubernetes.io/"
    roles = [key[len(prefix) :] for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)]
    return [
        _name(obj),
        word,
        ",".join(sorted(roles)) or NONE,
        _age(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _claim(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    bound = bool(spec.get("volumeName"))
    size = (status.get("capacity") or {}).get("storage", "") if bound else ""
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    modes = ",".join(short.get(mode, mode) for mode in status.get("accessModes") or []) if bound else ""
    more = [spec.get("storageClassName") or "", spec.get("volumeAttributesClassName") or "<unset>"]
    return [
        _name(obj),
        phase,
        spec.get("volumeName", ""),
        size,
        modes,
        *more,
        _age(obj),
        spec.get("volumeMode", ""),
    ]


def _quota(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or (obj.get("spec") or {}).get("hard") or {}
    request: list[str] = []
    limit: list[str] = []
    for name in sorted(hard):
        (limit if name.startswith("limits.") else request).append(f"{name}: {used.get(name, 0)}/{hard[name]}")
    return [_name(obj), ", ".join(request), ", ".join(limit), _age(obj)]


def _lease(obj: Object) -> list[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", _age(obj)]


def _secret(obj: Object) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj)]


def _configmap(obj: Object) -> list[Any]:
    return [_name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), _age(obj)]


def _scale(obj: Object) -> list[Any]:
    return [_name(obj), *(obj[part].get("replicas", 0) for part in ("spec", "status")), _age(obj)]


_TEMPLATE = ("Containers*", "Images*", "Selector*")
_PLAIN = Layout(("Name", "Age"), lambda obj: [_name(obj), _age(obj)])
_LAYOUTS = {
    "pods": Layout(("Name", "Ready", "Status", "Restarts", "Age", "IP*", "Node*", "Nominated Node*", "Readiness Gates*"), _pod),
    "deployments": Layout(("Name", "Ready", "Up-to-date", "Available", "Age", *_TEMPLATE), _deployment),
    "replicasets": Layout(("Name", "Desired", "Current", "Ready", "Age", *_TEMPLATE), _replicaset, ("Desired", "Current", "Ready")),
    "jobs": Layout(("Name", "Status", "Completions", "Duration", "Age", *_TEMPLATE), _job),
    "configmaps": Layout(("Name", "Data", "Age"), _configmap),
    "secrets": Layout(("Name", "Type", "Data", "Age"), _secret),
    "services": Layout(("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector*"), _service),
    "endpoints": Layout(("Name", "Endpoints", "Age"), _endpoints),
    "endpointslices": Layout(("Name", "AddressType", "Ports", "Endpoints", "Age"), _endpoint_slice),
    "events": Layout(
        ("Last Seen", "Type", "Reason", "Object", "Subobject*", "Source*", "Message", "First Seen*", "Count*", "Name*"), _event
    ),
    "namespaces": Layout(
        ("Name", "Status", "Age"), lambda obj: [_name(obj), (obj.get("status") or {}).get("phase", ""), _age(obj)]
    ),
    "nodes": Layout(
        ("Name", "Status", "Roles", "Age", "Version", "Internal-IP*", "External-IP*", "OS-Image*", "Kernel-Version*", "Container-Runtime*"),
        _node,
    ),
    "persistentvolumeclaims": Layout(
        ("Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age", "VolumeMode*"), _claim
    ),
    "resourcequotas": Layout(("Name", "Request", "Limit", "Age"), _quota),
    "serviceaccounts": Layout(("Name", "Age"), lambda obj: [_name(obj), _age(obj)]),
    "scales": Layout(("Name", "Desired", "Available", "Age"), _scale, ("Desired", "Available")),
    "leases": Layout(("Name", "Holder", "Age"), _lease),
}  # fmt: skip
