"""Watches: each change is written as JSON once, and each watcher has a queue of its own."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.cluster.errors import ApiError
from include.cluster.http.answers import json_text
from include.cluster.http.params import ListOptions
from include.cluster.http.views import View
from include.cluster.registry import Registry
from include.cluster.store import Change

Object = dict[str, Any]
Matches = Callable[[Object], bool]

_LONGEST_QUEUE = 20_000
"""Changes that a watcher may be behind; a slower one is cut off, and begins again from its resourceVersion."""

_BOOKMARK_EVERY = 60.0
_BOOKMARK_BEFORE_END = 2.0
_DEFAULT_TIMEOUT = 1800.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Hub:
    """Hands every change of the store to the watchers of its kind."""

    def __init__(self, registry: Registry) -> None:
        self._watchers: dict[str, list[Watcher]] = {}
        self._stop = registry.store.listen(self._heard)

    def add(self, plural: str, watcher: Watcher) -> None:
        """From now on the watcher hears of the kind."""
        self._watchers.setdefault(plural, []).append(watcher)

    def discard(self, plural: str, watcher: Watcher) -> None:
        """The watcher hears no more."""
        if watcher in self._watchers.get(plural, []):
            self._watchers[plural].remove(watcher)

    def watching(self, plural: str) -> int:
        """How many watch a kind."""
        return len(self._watchers.get(plural, ()))

    def close(self) -> None:
        """Ends all watches."""
        self._stop()
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()

    def _heard(self, change: Change) -> None:
        for watcher in self._watchers.get(change.key[0], ()):
            watcher.offer(change)


@dataclass(frozen=True)
class Scope:
    """What a watch is about: a kind as one group shows it, a namespace or all, and who is selected.

    ``render`` turns an object into what the client asked for (a Table, metadata only); None means as stored.
    """

    view: View
    namespace: str
    matches: Matches | None
    render: Callable[[Object], Object] | None

    def line(self, change: Change) -> bytes | None:
        """The change as one line of the stream, or None when it is not for this watch."""
        if self.namespace and change.key[1] != self.namespace:
            return None
        kind, obj, text = change.type, change.object, change.text
        if self.matches is not None:
            now = change.type != "DELETED" and self.matches(change.object)
            before = change.old is not None and self.matches(change.old)
            if not now and not before:
                return None
            kind = "DELETED" if not now else ("MODIFIED" if before else "ADDED")
            if kind == "DELETED" and change.type != "DELETED":
                # It no longer matches: the client gets what it knew, at the revision at which it went.
                old = change.old or {}
                version = str(change.revision)
                obj = {**old, "metadata": {**old["metadata"], "resourceVersion": version}}
                text = ""
        return self.event(kind, obj, text)

    def event(self, kind: str, obj: Object, text: str = "") -> bytes:
        """One line of the stream. ``text`` is the stored object as JSON, when it is at hand."""
        if self.render is not None or self.view.converts or not text:
            shown = self.view.show(obj)
            text = json_text(self.render(shown) if self.render else shown)
        return f'{{"type":"{kind}","object":{text}}}\n'.encode("utf-8", "replace")


class Watcher:
    """The queue of one watch."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.revision = 0
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.ended = False

    def offer(self, change: Change) -> None:
        """Takes a change in, if it is for this watch."""
        self.revision = change.revision
        line = self.scope.line(change)
        if line is not None:
            self._lines.append(line)
            self._news.set()
            if len(self._lines) > _LONGEST_QUEUE:
                self.end()

    def end(self) -> None:
        """Ends the watch, after what is queued."""
        self.ended = True
        self._news.set()

    async def take(self, timeout: float) -> bytes:
        """What has come, or nothing after ``timeout`` seconds."""
        if not self._lines and not self.ended:
            try:
                async with asyncio.timeout(max(timeout, 0)):
                    await self._news.wait()
            except TimeoutError:
                return b""
        self._news.clear()
        taken = b"".join(self._lines)
        self._lines.clear()
        return taken


