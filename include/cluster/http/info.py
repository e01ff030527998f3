"""What a path asks for, read as Kubernetes' RequestInfo reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_VERBS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "GET": "get",
    "HEAD": "get",
}


@dataclass(frozen=True)
class Info:
    """One request's target. ``resource`` is empty for paths outside the API; ``rest`` is what follows a proxy."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    extra_parts: bool = False


def is_true(text: str | None) -> bool:
    """A boolean of the query: absent, ``false`` and ``0`` (in any case) are false, all else is true."""
    return text is not None and text.lower() not in ("false", "0")


def parse(method: str, raw_path: str, query: Mapping[str, str]) -> Info:
    """Reads a request line. ``raw_path`` is percent-encoded still, so that a proxied path goes on as it came."""
    path = unquote(raw_path)
    raw = [part for part in raw_path.split("/") if part]
    parts = [unquote(part) for part in raw]
    plain = Info(method.lower(), path)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    if parts[0] == "apis":
        if len(parts) < 4:
            return plain
        group, version, rest, raw = parts[1], parts[2], parts[3:], raw[3:]
    else:
        group, version, rest, raw = "", parts[1], parts[2:], raw[2:]
    verb = _VERBS.get(method, method.lower())
    old_watch = rest[0] == "watch" and len(rest) > 1
    if old_watch:
        rest, raw, verb = rest[1:], raw[1:], "watch"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
            rest, raw = rest[2:], raw[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    tail = "/".join(raw[3:])
    if tail and raw_path.endswith("/"):
        tail += "/"
    if not name and not old_watch:
        verb = _collective(verb, query)
    extra = len(rest) > 3 and subresource != "proxy"
    return Info(verb, path, group, version, resource, namespace, name, subresource, tail, extra)


def _collective(verb: str, query: Mapping[str, str]) -> str:
    """The verb on a path without a name."""
    if verb == "get":
        return "watch" if is_true(query.get("watch")) else "list"
    return "deletecollection" if verb == "delete" else verb
