"""Kubernetes' protobuf form of the few kinds that kubectl sends so by itself: ``create configmap``, ``auth can-i``, ...

Everything else is asked for as JSON: kubectl sends files (``apply -f``, ``create -f``) as JSON anyway.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from include.cluster.errors import ApiError, bad_request

Object = dict[str, Any]

_MAGIC = b"k8s\x00"


@dataclass(frozen=True)
class _Field:
    """A field's JSON name and how its bytes are read: text, bytes, bool, texts, map, bytemap, or the fields of a message."""

    name: str
    form: str = "text"
    message: dict[int, _Field] | None = None


_META = _Field(
    "metadata",
    "message",
    {
        1: _Field("name"),
        2: _Field("generateName"),
        3: _Field("namespace"),
        11: _Field("labels", "map"),
        12: _Field("annotations", "map"),
        14: _Field("finalizers", "texts"),
    },
)
_RESOURCE = _Field(
    "resourceAttributes",
    "message",
    {
        number: _Field(name)
        for number, name in enumerate(
            ("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1
        )
    },
)
_PATH = _Field("nonResourceAttributes", "message", {1: _Field("path"), 2: _Field("verb")})
_KINDS: dict[str, dict[int, _Field]] = {
    "ConfigMap": {
        1: _META,
        2: _Field("data", "map"),
        3: _Field("binaryData", "bytemap"),
        4: _Field("immutable", "bool"),
    },
    "Secret": {
        1: _META,
        2: _Field("data", "bytemap"),
        3: _Field("type"),
        4: _Field("stringData", "map"),
        5: _Field("immutable", "bool"),
    },
    "Namespace": {1: _META},
    "ServiceAccount": {1: _META},
    "SelfSubjectAccessReview": {2: _Field("spec", "message", {1: _RESOURCE, 2: _PATH})},
    "SelfSubjectRulesReview": {2: _Field("spec", "message", {1: _Field("namespace")})},
    "SelfSubjectReview": {},
}


def decode(body: bytes) -> Object:
    """The object in a protobuf body.

    Raises:
        ApiError: 415 for a kind that is not read so, 400 when it cannot be read.
    """
    if not body.startswith(_MAGIC):
        raise bad_request("the body does not begin with the prefix of Kubernetes' protobuf form")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        names = {number: _text(value) for number, value in _fields(_bytes(envelope[1]))}
        kind = names.get(2, "")
        if kind not in _KINDS:
            text = f"this stand-in does not read {kind or 'that kind'} as protobuf: send application/json (kubectl: use -f)"
            raise ApiError(415, "UnsupportedMediaType", text)
        return {"apiVersion": names.get(1, ""), "kind": kind, **_message(_bytes(envelope[2]), _KINDS[kind])}
    except (IndexError, KeyError, UnicodeDecodeError, TypeError):
        raise bad_request("the protobuf body cannot be read") from None


def _message(content: bytes, fields: dict[int, _Field]) -> Object:
    found: Object = {}
    for number, value in _fields(content):
        field = fields.get(number)
        if field is None:
            continue
        if field.form == "bool":
            found[field.name] = bool(value)
        elif field.form == "texts":
            found.setdefault(field.name, []).append(_text(value))
        elif field.form in ("map", "bytemap"):
            entry = dict(_fields(_bytes(value)))
            content_ = _bytes(entry.get(2, b""))
            text = base64.b64encode(content_).decode() if field.form == "bytemap" else content_.decode()
            found.setdefault(field.name, {})[_text(entry.get(1, b""))] = text
        elif field.message is not None:
            found[field.name] = _message(_bytes(value), field.message)
        elif value:
            found[field.name] = _text(value)
    return found


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value: a whole number, or the bytes of whatever else."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(content, place)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            length, place = _varint(content, place)
        if length < 0 or place + length > len(content):
            raise IndexError(place)
        yield number, content[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return value, place


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError(value)
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()
