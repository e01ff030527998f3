"""What the API server does to an object before it is checked and stored: which parts of a write count at all."""

from __future__ import annotations

import base64
import copy
from typing import Any

from include.cluster.resources import Resource
from include.cluster.rules import quantity

Object = dict[str, Any]

# Kinds whose metadata.generation counts the changes of what is wanted.
_COUNTED = ("deployments", "replicasets", "jobs", "pods", "endpointslices")
_FIRST_STATUS: dict[str, Object] = {
    "deployments": {},
    "replicasets": {"replicas": 0},
    "jobs": {},
    "services": {"loadBalancer": {}},
    "namespaces": {"phase": "Active"},
    "persistentvolumeclaims": {"phase": "Pending"},
    "resourcequotas": {},
}
_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_KEPT_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def prepare_create(resource: Resource, obj: Object, context: object = None) -> None:  # noqa: ARG001
    """Makes, in place, a new object what the kind's strategy makes of it.

    Args:
        resource: its kind.
        obj: the object, with name and uid set already.
        context: whoever creates it; kinds that need more than the object are completed there.
    """
    plural = resource.plural
    if plural in _COUNTED:
        obj["metadata"]["generation"] = 1
    if plural in _FIRST_STATUS:
        obj["status"] = copy.deepcopy(_FIRST_STATUS[plural])
    if plural == "pods":
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj.get("spec") or {})}
    elif plural == "jobs":
        _generate_selector(obj)
    elif plural == "services":
        _service_create(obj)
    elif plural == "namespaces":
        _add_to(obj.setdefault("spec", {}), "finalizers", "kubernetes")
    elif plural == "persistentvolumeclaims":
        _add_to(obj["metadata"], "finalizers", "kubernetes.io/pvc-protection")


def convert(resource: Resource, obj: Object) -> None:
    """Does, in place, what reading an object of this kind does beside defaults: a Secret's stringData becomes data."""
    if resource.plural == "secrets":
        texts = obj.pop("stringData", None)
        if texts:
            data = dict(obj.get("data") or {})
            data.update({key: base64.b64encode(text.encode()).decode() for key, text in texts.items()})
            obj["data"] = data


