"""What Kubernetes' admission plugins do here: namespaces, service accounts, addresses, tolerations, quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.errors import ApiError, not_found
from include.cluster.registry import addresses
from include.cluster.registry.names import suffix
from include.cluster.resources import Resource

if TYPE_CHECKING:
    from include.cluster.registry.core import Registry

Object = dict[str, Any]

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_PRIORITIES = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
_PREEMPTION = "PreemptLowerPriority"
_NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def namespace_open(registry: Registry, resource: Resource, namespace: str, name: str) -> None:
    """Raises 404 for an absent namespace, 403 for one that is being deleted."""
    if not resource.namespaced:
        return
    found = registry.find("namespaces", "", namespace)
    if found is None:
        raise not_found("namespaces", "", namespace)
    if found["metadata"].get("deletionTimestamp"):
        qualified = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        details: Object = {"name": name, "group": resource.group, "kind": resource.plural}
        details = {key: value for key, value in details.items() if value}
        cause = f"namespace {namespace} is being terminated"
        details["causes"] = [
            {"reason": "NamespaceTerminating", "message": cause, "field": "metadata.namespace"}
        ]
        raise ApiError(403, "Forbidden", f'{qualified} "{name}" is forbidden: {why}', details)


def complete(registry: Registry, resource: Resource, obj: Object) -> None:
    """Adds what the cluster gives to each new pod and service."""
    if resource.plural == "pods":
        _service_account(obj)
        _tolerations(obj["spec"])
        _priority(obj)
    elif resource.plural == "services":
        addresses.allocate(registry, obj)


def allow(registry: Registry, resource: Resource, obj: Object) -> None:
    """Raises 403 when the pod's service account is not there yet, or a quota is used up."""
    if resource.plural != "pods":
        return
    meta, spec = obj["metadata"], obj["spec"]
    account = spec["serviceAccountName"]
    if registry.find("serviceaccounts", meta["namespace"], account) is None:
        text = f'error looking up service account {meta["namespace"]}/{account}: serviceaccount "{account}" not found'
        raise ApiError(
            403,
            "Forbidden",
            f'pods "{meta["name"]}" is forbidden: {text}',
            {"name": meta["name"], "kind": "pods"},
        )
    from include.cluster.controllers import quota  # noqa: PLC0415 - the controllers import the registry

    refused = quota.admit(registry, obj)
    if refused is not None:
        raise refused


def allow_update(registry: Registry, resource: Resource, new: Object) -> None:
    """Gives a service the address it lacks; an address that another one has is refused."""
    if resource.plural == "services":
        addresses.allocate(registry, new)


def _priority(pod: Object) -> None:
    """The number behind the class' name; there are only the two classes that every cluster begins with."""
    spec = pod["spec"]
    wanted = spec.get("priorityClassName")
    number = _PRIORITIES.get(wanted, 0) if wanted else 0
    given, policy = spec.get("priority"), spec.get("preemptionPolicy")
    computed = "must not be provided in pod spec; priority admission controller computed"
    source = "from the given PriorityClass name"
    why = ""
    if wanted and wanted not in _PRIORITIES:
        why = f"no PriorityClass with name {wanted} was found"
    elif given not in (None, number):
        why = f"the integer value of priority ({given}) {computed} {number} {source}"
    elif policy not in (None, _PREEMPTION):
        why = f"the string value of PreemptionPolicy ({policy}) {computed} {_PREEMPTION} {source}"
    if why:
        name = pod["metadata"].get("name", "")
        text = f'pods "{name}" is forbidden: {why}'
        raise ApiError(403, "Forbidden", text, {"name": name, "kind": "pods"})
    spec.update(priority=number, preemptionPolicy=_PREEMPTION)


def _service_account(pod: Object) -> None:
    spec = pod["spec"]
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("automountServiceAccountToken") is False:
        return
    containers = [*(spec.get("initContainers") or []), *spec.get("containers", [])]
    lacking = [
        container
        for container in containers
        if all(mount.get("mountPath") != TOKEN_PATH for mount in container.get("volumeMounts") or [])
    ]
    if not lacking:
        return
    name = f"kube-api-access-{suffix()}"
    spec.setdefault("volumes", []).append(_token_volume(name))
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
        container.setdefault("volumeMounts", []).append(mount)


def _token_volume(name: str) -> Object:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def _tolerations(spec: Object) -> None:
    present = spec.setdefault("tolerations", [])
    for key in _NOT_READY:
        if any(
            entry.get("key") in (key, None, "") and entry.get("effect") in ("NoExecute", None, "")
            for entry in present
        ):
            continue
        present.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
