"""Server-side apply, and the ownership that all other writes leave behind."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from include.cluster.errors import ApiError, bad_request
from include.cluster.resources import Resource
from include.cluster.rules import defaults, fieldset, schema, typecheck, typed
from include.cluster.rules.fieldset import Path, PathSet
from include.cluster.rules.managers import Manager, Managers, stamp

Object = dict[str, Any]

_BEFORE_FIRST = "before-first-apply"
_TEMPLATE: Object = {"metadata": {}, "spec": {"containers": None}}
# What Go writes for an object without content: parts that are there before anybody sets them are nobody's.
_EMPTY: dict[str, Object] = {
    "deployments": {"spec": {"selector": None, "template": _TEMPLATE, "strategy": {}}, "status": {}},
    "replicasets": {"spec": {"selector": None, "template": _TEMPLATE}, "status": {"replicas": 0}},
    "jobs": {"spec": {"template": _TEMPLATE}, "status": {}},
    "pods": {"spec": {"containers": None}, "status": {}},
    "services": {"spec": {}, "status": {"loadBalancer": {}}},
    "persistentvolumeclaims": {"spec": {"resources": {}}, "status": {}},
    "namespaces": {"spec": {}, "status": {}},
    "resourcequotas": {"spec": {}, "status": {}},
    "leases": {"spec": {}},
    "endpointslices": {"addressType": None, "endpoints": None, "ports": None},
    "nodes": {"spec": {}, "status": {}},
    "events": {"involvedObject": {}, "source": {}},
}


def apply(
    resource: Resource, live: Object | None, applied: Object, manager: str, force: bool, now: datetime
) -> Object:
    """The object after a server-side apply, with defaults and managedFields.

    Args:
        resource: its kind.
        live: what is stored, or None.
        applied: the configuration as it came.
        manager: the field manager that applies it.
        force: take fields over from other managers instead of failing.
        now: when this happens.

    Returns:
        A new object. When nothing changes it equals ``live``, times of managedFields included.

    Raises:
        ApiError: 400 or 500 for a configuration that does not fit its kind, 409 for fields that others own.
    """
    if not isinstance(applied, dict):
        raise bad_request("the configuration to apply must be an object")
    check_kind(resource, applied)
    config = {key: value for key, value in applied.items() if key not in ("apiVersion", "kind")}
    base = _without_managers(live) if live is not None else _empty(resource)
    before = live["metadata"].get("managedFields") if live is not None else None
    managers = Managers(before)
    if live is not None and not managers:
        owned = typed.compare(resource.model, _empty(resource), base).written
        managers.give(Manager(_BEFORE_FIRST, "Update", resource.api_version), owned, stamp(now))
    own = Manager(manager, "Apply", resource.api_version)
    last, wanted = managers.paths(own), typed.paths(resource.model, config)
    merged = typed.merge(resource.model, base, config)
    managers.give(own, wanted)
    if last:
        typed.remove(resource.model, merged, _given_up(last, wanted | managers.all_paths()))
    change = typed.compare(resource.model, base, merged)
    conflicts = managers.conflicts(change.written, own)
    if conflicts and not force:
        raise _conflict(conflicts)
    managers.take(change.written | change.removed, but=own)
    if change or live is None:
        managers.give(own, wanted, stamp(now))
    result = _stored(resource, merged, applied)
    result["metadata"]["managedFields"] = managers.entries()
    if live is not None and _untimed(result) == _untimed(live):
        return copy.deepcopy(live)
    return result


def track_update(
    resource: Resource,
    old: Object | None,
    new: Object,
    manager: str,
    subresource: str,
    now: datetime,
) -> None:
    """Notes, in place, in managedFields which fields a write other than an apply has set.

    Args:
        resource: the kind.
        old: what was stored, or None for a new object.
        new: what is going to be stored.
        manager: who writes.
        subresource: what it writes through; empty for the object itself.
        now: when this happens.
    """
    metadata = new["metadata"]
    managers = Managers(metadata.get("managedFields"))
    if old is not None and not managers:
        # Ownership was given up for good, or never was: updates do not begin it anew.
        metadata.pop("managedFields", None)
        return
    base = _without_managers(old) if old is not None else _empty(resource)
    change = typed.compare(resource.model, base, _without_managers(new))
    ignored = _status(change.written) if subresource != "status" else fieldset.EMPTY
    written = change.written - ignored
    own = Manager(manager, "Update", resource.api_version, subresource)
    managers.take(written | change.removed)
    probe = Managers(None)
    probe.give(own, written)
    if probe.paths(own):
        # A write through scale reaches the object without a time.
        time = "" if subresource == "scale" else stamp(now)
        managers.give(own, managers.paths(own) | written, time)
    entries = managers.entries()
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def check_kind(resource: Resource, applied: Object) -> None:
    """Raises 400 when what is applied is not of the kind that the URL names."""
    version, kind = (str(applied.get(name) or "") for name in ("apiVersion", "kind"))
    if not version or not kind:
        group, _, short = version.rpartition("/")
        raise bad_request(f"invalid object type: {group}/{short}, Kind={kind}")
    if version != resource.api_version:
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, expected: "
            f"{resource.api_version}"
        )
    if kind != resource.kind:
        raise bad_request(
            f"the kind of the object ({kind}) does not match the kind that the URL names ({resource.kind})"
        )
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    found = typecheck.problems(resource.model, applied)
    if found:
        raise ApiError(
            500,
            "",
            f"failed to create typed patch object ({_named(resource, applied)}): {typecheck.joined(found)}",
        )


def _named(resource: Resource, applied: Object) -> str:
    metadata = applied.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    version = resource.api_version if resource.group else f"/{resource.version}"
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {version}, Kind={resource.kind}"


def _empty(resource: Resource) -> Object:
    return {"metadata": {}, **copy.deepcopy(_EMPTY.get(resource.plural, {}))}


def _without_managers(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    return {**rest, "metadata": metadata}


def _given_up(last: PathSet, owned: PathSet) -> PathSet:
    """What the manager had and now nobody has: neither the field itself nor anything below it."""
    held: set[Path] = set()
    for path in owned:
        held.update(path[:end] for end in range(1, len(path) + 1))
    return frozenset(path for path in fieldset.with_parents(last) if path not in held)


def _status(paths: PathSet) -> PathSet:
    return frozenset(path for path in paths if path[0] == "f:status")


def _stored(resource: Resource, merged: Object, applied: Object) -> Object:
    # Live parts that Go would write as null are no part of the object.
    try:
        result = schema.normalise(
            resource, {"apiVersion": resource.api_version, "kind": resource.kind, **merged}
        )
    except ApiError as error:
        why = error.message.partition(f"cannot be handled as a {resource.kind}: ")[2] or error.message
        text = f"failed to convert new object ({_named(resource, applied)}) to proper version ({resource.api_version})"
        raise ApiError(500, "", f"{text}: {why}") from None
    defaults.apply_defaults(resource, result)
    return result


def _untimed(obj: Object) -> Object:
    metadata = obj["metadata"]
    fields = [{**entry, "time": None} for entry in metadata.get("managedFields") or []]
    fields.sort(key=lambda entry: (entry["operation"], entry["manager"], entry.get("subresource", "")))
    return {**obj, "metadata": {**metadata, "managedFields": fields}}


def _conflict(conflicts: dict[Manager, PathSet]) -> ApiError:
    found = sorted(
        (manager.text(), sorted(map(fieldset.text, paths))) for manager, paths in conflicts.items()
    )
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, paths in found
        for path in paths
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [
            line
            for manager, paths in found
            for line in (f"conflicts with {manager}:", *(f"- {p}" for p in paths))
        ]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", message, {"causes": causes})
