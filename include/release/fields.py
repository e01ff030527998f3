"""Do the fields of a manifest exist, and have they the right type? Judged by the Kubernetes client's own models."""

from __future__ import annotations

import difflib
import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from include.release.yamlfile import Keys

_LIST = re.compile(r"list\[(.+)\]")
_DICT = re.compile(r"dict[\[(]str, (.+)[\])]")
_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "datetime": "a time",
}


@dataclass(frozen=True)
class FieldFinding:
    """A field that is not there or has the wrong type."""

    keys: Keys
    found: str
    expected: str
    fix: str


@cache
def _models() -> Any:
    # Loaded on use: the package takes more than a second, and only the first task of a release needs it.
    return importlib.import_module("kubernetes.client")


def check_fields(value: Any, model: str, keys: Keys = ()) -> tuple[Any, list[FieldFinding]]:
    """The value with misspelt names put right (so that the checks after it go on), and what was found.

    Args:
        value: a manifest or a part of it.
        model: class of the Kubernetes client that describes it (``V1Deployment``).
        keys: where the value is in its file.
    """
    findings: list[FieldFinding] = []
    return _walk(value, model, keys, findings), findings


def _walk(value: Any, kind: str, keys: Keys, findings: list[FieldFinding]) -> Any:
    if value is None or kind == "object":
        return value
    if found := _LIST.fullmatch(kind):
        return _list(value, found[1], keys, findings)
    if found := _DICT.fullmatch(kind):
        return _dict(value, found[1], keys, findings)
    if kind == "datetime":
        return value
    if kind in _PLAIN:
        return _plain(value, kind, keys, findings)
    model = getattr(_models(), kind)
    if not model.openapi_types:
        return value
    return _model(value, model, keys, findings)


def _list(value: Any, item: str, keys: Keys, findings: list[FieldFinding]) -> Any:
    if not isinstance(value, list):
        findings.append(FieldFinding(keys, shown(value), "a list", "begin each item with '- '"))
        return []
    return [_walk(each, item, (*keys, index), findings) for index, each in enumerate(value)]


def _dict(value: Any, item: str, keys: Keys, findings: list[FieldFinding]) -> Any:
    if not isinstance(value, dict):
        findings.append(FieldFinding(keys, shown(value), "a mapping of names to values", ""))
        return {}
    if keys and keys[-1] in ("requests", "limits", "hard"):
        return value  # quantities may be numbers as well; checked as quantities
    return {key: _walk(each, item, (*keys, key), findings) for key, each in value.items()}


def _plain(value: Any, kind: str, keys: Keys, findings: list[FieldFinding]) -> Any:
    right = isinstance(value, _PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))
    if not right:
        fix = (
            f'write "{_yaml_word(value)}", with quotes'
            if kind == "str" and isinstance(value, int | float)
            else ""
        )
        if kind == "int" and isinstance(value, str) and value.isdigit():
            fix = f"write {value}, without quotes"
        findings.append(FieldFinding(keys, shown(value), _WORDS[kind], fix))
    return value


def _model(value: Any, model: Any, keys: Keys, findings: list[FieldFinding]) -> Any:
    if not isinstance(value, dict):
        findings.append(FieldFinding(keys, shown(value), "a mapping of names to values", ""))
        return {}
    types = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    result: dict[str, Any] = {}
    for key, each in value.items():
        name = key if key in types else _right_name(key, types, value)
        if name != key:
            fix = f"write {name}: instead of {key}:" if name else "remove it"
            expected = name or f"one of {', '.join(sorted(types))}"
            findings.append(FieldFinding((*keys, key), f"{key} (no such field)", expected, fix))
        if name:
            result[name] = _walk(each, types[name], (*keys, key), findings)
    return result


def _right_name(key: str, types: dict[str, str], value: dict[str, Any]) -> str:
    plain = key.replace("_", "").replace("-", "").lower()
    for name in types:
        if name.lower() == plain and name not in value:
            return name
    close = difflib.get_close_matches(key, [name for name in types if name not in value], n=1, cutoff=0.8)
    return close[0] if close else ""


def shown(value: Any) -> str:
    """A value as an error names it: short, with its kind."""
    if isinstance(value, bool) or value is None:
        return _yaml_word(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"the number {value}"


def _yaml_word(value: Any) -> str:
    return (
        {True: "true", False: "false", None: "nothing"}[value]
        if isinstance(value, bool | None)
        else str(value)
    )
