"""Request bodies: JSON or YAML in, with the fields that stood twice."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml
from aiohttp import web

from include.cluster.errors import ApiError, bad_request
from include.cluster.http import protobuf
from include.cluster.http.negotiation import AVAILABLE, JSON, PROTOBUF, YAML

_SHOWN = 30
_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
LIMIT = 3 * 1024 * 1024
"""Bytes; the limit of a Kubernetes API server."""


class _Pairs(dict[str, Any]):
    """An object that remembers which of its keys stood twice."""

    twice: list[str]


def _pairs(items: list[tuple[str, Any]]) -> _Pairs:
    obj = _Pairs(items)
    obj.twice = []
    if len(obj) < len(items):
        seen: set[str] = set()
        for key, _ in items:
            if key in seen and key not in obj.twice:
                obj.twice.append(key)
            seen.add(key)
    return obj


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: no aliases bombs, keys are text, times stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.1 has these too, and so has Kubernetes: an unquoted key ``y`` is ``true``.
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))


def _bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    return loader.construct_scalar(node).lower() in ("y", "yes", "true", "on")


_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> _Pairs:
    loader.flatten_mapping(node)
    items = []
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "invalid map key", key_node.start_mark)
        items.append((_key(key), loader.construct_object(value_node, deep=True)))
    return _pairs(items)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


async def read(request: web.Request) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413 when it is larger than an API server takes.
    """
    if (request.content_length or 0) > LIMIT:
        raise _too_large()
    chunks = bytearray()
    async for chunk in request.content.iter_any():
        chunks += chunk
        if len(chunks) > LIMIT:
            raise _too_large()
    return bytes(chunks)


def media_type(request: web.Request) -> str:
    """The body's media type without parameters; JSON when the client names none."""
    return request.headers.get("Content-Type", JSON).partition(";")[0].strip().lower() or JSON


def parse_object(body: bytes, media: str, kind: str) -> tuple[Any, list[str]]:
    """The object of a create or replace, and the fields that stood twice.

    Args:
        body: the bytes.
        media: their media type.
        kind: the kind that is expected, for the error's text.

    Raises:
        ApiError: 415 for another media type, 400 for a body that cannot be read.
    """
    unrecognized = f"the object provided is unrecognized (must be of type {kind})"
    if media == YAML:
        try:
            parsed, twice = _yaml(body)
        except yaml.YAMLError as error:
            raise bad_request(f"{unrecognized}: {_yaml_error(error)} ({_summary(body)})") from None
        return _object(parsed, body, unrecognized), twice
    if media == PROTOBUF:
        return protobuf.decode(body), []
    if media != JSON:
        raise unsupported(AVAILABLE)
    try:
        parsed, twice = _clean(json.loads(body, object_pairs_hook=_pairs))
    except (ValueError, RecursionError) as error:
        why = f"couldn't get version/kind; json parse error: {json_error(body, error)}"
        raise bad_request(f"{unrecognized}: {why} ({_summary(body)})") from None
    return _object(parsed, body, unrecognized), twice


def _object(parsed: Any, body: bytes, unrecognized: str) -> Any:
    """What was parsed, when it is an object; nothing at all counts as an empty one."""
    if parsed is None or isinstance(parsed, dict):
        return parsed or {}
    found = {list: "array", str: "string", bool: "bool"}.get(type(parsed), "number")
    why = f"couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type {_TYPE_META}"
    raise bad_request(f"{unrecognized}: {why} ({_summary(body)})")


def _summary(body: bytes) -> str:
    """The start of a body as it is told back: text when it looks like JSON's objects, else in hexadecimal."""
    if not body:
        return "<empty>"
    start = body[:_SHOWN]
    text = start.decode("utf-8", "replace") if body.startswith(b"{") else start.hex()
    return text if len(body) <= _SHOWN else f"{text} ..."