class Watch:
    """One watch request: where it begins, and its stream."""

    def __init__(self, hub: Hub, registry: Registry, scope: Scope, options: ListOptions) -> None:
        self._hub = hub
        self._registry = registry
        self._scope = scope
        self._options = options

    def begin(self) -> tuple[Watcher, bytes]:
        """Joins the hub, and gives what comes first: present objects, the history, or an ERROR event.

        Nothing is awaited in between, so that no change is missed or told twice.
        """
        watcher = Watcher(self._scope)
        store = self._registry.store
        watcher.revision = store.revision
        plural = self._scope.view.stored.plural
        revision = self._options.revision
        first: list[bytes] = []
        if self._options.initial or (self._options.initial is None and not revision):
            first += self._present()
            if self._options.initial and self._options.bookmarks:
                first.append(self._bookmark(store.revision, initial=True))
        elif revision is not None and revision < store.oldest and self._options.initial is None:
            watcher.ended = True
            return watcher, self._error(_expired(plural, revision, store.oldest))
        else:
            for change in _since(store.history, revision or store.revision):
                if change.key[0] == plural:
                    line = self._scope.line(change)
                    if line is not None:
                        first.append(line)
        self._hub.add(plural, watcher)
        return watcher, b"".join(first)

    def leave(self, watcher: Watcher) -> None:
        """Leaves the hub."""
        self._hub.discard(self._scope.view.stored.plural, watcher)

    async def lines(self, watcher: Watcher) -> Any:
        """The stream after the beginning, with bookmarks, until the client's time is up."""
        loop = asyncio.get_running_loop()
        timeout = float(self._options.timeout) or _DEFAULT_TIMEOUT * random.uniform(1, 2)  # noqa: S311
        end = loop.time() + timeout
        marks = self._options.bookmarks
        # A short watch ends before a bookmark would be of use.
        last = timeout - _BOOKMARK_BEFORE_END if timeout > 2 * _BOOKMARK_BEFORE_END else timeout
        next_mark = loop.time() + min(_BOOKMARK_EVERY, last)
        while not watcher.ended and loop.time() < end:
            wake = min(end, next_mark) if marks else end
            taken = await watcher.take(wake - loop.time())
            if taken:
                yield taken
            if marks and loop.time() >= next_mark:
                if loop.time() < end:
                    yield self._bookmark(watcher.revision)
                next_mark = min(loop.time() + _BOOKMARK_EVERY, end - _BOOKMARK_BEFORE_END)
                if next_mark <= loop.time():
                    next_mark = end + 1

    def _present(self) -> list[bytes]:
        scope, plural = self._scope, self._scope.view.stored.plural
        lines = []
        for obj in self._registry.list(plural, scope.namespace or None):
            if scope.matches is None or scope.matches(obj):
                meta = obj["metadata"]
                text = self._registry.store.text(plural, meta.get("namespace", ""), meta["name"])
                lines.append(scope.event("ADDED", obj, text))
        return lines

    def _bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        resource = self._scope.view.resource
        meta: Object = {"resourceVersion": str(revision)}
        if initial:
            meta["annotations"] = {INITIAL_EVENTS_END: "true"}
        obj: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        if self._scope.render is not None:
            obj = self._scope.render(obj)
        return f'{{"type":"BOOKMARK","object":{json_text(obj)}}}\n'.encode()

    def _error(self, error: ApiError) -> bytes:
        return f'{{"type":"ERROR","object":{json_text(error.status())}}}\n'.encode()


def _since(history: deque[Change], revision: int) -> list[Change]:
    found: list[Change] = []
    for change in reversed(history):
        if change.revision <= revision:
            break
        found.append(change)
    found.reverse()
    return found


def _expired(plural: str, revision: int, oldest: int) -> ApiError:
    text = f"too old resource version: {revision} ({oldest})"
    if plural == "events":
        text = "The resourceVersion for the provided watch is too old."
    return ApiError(410, "Expired", text)
