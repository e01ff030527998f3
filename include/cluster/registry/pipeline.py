"""What the rules do to an object between a request and the store, in the order Kubernetes does it."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import replace as replaced
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.cluster.errors import ApiError, Cause, bad_request, invalid
from include.cluster.registry.options import WriteOptions
from include.cluster.resources import Resource

with contextlib.suppress(ImportError):
    from include.cluster.rules import apply as apply_rules
with contextlib.suppress(ImportError):
    from include.cluster.rules import defaults
with contextlib.suppress(ImportError):
    from include.cluster.rules import patches
with contextlib.suppress(ImportError):
    from include.cluster.rules import prepare
with contextlib.suppress(ImportError):
    from include.cluster.rules import schema
with contextlib.suppress(ImportError):
    from include.cluster.rules import support
with contextlib.suppress(ImportError):
    from include.cluster.rules import validation

if TYPE_CHECKING:
    from include.cluster.registry.core import Registry

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def typed(resource: Resource, obj: Object) -> Object:
    """A copy with kind and apiVersion first and metadata there."""
    rest = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion", "metadata")}
    metadata = obj.get("metadata") or {}
    return copy.deepcopy(
        {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **rest}
    )


def prepare_create(registry: Registry, resource: Resource, obj: Object) -> None:
    """Fills in what a new object of this kind has."""
    if "prepare" in globals():
        prepare.prepare_create(resource, obj, registry)
    if "defaults" in globals():
        defaults.apply_defaults(resource, obj)


def prepare_update(resource: Resource, new: Object, old: Object, options: WriteOptions) -> None:
    """Puts back what a write may not change, and counts the generation."""
    meta, before = new["metadata"], old["metadata"]
    for field in (
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
    ):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    if "generation" in before:
        meta["generation"] = before["generation"]
    if not options.trusted and "defaults" in globals():
        defaults.apply_defaults(resource, new)
    if "prepare" in globals():
        prepare.prepare_update(resource, new, old, options.subresource)


def check_create(resource: Resource, obj: Object, options: WriteOptions) -> None:
    """Raises 422 with every cause, or adds warnings to the options."""
    if options.trusted:
        return
    causes: list[Cause] = []
    if "validation" in globals():
        causes = validation.validate_create(resource, obj)
    _refuse(resource, obj, causes, options)


def check_update(resource: Resource, new: Object, old: Object, options: WriteOptions) -> None:
    """Raises 422 with every cause, or adds warnings to the options."""
    if options.trusted:
        return
    causes: list[Cause] = []
    if "validation" in globals():
        causes = validation.validate_update(resource, new, old, options.subresource)
    _refuse(resource, new, causes, options)


def _refuse(resource: Resource, obj: Object, causes: list[Cause], options: WriteOptions) -> None:
    if "support" in globals() and not options.subresource:
        causes = causes or support.refusals(resource, obj)
        options.warnings += support.warnings(resource, obj)
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)


def patched(resource: Resource, old: Object, content_type: str, body: Any, options: WriteOptions) -> Object:
    """The object with a JSON, merge or strategic merge patch applied and its types checked."""
    if content_type == JSON_PATCH:
        new = patches.json_patch(old, body)
    elif content_type == MERGE_PATCH:
        new = patches.merge_patch(old, body)
    elif content_type == STRATEGIC:
        new = patches.strategic_merge(resource, old, body)
    else:
        raise ApiError(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {content_type}"
        )
    return decoded(resource, new, options)


def decoded(resource: Resource, obj: Object, options: WriteOptions) -> Object:
    """The object with its types checked and unknown fields dropped, told of, or refused."""
    if "schema" not in globals():
        return obj
    found = schema.decode(resource, obj, options.duplicates)
    options.warnings += found.unknown if options.field_validation in ("", "Warn") else []
    return found.obj


def applied(resource: Resource, namespace: str, name: str, body: Any) -> Object:
    """The body of a server-side apply, checked."""
    if not isinstance(body, dict):
        raise bad_request("the body of an apply must be an object")
    obj = copy.deepcopy(body)
    meta = obj.setdefault("metadata", {})
    meta.setdefault("name", name)
    if resource.namespaced:
        meta.setdefault("namespace", namespace)
    return obj


def apply(
    resource: Resource, live: Object | None, config: Object, options: WriteOptions, now: datetime
) -> Object:
    """What is live with the applied configuration merged into it."""
    return apply_rules.apply(resource, live, config, options.manager, options.force, now)


def owned(options: WriteOptions, fields: Any) -> WriteOptions:
    """The options of a write whose managedFields are settled already."""
    return replaced(options, owned=fields if fields is not None else [])


def track(resource: Resource, old: Object | None, new: Object, options: WriteOptions, now: datetime) -> None:
    """Notes in managedFields who wrote what."""
    if options.owned is not None:
        new["metadata"]["managedFields"] = options.owned
    elif "apply_rules" in globals():
        apply_rules.track_update(resource, old, new, options.manager, options.subresource, now)


def same(old: Object, new: Object) -> bool:
    """Whether a write would change nothing but the times in managedFields."""
    before, after = old["metadata"], new["metadata"]
    if {**old, "metadata": None} != {**new, "metadata": None}:
        return False
    if {**before, "managedFields": None} != {**after, "managedFields": None}:
        return False
    return _untimed(before) == _untimed(after)


def _untimed(meta: Object) -> list[Object]:
    return [{**entry, "time": None} for entry in meta.get("managedFields") or []]
