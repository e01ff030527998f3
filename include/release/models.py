"""From YAML to a model: pydantic's findings, each with file, line, what was found and what is right."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from include.release.fields import shown
from include.release.problems import Problem
from include.release.spec import Strict
from include.release.yamlfile import Document, Keys, path_text

M = TypeVar("M", bound=Strict)

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
}


def validated(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The document as a model, or None and every problem in it."""
    if not isinstance(document.value, dict):
        found = shown(document.value) if document.value is not None else "nothing"
        return None, [Problem(document.where(), "", found, f"a mapping with {', '.join(_required(model))}")]
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        # A union reports each of its members; the first says enough.
        seen: dict[Keys, Problem] = {}
        for each in error.errors(include_url=False):
            problem_keys = _keys(each["loc"], document)
            seen.setdefault(problem_keys, _problem(each, problem_keys, model, document))
        return None, list(seen.values())


def _keys(loc: tuple[int | str, ...], document: Document) -> Keys:
    """The location without the names of union members that pydantic puts behind it."""
    keys: Keys = ()
    for part in loc:
        if (*keys, part) not in document.lines and part is not loc[-1]:
            break
        if part in ("int", "str", "bool") and keys in document.lines:
            break
        keys = (*keys, part)
    return keys


def _problem(error: Any, keys: Keys, model: type[BaseModel], document: Document) -> Problem:
    kind, found, field = error["type"], shown(error.get("input")), path_text(keys)
    where = document.where(keys)
    context = error.get("ctx", {})
    if kind == "missing":
        title = _title(model, keys)
        return Problem(where, field, "nothing", f"{field}: {title}" if title else field, f"add {keys[-1]}:")
    if kind == "extra_forbidden":
        known = _fields(model, keys[:-1])
        close = difflib.get_close_matches(str(keys[-1]), known, n=1, cutoff=0.6)
        fix = f"write {close[0]}: instead" if close else "remove it"
        if not close and " " in str(keys[-1]):
            fix = "quote the value before it: inside { } a comma ends a value"
        return Problem(where, field, f"unknown key {keys[-1]}", f"one of {', '.join(known)}", fix)
    expected = _WANTED.get(kind)
    if expected is None and kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "")
    if expected is None and kind == "string_pattern_mismatch":
        expected = f"text that matches {context['pattern']}"
    fix = ""
    if (
        kind == "string_type"
        and isinstance(error.get("input"), int | float)
        and not isinstance(error.get("input"), bool)
    ):
        fix = f'write "{error["input"]}", with quotes'
    if kind == "int_type" and str(error.get("input")).isdigit():
        fix = f"write {error['input']}, without quotes"
    fix = fix or str(context.get("fix") or "")
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(where, field, found, expected or message[:1].lower() + message[1:], fix)


def _model_at(model: type[BaseModel], keys: Keys) -> type[BaseModel] | None:
    current: Any = model
    for key in keys:
        if isinstance(key, int):
            continue
        info = current.model_fields.get(key) if current else None
        current = _inner(info.annotation) if info else None
    return current  # type: ignore[no-any-return]


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _inner(argument)) is not None:
            return found
    return None


def _fields(model: type[BaseModel], keys: Keys) -> list[str]:
    found = _model_at(model, keys)
    return list(found.model_fields) if found else []


def _title(model: type[BaseModel], keys: Keys) -> str:
    found = _model_at(model, keys[:-1])
    info = found.model_fields.get(str(keys[-1])) if found else None
    return info.title or "" if info else ""


def _required(model: type[BaseModel]) -> list[str]:
    required = [name for name, info in model.model_fields.items() if info.is_required()]
    return required or list(model.model_fields)