def parse_patch(body: bytes, yaml_allowed: bool) -> tuple[Any, list[str]]:
    """The body of a patch, and the fields that stood twice.

    Raises:
        ApiError: 400 when it cannot be read.
    """
    if yaml_allowed:
        try:
            parsed, twice = _yaml(body)
        except yaml.YAMLError as error:
            text = f"error decoding YAML: error converting YAML to JSON: {_yaml_error(error)}"
            raise bad_request(text) from None
        return ({} if parsed is None else parsed), twice
    try:
        return _clean(json.loads(body, object_pairs_hook=_pairs))
    except (ValueError, RecursionError) as error:
        raise bad_request(f"error decoding patch: {json_error(body, error)}") from None


def unsupported(accepted: str) -> ApiError:
    """415, with the media types that would do."""
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", text)


def json_error(body: bytes, error: Exception) -> str:
    """What Go's JSON parser says of such a body."""
    if isinstance(error, RecursionError):
        return "exceeded max depth"
    if isinstance(error, json.JSONDecodeError):
        text = error.doc
        position = error.pos
        while position < len(text) and text[position].isspace():
            position += 1
        if position >= len(text) or error.msg.startswith("Unterminated string"):
            return "unexpected end of JSON input"
        misspelt = _misspelt(text[position:])
        if misspelt:
            return misspelt
        where = "looking for beginning of value"
        if error.msg.startswith("Expecting property name"):
            where = "looking for beginning of object key string"
        elif error.msg.startswith("Expecting ',' delimiter"):
            where = "after object key:value pair"
        elif error.msg.startswith("Expecting ':'"):
            where = "after object key"
        elif error.msg.startswith("Extra data"):
            where = "after top-level value"
        return f"invalid character '{text[position]}' {where}"
    return f"invalid JSON: {len(body)} bytes that are not UTF-8"


def _misspelt(text: str) -> str:
    literal = {"n": "null", "t": "true", "f": "false"}.get(text[0], "")
    for place, wanted in enumerate(literal):
        if place >= len(text):
            return "unexpected end of JSON input"
        if text[place] != wanted:
            return f"invalid character '{text[place]}' in literal {literal} (expecting '{wanted}')"
    return ""


def _yaml(body: bytes) -> tuple[Any, list[str]]:
    try:
        # The token count bounds what aliases could blow up: Kubernetes' own limit is on the same ratio.
        if body.count(b"*") > 1000:
            raise bad_request("yaml: document contains excessive aliasing")
        return _clean(yaml.load(body, Loader=_Loader))  # noqa: S506 - a safe loader with text keys
    except RecursionError:
        raise bad_request("yaml: exceeded max depth") from None


def _yaml_error(error: yaml.YAMLError) -> str:
    """What Go's YAML parser says: it counts lines from zero, and names none for the first."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + isinstance(error, yaml.scanner.ScannerError) if mark and mark.line else 0
    why = getattr(error, "problem", None) or str(error)
    return f"yaml: line {line}: {why}" if line else f"yaml: {why}"


def _clean(value: Any) -> tuple[Any, list[str]]:
    """The value as plain dicts and lists, with ``duplicate field "a.b[0].c"`` for what stood twice."""
    found: list[str] = []
    budget = [200_000]

    def walk(node: Any, path: str) -> Any:
        budget[0] -= 1
        if budget[0] < 0:
            raise bad_request("the body holds too many values")
        if isinstance(node, dict):
            found.extend(f'duplicate field "{_join(path, key)}"' for key in getattr(node, "twice", ()))
            return {key: walk(entry, _join(path, key)) for key, entry in node.items()}
        if isinstance(node, list):
            return [walk(entry, f"{path}[{number}]") for number, entry in enumerate(node)]
        return node

    plain = walk(value, "")
    return plain, found


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _too_large() -> ApiError:
    text = f"Request entity too large: limit is {LIMIT}"
    return ApiError(413, "RequestEntityTooLarge", text)