def prepare_update(resource: Resource, new: Object, old: Object, subresource: str = "") -> None:
    """Puts back, in place, what this write may not change, and counts the generation."""
    _metadata(new, old)
    if subresource == "status":
        _status_update(resource, new, old)
        return
    if subresource == "binding":
        # The scheduler's write: the node and the PodScheduled condition; what is wanted stays the same.
        return
    if "status" in resource.subresources or resource.plural in _FIRST_STATUS:
        _put_back(new, old, "status")
    if resource.plural == "namespaces" and subresource != "finalize":
        # Only the finalize subresource takes the namespace's own finalizers away.
        _put_back(new.setdefault("spec", {}), old.get("spec") or {}, "finalizers")
    elif resource.plural == "services":
        _service_update(new, old)
    if resource.plural in _COUNTED and _wanted(resource, new) != _wanted(resource, old):
        new["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1


def _wanted(resource: Resource, obj: Object) -> Any:
    # A Deployment's annotations count too: kubectl and its controller talk through them.
    if resource.plural == "deployments":
        return obj.get("spec"), obj["metadata"].get("annotations") or {}
    if resource.plural == "pods":
        # Being bound to a node is no change of what is wanted.
        return {name: value for name, value in (obj.get("spec") or {}).items() if name != "nodeName"}
    if resource.plural == "endpointslices":
        # It has no spec; consumers go by its labels too.
        return obj.get("endpoints"), obj.get("ports"), obj["metadata"].get("labels") or {}
    return obj.get("spec")


def _metadata(new: Object, old: Object) -> None:
    meta, before = new["metadata"], old["metadata"]
    for name in (*_KEPT_METADATA, "generation"):
        _put_back(meta, before, name)
    fields = meta.get("managedFields")
    if not fields:
        _put_back(meta, before, "managedFields")
    elif fields == [{}]:  # the documented way to drop all ownership
        del meta["managedFields"]


def _put_back(new: Object, old: Object, name: str) -> None:
    if name in old:
        new[name] = old[name]
    else:
        new.pop(name, None)


def _status_update(resource: Resource, new: Object, old: Object) -> None:
    _put_back(new, old, "spec")
    if resource.plural in ("deployments", "replicasets", "jobs"):
        _put_back(new["metadata"], old["metadata"], "labels")
    if resource.plural == "pods":
        _put_back(new["metadata"], old["metadata"], "ownerReferences")


def _add_to(owner: Object, name: str, value: str) -> None:
    present = owner.get(name) or []
    if value not in present:
        owner[name] = [*present, value]


def _generate_selector(job: Object) -> None:
    metadata, spec = job["metadata"], job.setdefault("spec", {})
    if not spec.get("manualSelector"):
        template = spec.setdefault("template", {}).setdefault("metadata", {})
        labels = template["labels"] = dict(template.get("labels") or {})
        labels.update({name: metadata.get("uid", "") for name in _UID_LABELS})
        labels.update({name: metadata.get("name", "") for name in _NAME_LABELS})
        selector = spec["selector"] = copy.deepcopy(spec.get("selector") or {})
        selector.setdefault("matchLabels", {})[_UID_LABELS[0]] = metadata.get("uid", "")
    if not metadata.get("labels"):
        labels = spec.get("template", {}).get("metadata", {}).get("labels")
        if labels:
            metadata["labels"] = dict(labels)


def _service_create(service: Object) -> None:
    spec = service.setdefault("spec", {})
    if spec.get("type") == "ExternalName":
        return
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4"]
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = "SingleStack"


def _service_update(new: Object, old: Object) -> None:
    spec, before = new.setdefault("spec", {}), old.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    if kind == "ExternalName":
        if before.get("type") != "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
                spec.pop(name, None)
        return
    address = before.get("clusterIP")
    kept = spec.get("clusterIPs") in (None, [], before.get("clusterIPs"))
    if not spec.get("clusterIP") and kept and address:
        spec["clusterIP"], spec["clusterIPs"] = address, list(before.get("clusterIPs") or [address])
    elif spec.get("clusterIP") != address and spec.get("clusterIPs") == before.get("clusterIPs"):
        # A patch of clusterIP alone means both.
        spec["clusterIPs"] = [spec["clusterIP"]] if spec.get("clusterIP") else []
    elif spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if not spec.get(name) and before.get(name):
            spec[name] = copy.deepcopy(before[name])
    _node_ports(spec, before, kind)


def _node_ports(spec: Object, before: Object, kind: str) -> None:
    ports = spec.get("ports") or []
    if kind in ("NodePort", "LoadBalancer"):
        taken = {
            (port.get("port"), port.get("protocol")): port.get("nodePort")
            for port in before.get("ports") or []
        }
        for port in ports:
            kept = taken.get((port.get("port"), port.get("protocol", "TCP")))
            if kept and not port.get("nodePort"):
                port["nodePort"] = kept
        return
    if before.get("type") in ("NodePort", "LoadBalancer"):
        old_ports = {port.get("nodePort") for port in before.get("ports") or []}
        for port in ports:
            if port.get("nodePort") in old_ports:
                port.pop("nodePort", None)
        if spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
            spec.pop("externalTrafficPolicy", None)


def qos_class(spec: Object) -> str:
    """The pod's quality of service: ``Guaranteed``, ``Burstable`` or ``BestEffort``."""
    guaranteed, any_set = True, False
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name, limits.get(name))
            set_ = [value for value in (limit, request) if value is not None and quantity.parse(value) > 0]
            any_set = any_set or bool(set_)
            if len(set_) < 2 or quantity.parse(set_[0]) != quantity.parse(set_[1]):
                guaranteed = False
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
