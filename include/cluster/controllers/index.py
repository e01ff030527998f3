"""Who owns what: kept up with each change, so that no controller has to scan all objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from include.cluster.controllers.owners import controller_of
from include.cluster.resources import RESOURCES
from include.cluster.store import Change
from include.cluster.store import Key as StoreKey

if TYPE_CHECKING:
    from include.cluster.registry import Registry

Object = dict[str, Any]

_ADOPTED = ("pods", "replicasets")
"""The kinds that controllers adopt when nobody controls them."""


class Index:
    """Look-ups by uid, by owner and by the lack of an owner. Reads the store once, then follows its changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._by_uid: dict[str, StoreKey] = {}
        self._owned: dict[str, dict[StoreKey, None]] = {}
        self._controlled: dict[tuple[str, str], dict[StoreKey, None]] = {}
        self._orphans: dict[tuple[str, str], dict[StoreKey, None]] = {}
        for plural in RESOURCES:
            for obj in registry.list(plural):
                self._add((plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), obj)

    def follow(self) -> Callable[[], None]:
        """Listens to the store; returns the function that ends it. To be called before any controller listens."""
        return self._registry.store.listen(self._change)

    def key(self, uid: str) -> StoreKey | None:
        """Where the object with this uid is, if there is one."""
        return self._by_uid.get(uid)

    def dependents(self, uid: str) -> list[StoreKey]:
        """The objects that name this uid as an owner."""
        return list(self._owned.get(uid, ()))

    def controlled(self, plural: str, uid: str) -> list[Object]:
        """The objects of a kind whose controller this is, oldest first."""
        return list(self._objects(self._controlled.get((plural, uid), {})))

    def orphans(self, plural: str, namespace: str) -> list[Object]:
        """The pods or replicasets of a namespace that nobody controls."""
        return list(self._objects(self._orphans.get((plural, namespace), {})))

    def _objects(self, keys: dict[StoreKey, None]) -> Iterator[Object]:
        for key in keys:
            found = self._registry.store.get(*key)
            if found is not None:
                yield found

    def _change(self, change: Change) -> None:
        if change.type == "DELETED":
            self._drop(change.key, change.old or change.object)
        elif change.old is None:
            self._add(change.key, change.object)
        elif _relations(change.old) != _relations(change.object):
            self._drop(change.key, change.old)
            self._add(change.key, change.object)

    def _add(self, key: StoreKey, obj: Object) -> None:
        self._by_uid[obj["metadata"]["uid"]] = key
        for reference in obj["metadata"].get("ownerReferences") or []:
            self._owned.setdefault(reference["uid"], {})[key] = None
        controller = controller_of(obj)
        if controller is not None:
            self._controlled.setdefault((key[0], controller["uid"]), {})[key] = None
        elif key[0] in _ADOPTED:
            self._orphans.setdefault((key[0], key[1]), {})[key] = None

    def _drop(self, key: StoreKey, obj: Object) -> None:
        self._by_uid.pop(obj["metadata"]["uid"], None)
        for reference in obj["metadata"].get("ownerReferences") or []:
            _discard(self._owned, reference["uid"], key)
        controller = controller_of(obj)
        if controller is not None:
            _discard(self._controlled, (key[0], controller["uid"]), key)
        else:
            _discard(self._orphans, (key[0], key[1]), key)


def _relations(obj: Object) -> tuple[str, Any]:
    return obj["metadata"]["uid"], obj["metadata"].get("ownerReferences")


def _discard(table: dict[Any, dict[StoreKey, None]], group: Any, key: StoreKey) -> None:
    members = table.get(group)
    if members is not None:
        members.pop(key, None)
        if not members:
            del table[group]
