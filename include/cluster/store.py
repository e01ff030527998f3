"""Objects on disk with one growing resourceVersion, and the recent changes for watches.

One SQLite file holds every object. A write is committed before anybody hears of it, so a killed stand-in comes back
with all that it had answered for. Objects handed out are shared: **never change one, copy it first**.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str, str]
"""plural, namespace ("" for cluster-scoped), name"""


@dataclass(frozen=True)
class Change:
    """One committed change. ``type`` is ADDED, MODIFIED or DELETED; ``old`` is the object before it, if any.

    A DELETED change carries the last state with the resourceVersion of the deletion, as Kubernetes does.
    ``text`` is ``object`` as JSON, written once for the file and for every watch.
    """

    type: str
    revision: int
    key: Key
    object: Object
    old: Object | None
    text: str


class StaleError(Exception):
    """The object's resourceVersion is not the one the writer had read, or the object is gone."""


class Store:
    """All objects of one stand-in.

    Args:
        path: the SQLite file; made when absent.
        history: how many changes are kept for watches; a watch from before them is answered with 410.
    """

    def __init__(self, path: Path, history: int = 20_000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(path)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects (plural TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL,"
            " PRIMARY KEY (plural, namespace, name))"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
        row = self._db.execute("SELECT value FROM meta WHERE name='revision'").fetchone()
        self.revision: int = row[0] if row else 1
        self._objects: dict[str, dict[str, dict[str, Object]]] = {}
        self._texts: dict[Key, str] = {}
        for plural, namespace, name, body in self._db.execute(
            "SELECT plural, namespace, name, body FROM objects"
        ):
            self._keep((plural, namespace, name), json.loads(body), body)
        self.history: deque[Change] = deque(maxlen=history)
        self._started_at = self.revision
        self._listeners: list[Callable[[Change], None]] = []
        self._unheard: deque[Change] = deque()

    @property
    def oldest(self) -> int:
        """Changes after this revision are still in the history; a watch from an earlier one is 410."""
        if self.history and len(self.history) == self.history.maxlen:
            return self.history[0].revision - 1
        return self._started_at

    def listen(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Calls ``callback`` after each commit, in order. Returns the function that ends it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """The object, or None. Shared: copy before changing."""
        return self._objects.get(plural, {}).get(namespace, {}).get(name)

    def text(self, plural: str, namespace: str, name: str) -> str:
        """The object as JSON, as it was written.

        Raises:
            KeyError: there is no such object.
        """
        return self._texts[(plural, namespace, name)]

    def list(self, plural: str, namespace: str | None = None) -> list[Object]:
        """All objects of a kind (of one namespace, when given), ordered by namespace and name. Shared."""
        kind = self._objects.get(plural, {})
        if namespace is not None:
            objects = kind.get(namespace, {})
            return [objects[name] for name in sorted(objects)]
        return [kind[space][name] for space in sorted(kind) for name in sorted(kind[space])]

    def put(self, plural: str, obj: Object, *, expect: str | None = None) -> Object:
        """Writes an object whole and gives it the next resourceVersion. Returns the stored object (shared).

        Args:
            plural: the kind.
            obj: the object; copied.
            expect: ``None`` writes whatever is there; ``""`` only if it is absent; else only at this resourceVersion.

        Raises:
            StaleError: what is there is not what ``expect`` says.
        """
        meta = obj["metadata"]
        key: Key = (plural, meta.get("namespace", ""), meta["name"])
        old = self.get(*key)
        if expect is not None:
            found = old["metadata"]["resourceVersion"] if old else ""
            if found != expect:
                raise StaleError(f"{key}: expected resourceVersion {expect!r}, found {found!r}")
        revision = self.revision + 1
        text = _dump(_at(obj, revision))
        # Reading the text back is the quickest deep copy, and what a restart would give.
        stored: Object = json.loads(text)
        self._commit(revision, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*key, text))
        self._keep(key, stored, text)
        self._publish(Change("MODIFIED" if old else "ADDED", revision, key, stored, old, text))
        return stored

    def remove(self, plural: str, namespace: str, name: str) -> Object | None:
        """Removes an object. Returns its last state with the deletion's resourceVersion, or None if it was absent."""
        key: Key = (plural, namespace, name)
        old = self.get(*key)
        if old is None:
            return None
        revision = self.revision + 1
        self._commit(revision, "DELETE FROM objects WHERE plural=? AND namespace=? AND name=?", key)
        space = self._objects[plural][namespace]
        del space[name], self._texts[key]
        if not space:
            del self._objects[plural][namespace]
        text = _dump(_at(old, revision))
        last: Object = json.loads(text)
        self._publish(Change("DELETED", revision, key, last, old, text))
        return last

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _keep(self, key: Key, obj: Object, text: str) -> None:
        plural, namespace, name = key
        self._objects.setdefault(plural, {}).setdefault(namespace, {})[name] = obj
        self._texts[key] = text

    def _commit(self, revision: int, sql: str, values: tuple[Any, ...]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(sql, values)
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (revision,))
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        self.revision = revision

    def _publish(self, change: Change) -> None:
        self.history.append(change)
        self._unheard.append(change)
        if len(self._unheard) > 1:
            return  # a listener is writing: the loop below comes to this change when all have heard the one before
        while self._unheard:
            try:
                for listener in list(self._listeners):
                    listener(self._unheard[0])
            finally:
                self._unheard.popleft()


def _make_private(path: Path) -> None:
    """Secrets are among the objects: the file, and those that SQLite makes beside it, are for their owner only."""
    path.touch(mode=0o600)
    for each in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))):
        with contextlib.suppress(FileNotFoundError):
            each.chmod(0o600)


def _at(obj: Object, revision: int) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


def _dump(obj: Object) -> str:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False)
