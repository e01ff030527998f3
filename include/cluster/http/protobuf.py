"""Kubernetes' protobuf form of the few kinds that kubectl sends so by itself: ``create deployment``, ``auth can-i``, ...

Everything else is asked for as JSON: kubectl sends files (``apply -f``, ``create -f``) as JSON anyway. A field that is
not known here is refused, never dropped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from include.cluster.errors import ApiError, bad_request
from include.cluster.http.protobuf_kinds import KINDS, Field

Object = dict[str, Any]

_MAGIC = b"k8s\x00"
_INSTEAD = "send application/json (kubectl: use -f)"


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
        if kind not in KINDS:
            raise _unread(f"{kind or 'that kind'} as protobuf")
        return {
            "apiVersion": names.get(1, ""),
            "kind": kind,
            **_message(_bytes(envelope[2]), KINDS[kind], kind),
        }
    except (IndexError, KeyError, UnicodeDecodeError, TypeError):
        raise bad_request("the protobuf body cannot be read") from None


def _unread(what: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", f"this stand-in does not read {what}: {_INSTEAD}")


def _message(content: bytes, fields: dict[int, Field], where: str) -> Object:
    found: Object = {}
    for number, value in _fields(content):
        field = fields.get(number)
        if field is None:
            # Go writes every field that is no pointer, also an empty one.
            if value:
                raise _unread(f"field {number} of {where} as protobuf")
        elif field.form in ("texts", "messages"):
            found.setdefault(field.name, []).append(_value(field, value, where))
        elif field.form in ("map", "bytemap", "quantities"):
            key, entry = _entry(field, _bytes(value))
            found.setdefault(field.name, {})[key] = entry
        elif field.form != "ignored" and (value or field.form == "int"):
            found[field.name] = _value(field, value, where)
    return found


def _value(field: Field, value: int | bytes, where: str) -> Any:
    if field.form == "bool":
        return bool(value)
    if field.form in ("int", "count"):
        return _int(value)
    if field.form == "intorstring":
        parts = dict(_fields(_bytes(value)))
        return _text(parts.get(3, b"")) if parts.get(1) else _int(parts.get(2, 0))
    if field.message:
        return _message(_bytes(value), field.message, f"{where}.{field.name}")
    return _text(value)


def _entry(field: Field, content: bytes) -> tuple[str, str]:
    entry = dict(_fields(content))
    key, value = _text(entry.get(1, b"")), _bytes(entry.get(2, b""))
    if field.form == "bytemap":
        return key, base64.b64encode(value).decode()
    if field.form == "quantities":
        value = _bytes(dict(_fields(value)).get(1, b"0"))
    return key, value.decode()


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TypeError(value)
    return value - (1 << 64) if value >> 63 else value


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
