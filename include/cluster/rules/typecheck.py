"""Whether an applied configuration fits its kind: server-side apply is stricter than other writes, and says so differently."""

from __future__ import annotations

import json
from typing import Any

from include.cluster.rules import fieldset
from include.cluster.rules.model import Type, fields
from include.cluster.rules.typed import Node

Object = dict[str, Any]

_TEXTS = ("string", "time", "microtime", "bytes")


def problems(model: str, obj: Object) -> list[str]:
    """Each unknown field, wrong type, missing key and doubled entry; empty when there is none."""
    found: list[str] = []
    _check(found, Node.root(model), obj, "")
    return found


def joined(found: list[str]) -> str:
    """Several problems as one text."""
    return found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in found)


def _check(found: list[str], node: Node, value: Any, path: str) -> None:
    if value is None:
        return
    type_ = node.type_
    if type_.shape == "struct":
        _struct(found, node, value, path)
    elif type_.shape == "map":
        if not isinstance(value, dict):
            found.append(f"{path}: expected map, got {_shown(value)}")
            return
        for name, child in value.items():
            _scalar(found, type_.item or Type("any"), child, f"{path}.{name}")
    elif type_.shape == "list":
        if not isinstance(value, list):
            found.append(f"{path}: expected list, got {_shown(value)}")
            return
        _list(found, node, value, path)
    else:
        _scalar(found, type_, value, path)


def _struct(found: list[str], node: Node, value: Any, path: str) -> None:
    if not isinstance(value, dict):
        found.append(f"{path}: expected map, got {_shown(value)}")
        return
    known = fields(node.type_.model)
    for name, child in value.items():
        if name not in known:
            found.append(f"{path}.{name}: field not declared in schema")
        elif node.kind == "leaf":
            _check(found, Node("leaf", known[name]), child, f"{path}.{name}")
        else:
            _check(found, node.child(name), child, f"{path}.{name}")


def _list(found: list[str], node: Node, value: list[Any], path: str) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(value):
        if node.kind not in ("keyed", "set"):
            inner = node.type_.item or Type("any")
            _check(found, Node("leaf", inner), entry, f"{path}[{index}]")
            continue
        if node.kind == "keyed":
            missing = _missing(node, entry)
            if missing:
                found.append(f"{path}: element {index}: {missing}")
                continue
        key = node.key(entry)
        shown = fieldset.text((key,))
        if key in seen:
            found.append(f"{path}: duplicate entries for key {shown}")
            continue
        seen.add(key)
        _check(found, node.entry(), entry, path + shown)


def _missing(node: Node, entry: Any) -> str:
    if not isinstance(entry, dict):
        return "associative list with keys may not have non-map elements"
    for name, default in node.keys:
        if entry.get(name) is None and default is None:
            return f'associative list with keys has an element that omits key field "{name}" (and doesn\'t have default value)'
    return ""


def _scalar(found: list[str], type_: Type, value: Any, path: str) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type_.shape in _TEXTS and not isinstance(value, str):
        found.append(f"{path}: expected string, got {_shown(value)}")
    elif type_.shape in ("int32", "int64", "float") and not number:
        found.append(f"{path}: expected numeric (int or float), got {_go_type(value)}")
    elif type_.shape == "bool" and not isinstance(value, bool):
        found.append(f"{path}: expected boolean, got {_shown(value)}")
    elif type_.shape in ("quantity", "intorstring") and isinstance(value, dict | list | bool):
        found.append(f"{path}: expected string, got {_shown(value)}")
    elif type_.shape in ("list", "map", "struct"):
        _check(found, Node("leaf", type_), value, path)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = json.dumps(value, ensure_ascii=False)
    return f"&value.valueUnstructured{{Value:{text}}}"


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"
