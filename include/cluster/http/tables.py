"""Answers as Tables and as metadata only, for ``kubectl get`` and for clients that need no more."""

from __future__ import annotations

from typing import Any

from include.cluster.http.columns import columns, row
from include.cluster.http.negotiation import Form
from include.cluster.resources import Resource

Object = dict[str, Any]

TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
ONE = (TABLE, PARTIAL)
MANY = (TABLE, PARTIAL_LIST)
_GROUP = "meta.k8s.io"


def shown(resource: Resource, obj: Object, form: Form, include: str) -> Object:
    """One object in the form asked for."""
    if form.kind == TABLE:
        return table(
            resource, [obj], {"resourceVersion": obj["metadata"].get("resourceVersion", "")}, form, include
        )
    if form.kind in (PARTIAL, PARTIAL_LIST):
        return partial(obj, form.version)
    return obj


def table(resource: Resource, objects: list[Object], metadata: Object, form: Form, include: str) -> Object:
    """Objects as rows. ``include`` is None, Metadata (also when empty) or Object: what each row carries whole."""
    rows = []
    for obj in objects:
        carried: Object | None = None
        if include == "Object":
            carried = obj
        elif include != "None":
            carried = partial(obj, form.version)
        rows.append({"cells": row(resource, obj), "object": carried})
    return {
        "kind": TABLE,
        "apiVersion": f"{_GROUP}/{form.version or 'v1'}",
        "metadata": metadata,
        "columnDefinitions": columns(resource),
        "rows": rows,
    }


def partial(obj: Object, version: str) -> Object:
    """The object's metadata only."""
    return {"kind": PARTIAL, "apiVersion": f"{_GROUP}/{version or 'v1'}", "metadata": obj["metadata"]}


def partial_list(objects: list[Object], metadata: Object, version: str) -> Object:
    """The metadata of several objects."""
    return {
        "kind": PARTIAL_LIST,
        "apiVersion": f"{_GROUP}/{version or 'v1'}",
        "metadata": metadata,
        "items": [partial(obj, version) for obj in objects],
    }
