"""Strategic merge patch: lists merged by key, and the directives ``$patch``, ``$retainKeys``, ``$setElementOrder``,
``$deleteFromPrimitiveList``.
"""

from __future__ import annotations

import copy
from typing import Any

from include.cluster.errors import ApiError, bad_request
from include.cluster.resources import Resource
from include.cluster.rules.lists import MERGE_KEYS, same_lists
from include.cluster.rules.model import Type, fields

Object = dict[str, Any]

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"
_ANY = Type("any")


def strategic_merge(resource: Resource, obj: Object, patch: Any) -> Object:
    """A copy of the object with a strategic merge patch applied.

    Raises:
        ApiError: 400 or 422 for a patch whose directives make no sense.
    """
    if not isinstance(patch, dict):
        if patch is None:
            return copy.deepcopy(obj)
        kind = {list: "array", str: "string", bool: "bool"}.get(type(patch), "number")
        raise bad_request(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    return _struct(resource.model, obj, patch)


def _types(model: str) -> dict[str, Type]:
    return fields(model) if model else {}


def _struct(model: str, live: Object, patch: Object) -> Object:
    directive = patch.get("$patch")
    if directive == "replace":
        return _clean_struct(patch)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type: {directive}")
    result = _pruned(live, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _field(model, result, key, value, patch.get(_ORDER + key))
    for key, order in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and isinstance(result.get(name), list):
            result[name] = _ordered(result[name], order, _key(model, name) or "", result[name])
    return result


def _pruned(live: Object, patch: Object) -> Object:
    """A copy of live without what the patch's directives drop."""
    result = copy.deepcopy(live)
    retained = patch.get("$retainKeys")
    if retained is not None:
        stray = [key for key in patch if key not in retained and key not in ("$retainKeys", "$patch")]
        if stray:
            raise bad_request("$retainKeys list doesn't contain all the keys present in the patch")
        result = {key: value for key, value in result.items() if key in retained}
    for key in patch:
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            result[name] = [value for value in result.get(name) or [] if value not in patch[key]]
    return result


def _key(model: str, name: str) -> str | None:
    return MERGE_KEYS.get((same_lists(model), name))


def _field(model: str, result: Object, name: str, value: Any, order: Any) -> None:
    if value is None:
        result.pop(name, None)
        return
    type_ = _types(model).get(name, _ANY)
    live = result.get(name)
    if isinstance(value, dict):
        if value.get("$patch") == "delete":
            result.pop(name, None)
        elif type_.shape == "struct" and isinstance(live, dict):
            result[name] = _struct(type_.model, live, value)
        elif isinstance(live, dict) and type_.shape in ("map", "any"):
            result[name] = _struct("", live, value)
        else:
            result[name] = _struct(type_.model, {}, value)
        return
    key = _key(model, name)
    if isinstance(value, list) and key is not None:
        item = type_.item or _ANY
        result[name] = _list(item.model, key, live if isinstance(live, list) else [], value, order)
        return
    result[name] = _clean(value)


def _list(model: str, key: str, live: list[Any], patch: list[Any], order: Any) -> list[Any]:
    if not key:
        merged = [*live, *(value for value in patch if value not in live)]
        # Without an order the values keep the live one's; new ones are appended.
        return _ordered(merged, order, "", live) if order is not None else merged
    directives = [entry for entry in patch if isinstance(entry, dict) and "$patch" in entry]
    if any(entry["$patch"] == "replace" for entry in directives):
        return [_clean(entry) for entry in patch if entry.get("$patch") != "replace"]
    gone = [_key_of(entry, key) for entry in directives if entry["$patch"] == "delete"]
    result = [entry for entry in live if not (isinstance(entry, dict) and entry.get(key) in gone)]
    mentioned: list[Any] = []
    for entry in patch:
        if isinstance(entry, dict) and entry.get("$patch") == "delete":
            continue
        value = _key_of(entry, key)
        mentioned.append({key: value})
        at = next((index for index, one in enumerate(result) if one.get(key) == value), None)
        if at is None:
            result.append(_struct(model, {}, entry))
        else:
            result[at] = _struct(model, result[at], entry)
    return _ordered(result, order if order is not None else mentioned, key, live)


def _key_of(entry: Any, key: str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        # As Kubernetes answers: a 500 without a reason.
        raise ApiError(500, "", f"map: {_shown(entry)} does not contain declared merge key: {key}")
    return entry[key]


def _shown(entry: Any) -> str:
    if isinstance(entry, dict):
        return "map[" + " ".join(f"{name}:{_shown(value)}" for name, value in sorted(entry.items())) + "]"
    return str(entry)


def _ordered(items: list[Any], order: list[Any], key: str, live: list[Any]) -> list[Any]:
    """The items that the patch names in its order, among those that only live has.

    One that only live has goes before a named one if it stood before it in the live list, else after.
    """

    def place(item: Any, among: list[Any]) -> int:
        value = item.get(key) if key else item
        found = [one.get(key) if key else one for one in among]
        return found.index(value) if value in found else -1

    named = sorted((item for item in items if place(item, order) >= 0), key=lambda item: place(item, order))
    rest = [item for item in items if place(item, order) < 0]
    result: list[Any] = []
    for item in named:
        while rest and place(rest[0], live) < place(item, live):
            result.append(rest.pop(0))
        result.append(item)
    return [*result, *rest]


def _clean_struct(value: Object) -> Object:
    return {key: _clean(one) for key, one in value.items() if one is not None and not key.startswith("$")}


def _clean(value: Any) -> Any:
    """A copy without directives and nulls, for parts of a patch that become live as they are."""
    if isinstance(value, dict):
        return _clean_struct(value)
    if isinstance(value, list):
        return [_clean(one) for one in value if not (isinstance(one, dict) and one.get("$patch") == "delete")]
    return copy.deepcopy(value)
