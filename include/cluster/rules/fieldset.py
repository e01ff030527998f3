"""Sets of field paths, and the FieldsV1 form in which ``metadata.managedFields`` carries them.

A path is a tuple of FieldsV1 keys: ``("f:spec", 'k:{"name":"app"}', "f:image")``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]
Path = tuple[str, ...]
PathSet = frozenset[Path]

EMPTY: PathSet = frozenset()


def field(name: str) -> str:
    """The key of a struct's field or a map's entry."""
    return f"f:{name}"


def item(keys: Object) -> str:
    """The key of a list's entry that is known by some of its fields."""
    return "k:" + json.dumps(keys, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def value(plain: Any) -> str:
    """The key of a plain value in a list that is a set."""
    return "v:" + json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def read(fields: Object | None) -> PathSet:
    """The paths of a FieldsV1 tree."""
    found: set[Path] = set()

    def walk(node: Object, path: Path) -> None:
        if path and (not node or "." in node):
            found.add(path)
        for key, child in node.items():
            if key != ".":
                walk(child, (*path, key))

    walk(fields or {}, ())
    return frozenset(found)


def write(paths: Iterable[Path]) -> Object:
    """The FieldsV1 tree of some paths."""
    tree: Object = {}
    members = sorted(paths)
    for path in members:
        node = tree
        for key in path:
            node = node.setdefault(key, {})
    # A path that is a member and has others below it is marked with a dot.
    for path in members:
        node = tree
        for key in path:
            node = node[key]
        if node:
            node["."] = {}
    return tree


def with_parents(paths: PathSet) -> PathSet:
    """The paths with every named field on the way to them."""
    found = set(paths)
    for path in paths:
        found.update(path[:end] for end in range(1, len(path)) if path[end - 1].startswith("f:"))
    return frozenset(found)


def text(path: Path) -> str:
    """The path as messages show it: ``.spec.containers[name="app"].image``."""
    shown = ""
    for key in path:
        kind, rest = key[0], key[2:]
        if kind == "f":
            shown += f".{rest}"
        elif kind == "v":
            shown += f"[={rest}]"
        else:
            keys = json.loads(rest)
            inner = ",".join(f"{name}={json.dumps(keys[name], ensure_ascii=False)}" for name in sorted(keys))
            shown += f"[{inner}]"
    return shown
