"""What the rules do to an object between a request and the store, in the order Kubernetes does it."""

from __future__ import annotations

import json
from dataclasses import replace as replaced
from datetime import datetime
from typing import Any

from include.cluster.errors import ApiError, Cause, bad_request, invalid
from include.cluster.registry.options import WriteOptions
from include.cluster.resources import Resource
from include.cluster.rules import apply as apply_rules
from include.cluster.rules import defaults, patches, prepare, schema, support, validation

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)


def typed(resource: Resource, obj: Object) -> Object:
    """A copy with kind and apiVersion first and metadata there."""
    rest = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion", "metadata")}
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj.get("metadata") or {}}
    copied: Object = json.loads(json.dumps({**head, **rest}))
    return copied


def read_create(resource: Resource, obj: Object) -> None:
    """Fills in what reading a new object gives it; all that it has then belongs to its writer."""
    defaults.apply_defaults(resource, obj)
    prepare.convert(resource, obj)


def prepare_create(resource: Resource, obj: Object) -> None:
    """Fills in what a new object of this kind has beside what was written."""
    prepare.prepare_create(resource, obj)


def prepare_update(resource: Resource, new: Object, old: Object, options: WriteOptions) -> None:
    """Puts back what a write may not change, and counts the generation."""
    if not options.trusted:
        defaults.apply_defaults(resource, new)
    prepare.convert(resource, new)
    prepare.prepare_update(resource, new, old, options.subresource)


def check_create(resource: Resource, obj: Object, options: WriteOptions) -> None:
    """Raises 422 with every cause, or adds warnings to the options."""
    if not options.trusted:
        _refuse(resource, obj, validation.validate_create(resource, obj), options)


def check_update(resource: Resource, new: Object, old: Object, options: WriteOptions) -> None:
    """Raises 422 with every cause, or adds warnings to the options."""
    if not options.trusted:
        _refuse(resource, new, validation.validate_update(resource, new, old, options.subresource), options)


def _refuse(resource: Resource, obj: Object, causes: list[Cause], options: WriteOptions) -> None:
    if not options.subresource:
        causes = causes or support.refusals(resource, obj)
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)
    if not options.subresource:
        options.warnings += support.warnings(resource, obj)


def patched(resource: Resource, old: Object, content_type: str, body: Any, options: WriteOptions) -> Object:
    """The object with a JSON, merge or strategic merge patch applied and its types checked."""
    if content_type == JSON_PATCH:
        new = patches.json_patch(old, body)
    elif content_type == MERGE_PATCH:
        new = patches.merge_patch(old, body)
    elif content_type == STRATEGIC:
        new = patches.strategic_merge(resource, old, body)
    else:
        accepted = ", ".join(PATCHES[:3])
        text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise ApiError(415, "UnsupportedMediaType", text)
    shown = body if content_type == STRATEGIC else None
    found = schema.decode(resource, new, options.duplicates)
    if found.unknown and options.field_validation == "Strict":
        raise patches.refused(new, shown, "strict decoding error: " + ", ".join(found.unknown))
    _tell(found.unknown, options)
    return found.obj


def decoded(resource: Resource, obj: Any, options: WriteOptions) -> Object:
    """A body with its types checked and its unknown fields dropped, told of, or refused.

    Raises:
        ApiError: 400.
    """
    found = schema.decode(resource, obj, options.duplicates)
    if found.unknown and options.field_validation == "Strict":
        raise schema.strict_error(resource, found.unknown)
    _tell(found.unknown, options)
    return found.obj


def _tell(unknown: list[str], options: WriteOptions) -> None:
    if options.field_validation != "Ignore":
        options.warnings += unknown


def named(resource: Resource, namespace: str, name: str, body: Any) -> None:
    """Checks that a server-side apply means the object of its URL.

    Raises:
        ApiError: 400.
    """
    if not isinstance(body, dict):
        kind = {list: "array", str: "string", bool: "bool"}.get(type(body), "number")
        why = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    apply_rules.check_kind(resource, body)
    meta = body.get("metadata")
    if not isinstance(meta, dict):
        return  # the apply itself says what is wrong with such a body
    if meta.get("name") not in (None, "", name):
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    if resource.namespaced and meta.get("namespace") not in (None, "", namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def apply(
    resource: Resource, live: Object | None, config: Object, options: WriteOptions, now: datetime
) -> Object:
    """What is live with the applied configuration merged into it."""
    if config.get("metadata") is None:
        config = {**config, "metadata": {}}
    return apply_rules.apply(resource, live, config, options.manager, options.force, now)


def owned(options: WriteOptions, fields: Any) -> WriteOptions:
    """The options of a write whose managedFields are settled already."""
    return replaced(options, owned=fields if fields is not None else [])


def track(resource: Resource, old: Object | None, new: Object, options: WriteOptions, now: datetime) -> None:
    """Notes in managedFields who wrote what."""
    if options.owned is not None:
        new["metadata"]["managedFields"] = options.owned
    else:
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
