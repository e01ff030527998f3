"""Lists: selectors, pages, and the state at an earlier revision."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.cluster.errors import ApiError, bad_request
from include.cluster.http.params import ListOptions
from include.cluster.http.views import View
from include.cluster.registry import Registry
from include.cluster.rules import selectors

Object = dict[str, Any]
Matches = Callable[[Object], bool]

_FUTURE_WAIT = 3.0
"""Seconds that a list waits for a resourceVersion that is still to come."""

_TOO_OLD_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "  # noqa: S105
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_TOO_OLD = "The resourceVersion for the provided list is too old."


@dataclass(frozen=True)
class Page:
    """One page of a list: stored objects, and the list's own metadata."""

    objects: list[Object]
    metadata: Object
    current: bool
    """Whether the objects are those of now, so that the store's own JSON may be used."""


def matcher(view: View, options: ListOptions, name: str = "") -> Matches | None:
    """The condition that selectors (and a name in the path) put, or None when everything is wanted.

    Raises:
        ApiError: 400 for a selector that cannot be read.
    """
    labels = selectors.parse_labels(options.labels) if options.labels else None
    text = view.fields(options.fields)
    fields = selectors.parse_fields(view.stored.plural, text) if text else None
    if labels is None and fields is None and not name:
        return None

    def matches(obj: Object) -> bool:
        meta = obj["metadata"]
        return (
            (not name or meta["name"] == name)
            and (labels is None or labels.matches(meta.get("labels") or {}))
            and (fields is None or fields.matches(obj))
        )

    return matches


async def page(registry: Registry, view: View, namespace: str, options: ListOptions) -> Page:
    """One page of the list that is asked for.

    Raises:
        ApiError: 400, 410 (too old), 504 (in the future).
    """
    wanted = matcher(view, options)
    store, plural = registry.store, view.stored.plural
    after: tuple[str, str] | None = None
    revision = 0
    if options.token:
        revision, after = _read_token(options.token, namespace)
    elif options.revision:
        await _wait_for(registry, options.revision)
        exact = options.match == "Exact" or (options.limit and not options.match and options.revision > 0)
        revision = options.revision if exact else 0
    if revision > 0 and revision < store.oldest:
        if options.token and after is not None:
            rest = _token(-1, after, namespace)
            raise ApiError(410, "Expired", _TOO_OLD_TOKEN, metadata={"continue": rest})
        raise ApiError(410, "Expired", _TOO_OLD)
    current = revision <= 0 or revision >= store.revision
    objects = (
        registry.list(plural, namespace or None) if current else at(registry, plural, namespace, revision)
    )
    if wanted is not None:
        objects = [obj for obj in objects if wanted(obj)]
    if after is not None:
        objects = [obj for obj in objects if _place(obj) > after]
    shown_revision = store.revision if current and revision <= 0 else revision
    metadata: Object = {"resourceVersion": str(shown_revision)}
    if options.limit and len(objects) > options.limit:
        metadata["continue"] = _token(shown_revision, _place(objects[options.limit - 1]), namespace)
        if wanted is None:
            metadata["remainingItemCount"] = len(objects) - options.limit
        objects = objects[: options.limit]
    return Page(objects, metadata, current)


def at(registry: Registry, plural: str, namespace: str, revision: int) -> list[Object]:
    """The objects of a kind as they were at a revision that the history still reaches."""
    objects = {_place(obj): obj for obj in registry.list(plural, namespace or None)}
    for change in reversed(registry.store.history):
        if change.revision <= revision:
            break
        kind, space, name = change.key
        if kind != plural or (namespace and space != namespace):
            continue
        if change.old is None:
            objects.pop((space, name), None)
        else:
            objects[(space, name)] = change.old
    return [objects[place] for place in sorted(objects)]


async def _wait_for(registry: Registry, revision: int) -> None:
    store = registry.store
    if revision <= store.revision:
        return
    loop = asyncio.get_running_loop()
    end = loop.time() + _FUTURE_WAIT
    while loop.time() < end:
        await asyncio.sleep(0.05)
        if revision <= store.revision:
            return
    text = f"Too large resource version: {revision}, current: {store.revision}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    raise ApiError(504, "Timeout", f"Timeout: {text}", details)


def _place(obj: Object) -> tuple[str, str]:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _token(revision: int, place: tuple[str, str], namespace: str) -> str:
    """The continue token of Kubernetes: the revision, and the key after which the next page begins."""
    space, name = place
    start = f"/{name}" if namespace or not space else f"/{space}/{name}"
    token = {
        "v": "meta.k8s.io/v1",
        "rv": revision,
        "start": f"{start}\0" if revision > 0 else f"{start[1:]}\0",
    }
    text = json.dumps(token, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str, namespace: str) -> tuple[int, tuple[str, str]]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise _bad_token("illegal base64 data at input byte 0") from None
    try:
        read = json.loads(text)
        start, revision = str(read["start"]).rstrip("\0").lstrip("/"), int(read["rv"])
    except (ValueError, KeyError, TypeError):
        first = text[:1].decode("latin-1")
        shown = first if first.isprintable() and first.isascii() else f"\\u{ord(first or ' '):04x}"
        raise _bad_token(f"invalid character '{shown}' looking for beginning of value") from None
    space, _, name = start.rpartition("/")
    return revision, (space or namespace, name)


def _bad_token(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")
