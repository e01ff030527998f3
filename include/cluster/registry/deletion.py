"""What a delete does: at once, after a grace period, or when the finalizers are gone."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.cluster.errors import ApiError
from include.cluster.registry.clock import now, parse, stamp
from include.cluster.registry.options import DeleteOptions
from include.cluster.resources import Resource

if TYPE_CHECKING:
    from include.cluster.registry.core import Registry

Object = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_ANSWER_WITH_THEMSELVES = (
    "pods",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "resourcequotas",
    "namespaces",
)


def completes(resource: Resource, obj: Object) -> bool:
    """Whether a write leaves nothing that holds a dying object back."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if resource.plural == "namespaces":
        return not (obj.get("spec") or {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")


def delete(
    registry: Registry, resource: Resource, namespace: str, name: str, options: DeleteOptions
) -> Object:
    """Deletes; see :meth:`Registry.delete`."""
    obj = registry.get(resource.plural, namespace, name)
    _preconditions(resource, obj, options)
    new = copy.deepcopy(obj)
    meta = new["metadata"]
    if resource.plural == "namespaces":
        _immortal(name)
        return _namespace(registry, resource, obj, new, options)
    _finalizers(resource, meta, options)
    grace = _grace(resource, obj, options)
    if grace == 0 and not meta.get("finalizers"):
        return _gone(registry, resource, obj, options)
    if meta.get("deletionTimestamp"):
        # A second delete may only shorten the grace period.
        if grace < (meta.get("deletionGracePeriodSeconds") or 0):
            begun = parse(meta["deletionTimestamp"]) - timedelta(seconds=meta["deletionGracePeriodSeconds"])
            meta["deletionTimestamp"] = stamp(max(begun + timedelta(seconds=grace), now()))
            meta["deletionGracePeriodSeconds"] = grace
    else:
        meta["deletionTimestamp"] = stamp(now() + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    if new == obj:
        return obj
    if options.dry_run:
        return new
    return registry.store.put(resource.plural, new, expect=obj["metadata"]["resourceVersion"])


def _namespace(
    registry: Registry, resource: Resource, obj: Object, new: Object, options: DeleteOptions
) -> Object:
    """A namespace stays, Terminating, until its controller has emptied it and takes its own finalizer away."""
    if obj["metadata"].get("deletionTimestamp"):
        if completes(resource, obj):
            return _gone(registry, resource, obj, options)
        return obj
    new["metadata"]["deletionTimestamp"] = stamp()
    new.setdefault("status", {})["phase"] = "Terminating"
    if options.dry_run:
        return new
    if completes(resource, new):
        return _gone(registry, resource, obj, options)
    return registry.store.put(resource.plural, new)


def _gone(registry: Registry, resource: Resource, obj: Object, options: DeleteOptions) -> Object:
    meta = obj["metadata"]
    last = copy.deepcopy(obj)
    if not options.dry_run:
        last = registry.store.remove(resource.plural, meta.get("namespace", ""), meta["name"]) or last
    if resource.plural in _ANSWER_WITH_THEMSELVES:
        if resource.plural == "pods" and not meta.get("deletionTimestamp"):
            last = copy.deepcopy(last)
            last["metadata"] |= {"deletionTimestamp": stamp(), "deletionGracePeriodSeconds": 0}
            last["metadata"]["generation"] = meta.get("generation", 1) + 1
        return last
    details = {"name": meta["name"], "group": resource.group, "kind": resource.plural, "uid": meta["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def _grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    """Seconds until the object goes: only pods that a node runs have any."""
    if resource.plural != "pods":
        return 0
    spec = obj.get("spec") or {}
    phase = (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    grace = options.grace if options.grace is not None else spec.get("terminationGracePeriodSeconds", 30)
    return max(int(grace), 1) if int(grace) < 0 else int(grace)


def _immortal(namespace: str) -> None:
    if namespace in ("default", "kube-system", "kube-public"):
        text = f'namespaces "{namespace}" is forbidden: this namespace may not be deleted'
        raise ApiError(403, "Forbidden", text, {"name": namespace, "kind": "namespaces"})


def _finalizers(resource: Resource, meta: Object, options: DeleteOptions) -> None:
    """Puts the finalizer of the wanted propagation, and takes the other one away."""
    wanted = options.propagation
    if not wanted:
        # Jobs orphan their pods unless told otherwise, for the sake of clients older than propagation.
        wanted = "Orphan" if resource.plural == "jobs" else ""
        if not wanted:
            return
    kept = [entry for entry in meta.get("finalizers") or [] if entry not in (FOREGROUND, ORPHAN)]
    if wanted == "Foreground":
        kept.append(FOREGROUND)
    elif wanted == "Orphan":
        kept.append(ORPHAN)
    if kept:
        meta["finalizers"] = kept
    else:
        meta.pop("finalizers", None)


def _preconditions(resource: Resource, obj: Object, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    why = ""
    if options.uid and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version and options.resource_version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        # Kubernetes names the kind here, not the resource.
        text = f'Operation cannot be fulfilled on {resource.kind}{"." + resource.group if resource.group else ""} "{meta["name"]}": {why}'
        details = {"name": meta["name"], "group": resource.group, "kind": resource.kind}
        raise ApiError(409, "Conflict", text, {key: value for key, value in details.items() if value})
