"""What ``kubectl explain`` shows: every kind's fields with their types and descriptions, from the Python client's models."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from include.cluster.resources import Resource
from include.cluster.rules import model
from include.cluster.rules.model import Type

Object = dict[str, Any]

_PREFIX = "io.k8s.api."
_REFERENCE = "#/components/schemas/" + _PREFIX
_PLAIN: dict[str, Object] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "any": {"type": "object"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
}
# Types that Kubernetes calls by their own names.
_NAMED = {"quantity": "Quantity", "intorstring": "IntOrString"}
_NAMED_SCHEMAS: dict[str, Object] = {
    "Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "IntOrString": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
}


def schemas(kinds: list[Resource]) -> Object:
    """The schemas of some kinds and of everything in them, by name."""
    found: Object = {_PREFIX + name: schema for name, schema in _NAMED_SCHEMAS.items()}
    for kind in kinds:
        _add(kind.model, found)
        own = {"group": kind.group, "kind": kind.kind, "version": kind.version}
        found[_name(kind.model)]["x-kubernetes-group-version-kind"] = [own]
    return found


def _add(name: str, found: Object) -> None:
    if _name(name) in found:
        return
    properties: Object = {}
    found[_name(name)] = {"type": "object", "properties": properties}
    told = _descriptions(name)
    for field, type_ in model.fields(name).items():
        schema = _schema(type_)
        if "$ref" in schema:
            schema = {"allOf": [schema]}  # beside a reference, a description would not count
        properties[field] = {**schema, **({"description": told[field]} if told[field] else {})}
        inner = type_
        while inner.item is not None:
            inner = inner.item
        if inner.shape == "struct":
            _add(inner.model, found)


def _name(name: str) -> str:
    return _PREFIX + model.struct_name(name)


def _schema(type_: Type) -> Object:
    if type_.shape == "struct":
        return {"$ref": _REFERENCE + model.struct_name(type_.model)}
    if type_.shape in _NAMED:
        return {"$ref": _REFERENCE + _NAMED[type_.shape]}
    item = _schema(type_.item) if type_.item else {}
    if type_.shape == "list":
        return {"type": "array", "items": item}
    if type_.shape == "map":
        return {"type": "object", "additionalProperties": item}
    return _PLAIN[type_.shape]


@cache
def _descriptions(name: str) -> dict[str, str]:
    """Each field's description: what the model's property says between its headline and its return value."""
    found = {}
    for field, text in model.documentation(name).items():
        body = text.partition("\n")[2].partition(":return:")[0].replace("# noqa: E501", "")
        found[field] = re.sub(r"\s+", " ", body).strip()
    return found
