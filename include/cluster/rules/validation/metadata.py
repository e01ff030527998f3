"""Names, labels, annotations, owners and finalizers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from include.cluster.resources import Resource
from include.cluster.rules import names
from include.cluster.rules.names import quoted
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_MOST_ANNOTATIONS = 256 * 1024
_STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_NAME_RULES: dict[str, Callable[[str], list[str]]] = {
    "namespaces": names.dns_label,
    "services": names.dns_label,
}


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that only has to fit in a URL."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


_NAME_RULES["events"] = path_segment


def check(errors: Errors, resource: Resource, metadata: Object) -> None:
    """The metadata of a new object."""
    rule = _NAME_RULES.get(resource.plural, names.dns_subdomain)
    prefix = metadata.get("generateName")
    if prefix:
        errors.each("metadata.generateName", prefix, rule(re.sub(r"-$", "a", prefix)))
    name = metadata.get("name") or ""
    if not name:
        errors.required("metadata.name", "name or generateName is required")
    elif not prefix or not name.startswith(prefix):
        errors.each("metadata.name", name, rule(name))
    if resource.namespaced:
        namespace = metadata.get("namespace") or ""
        if namespace:
            errors.each("metadata.namespace", namespace, names.dns_label(namespace))
        else:
            errors.required("metadata.namespace")
    elif metadata.get("namespace"):
        errors.forbidden("metadata.namespace", "not allowed on this type")
    _rest(errors, metadata)


def _rest(errors: Errors, metadata: Object) -> None:
    errors.labels("metadata.labels", metadata.get("labels"))
    check_annotations(errors, "metadata.annotations", metadata.get("annotations"))
    _owners(errors, metadata.get("ownerReferences") or [])
    for index, finalizer in enumerate(metadata.get("finalizers") or []):
        field = f"metadata.finalizers[{index}]"
        if not errors.each(field, finalizer, names.qualified_name(finalizer)):
            continue
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            errors.invalid(field, finalizer, why)


def check_annotations(errors: Errors, field: str, found: dict[str, str] | None) -> None:
    """Annotations: keys like labels', values of any form, not too much in all."""
    size = 0
    for key, value in sorted((found or {}).items()):
        errors.each(field, key, names.qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > _MOST_ANNOTATIONS:
        errors.too_long(field, _MOST_ANNOTATIONS)


def _owners(errors: Errors, owners: list[Object]) -> None:
    controller = ""
    for owner in owners:
        field = "metadata.ownerReferences"  # without the index, as Kubernetes has it
        if not owner.get("apiVersion"):
            errors.invalid(f"{field}.apiVersion", "", "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                errors.invalid(f"{field}.{name}", "", "must not be empty")
        if not owner.get("controller"):
            continue
        if controller:
            why = f"Only one reference can have Controller set to true. Found {quoted(controller)} in references for"
            text = f"{why} {owner.get('name')} and {owner.get('name')}"
            errors.invalid("metadata.ownerReferences", owners, text)
        controller = owner.get("name") or ""


def check_update(errors: Errors, resource: Resource, new: Object, old: Object) -> None:
    """The metadata of an object that is written over: what may not change, then the rest."""
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or []) - set(old.get("finalizers") or []))
        if added:
            shown = "[]string{" + ", ".join(quoted(one) for one in added) + "}"
            why = (
                f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            )
            errors.forbidden("metadata.finalizers", why)
    for name in ("name", "namespace", "uid", "creationTimestamp"):
        if name == "namespace" and not resource.namespaced:
            continue
        errors.immutable(f"metadata.{name}", new.get(name) or "", old.get(name) or "")
    _rest(errors, new)
