"""Objects as trees of owned fields: which fields one sets, how two merge, and in what they differ.

This is the part of structured-merge-diff that server-side apply rests on. Structs and maps are owned field by field, lists with
keys entry by entry, everything else whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from include.cluster.rules import fieldset
from include.cluster.rules.fieldset import Path, PathSet
from include.cluster.rules.lists import ATOMIC_FIELDS, ATOMIC_MODELS, MAP_KEYS, SETS, same_lists
from include.cluster.rules.model import Type, fields

Object = dict[str, Any]

MISSING: Any = object()


@dataclass(frozen=True)
class Node:
    """How the value at one place of an object is owned.

    ``kind`` is leaf, struct, map, keyed (a list with keys) or set; ``keys`` are the keys with their defaults.
    """

    kind: str
    type_: Type
    keys: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def root(cls, model: str) -> Node:
        """The node of a whole object."""
        return cls("struct", Type("struct", model=model))

    def child(self, name: str) -> Node:
        """The node of a field or of a map's entry."""
        if self.kind == "map":
            return _node(self.type_.item or Type("any"), "", "")
        model = self.type_.model
        type_ = fields(model).get(name, Type("any"))
        return _node(type_, same_lists(model), name)

    def entry(self) -> Node:
        """The node of a list's entries."""
        item = self.type_.item or Type("any")
        return Node("struct" if item.shape == "struct" and item.model not in ATOMIC_MODELS else "leaf", item)

    def key(self, entry: Any) -> str:
        """The FieldsV1 key of a list's entry."""
        if self.kind == "set":
            return fieldset.value(entry)
        keys = {
            name: entry.get(name, default) if isinstance(entry, dict) else default
            for name, default in self.keys
        }
        return fieldset.item(keys)


def _node(type_: Type, model: str, name: str) -> Node:
    if type_.shape == "struct" and type_.model not in ATOMIC_MODELS:
        return Node("struct", type_)
    if type_.shape == "map" and (model, name) not in ATOMIC_FIELDS:
        return Node("map", type_)
    if type_.shape == "list" and (model, name) in MAP_KEYS:
        return Node("keyed", type_, tuple(MAP_KEYS[model, name].items()))
    if type_.shape == "list" and (model, name) in SETS:
        return Node("set", type_)
    return Node("leaf", type_)


# -- which fields an object sets -----------------------------------------------------------------------------


def paths(model: str, obj: Object) -> PathSet:
    """The fields that an applied configuration sets."""
    return frozenset(_paths(Node.root(model), obj, ()))


def _paths(node: Node, value: Any, path: Path) -> Iterator[Path]:
    if node.kind == "leaf" or value is None:
        if path:
            yield path
        return
    if node.kind in ("keyed", "set"):
        for entry in value:
            below = (*path, node.key(entry))
            yield from _paths(node.entry(), entry, below)
            yield below
        return
    for name, child in value.items():
        below = (*path, fieldset.field(name))
        yield from _paths(node.child(name), child, below)
        if child is None or child == {} or node.kind == "map":
            yield below


# -- merging -------------------------------------------------------------------------------------------------


def merge(model: str, live: Object, config: Object) -> Object:
    """Live with everything that a configuration sets."""
    merged: Object = _merge(Node.root(model), live, config)
    return merged


def _merge(node: Node, live: Any, config: Any) -> Any:
    if config is MISSING:
        return copy.deepcopy(live)
    if live is MISSING or node.kind == "leaf" or live is None:
        return copy.deepcopy(config)
    if config is None:
        return copy.deepcopy(live)
    if node.kind in ("keyed", "set"):
        return _merge_lists(node, live, config)
    names = [*live, *(name for name in config if name not in live)]
    return {
        name: _merge(node.child(name), live.get(name, MISSING), config.get(name, MISSING)) for name in names
    }


def _merge_lists(node: Node, live: list[Any], config: list[Any]) -> list[Any]:
    """Entries in the configuration's order, those that only live has in their places among them."""
    before = [(node.key(entry), entry) for entry in live]
    wanted = [(node.key(entry), entry) for entry in config]
    by_key, wanted_keys = dict(reversed(before)), {key for key, _ in wanted}
    result: list[Any] = []
    done: set[str] = set()
    left = right = 0
    while left < len(before) or right < len(wanted):
        if left < len(before):
            key, entry = before[left]
            at_once = right < len(wanted) and wanted[right][0] == key
            if not at_once and key not in wanted_keys:
                result.append(copy.deepcopy(entry))
                left += 1
                continue
            if at_once or key in done:
                left += 1
        if right < len(wanted):
            key, entry = wanted[right]
            done.add(key)
            result.append(_merge(node.entry(), by_key.get(key, MISSING), entry))
            right += 1
    return result


# -- differences ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """The fields in which an object differs from an older one."""

    added: PathSet
    modified: PathSet
    removed: PathSet

    @property
    def written(self) -> PathSet:
        """What has a new value."""
        return self.added | self.modified

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


def compare(model: str, old: Object, new: Object) -> Difference:
    """What ``new`` has added, changed and removed."""
    comparer = _Comparer()
    comparer.walk(Node.root(model), old, new, ())
    return Difference(frozenset(comparer.added), frozenset(comparer.modified), frozenset(comparer.removed))


class _Comparer:
    def __init__(self) -> None:
        self.added: set[Path] = set()
        self.modified: set[Path] = set()
        self.removed: set[Path] = set()

    def walk(self, node: Node, old: Any, new: Any, path: Path) -> None:
        empty = (old is MISSING or not old) and (new is MISSING or not new)
        if node.kind == "leaf" or empty:
            if old is not MISSING and new is not MISSING and (old != new or type(old) is not type(new)):
                self.modified.add(path)
        elif node.kind in ("keyed", "set"):
            self._entries(node, old, new, path)
        else:
            before, after = (one if isinstance(one, dict) else {} for one in (old, new))
            for name in {**before, **after}:
                below = (*path, fieldset.field(name))
                self.walk(node.child(name), before.get(name, MISSING), after.get(name, MISSING), below)
        if path and old is MISSING and new is not MISSING:
            self.added.add(path)
        elif path and new is MISSING and old is not MISSING:
            self.removed.add(path)

    def _entries(self, node: Node, old: Any, new: Any, path: Path) -> None:
        before, after = (
            {node.key(entry): entry for entry in (one if isinstance(one, list) else [])} for one in (old, new)
        )
        for key in {**before, **after}:
            self.walk(node.entry(), before.get(key, MISSING), after.get(key, MISSING), (*path, key))


# -- removal -------------------------------------------------------------------------------------------------


def remove(model: str, obj: Object, gone: PathSet) -> None:
    """Takes fields and entries out of an object, in place."""
    for path in sorted(gone, key=len):
        _remove(Node.root(model), obj, path)


def _remove(node: Node, value: Any, path: Path) -> None:
    key, rest = path[0], path[1:]
    if isinstance(value, list) and node.kind in ("keyed", "set"):
        if not rest:
            value[:] = [entry for entry in value if node.key(entry) != key]
            return
        for entry in value:
            if node.key(entry) == key:
                _remove(node.entry(), entry, rest)
    elif isinstance(value, dict) and key[2:] in value:
        if not rest:
            del value[key[2:]]
        else:
            _remove(node.child(key[2:]), value[key[2:]], rest)
