"""Reading YAML that people write: strict, with the line of every value, and safe on hostile files.

Refused with the line: duplicate keys, anchors and aliases (a few of them expand to gigabytes), tags, keys
that are no text, deep nesting. Only ``true``, ``false``, ``null`` and plain decimal numbers are anything
but text: ``yes``, ``on`` and ``0644`` stay what was written (the traps of YAML 1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from include.release.problems import Problem, RejectedError

MAX_BYTES = 512 * 1024
"""A release is stored whole in a ConfigMap, which Kubernetes limits to 1 MiB; half leaves room for what is resolved."""
MAX_DEPTH = 40

Keys = tuple[str | int, ...]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Document:
    """One YAML document: its value and the line (from 1) of every key or item in it."""

    name: str
    value: Any = None
    lines: dict[Keys, int] = field(default_factory=dict)

    def line(self, keys: Keys) -> int:
        """The line of a value; of the nearest thing around it, if it is not there."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def where(self, keys: Keys = ()) -> str:
        """``file:line`` of a value."""
        return f"{self.name}:{self.line(keys)}"


def path_text(keys: Keys) -> str:
    """``spec.containers[0].image`` for the keys of a value."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else key)
    return text


def read_text(path: Path, name: str) -> str:
    """The text of a file that people write. Raises RejectedError when it is absent, too large or not text."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        problem = Problem(
            name,
            "",
            error.strerror or str(error),
            "a readable YAML file",
            "check the name and the file's mode",
        )
        raise RejectedError([problem], subject=name) from None
    if size > MAX_BYTES:
        found, fix = f"{size:,} bytes", "is this the right file? logs and data do not belong in it"
        raise RejectedError([Problem(name, "", found, f"at most {MAX_BYTES:,} bytes", fix)], subject=name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise RejectedError(
            [Problem(f"{name}:{line}", "", found, "UTF-8 text", "save it as UTF-8")], subject=name
        ) from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise RejectedError(
            [Problem(f"{name}:{line}", "", "a NUL byte", "text, not a binary file")], subject=name
        )
    return text


def parse(text: str, name: str) -> tuple[list[Document], list[Problem]]:
    """Every document of a text, and what is wrong with its YAML."""
    return _Builder(name).build(text)


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []

    def build(self, text: str) -> tuple[list[Document], list[Problem]]:
        documents: list[Document] = []
        try:
            events = iter(yaml.parse(text, Loader=_LOADER))
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    document = Document(self.name)
                    document.value = self.value(next(events), events, document, ())
                    documents.append(document)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            reason = " ".join(part for part in (error.context, error.problem) if part)
            self.say(
                line,
                "",
                f"no YAML: {reason} (column {column})",
                "well-formed YAML",
                "check indentation, quotes, colons",
            )
        except yaml.YAMLError as error:
            self.say(1, "", f"no YAML: {error}", "well-formed YAML")
        except _TooDeepError as error:
            fix = "a release needs about fifteen; is a bracket left open?"
            self.say(error.line, "", f"more than {MAX_DEPTH} levels of nesting", "a flatter file", fix)
        return documents, self.problems

    def say(self, line: int, keys: str, found: str, expected: str, fix: str = "") -> None:
        self.problems.append(Problem(f"{self.name}:{line}", keys, found, expected, fix))

    def value(self, event: yaml.Event, events: Iterator[yaml.Event], document: Document, keys: Keys) -> Any:
        line = _line(event)
        document.lines.setdefault(keys, line)
        if len(keys) > MAX_DEPTH:
            raise _TooDeepError(line)
        self.refuse_indirection(event, line, keys)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, document, keys)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, document, keys)
        return None  # an alias, refused above

    def refuse_indirection(self, event: yaml.Event, line: int, keys: Keys) -> None:
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            self.say(
                line, path_text(keys), f"alias *{anchor}", "the value itself", "write the value out here"
            )
        elif anchor:
            self.say(line, path_text(keys), f"anchor &{anchor}", "a value without an anchor", "remove it")
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            self.say(line, path_text(keys), f"tag {tag}", "a plain value", "remove the tag")

    def sequence(self, events: Iterator[yaml.Event], document: Document, keys: Keys) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.value(event, events, document, (*keys, len(items))))
        return items

    def mapping(self, events: Iterator[yaml.Event], document: Document, keys: Keys) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            key = self.key(event, events, line, keys)
            if key in result:
                found = f"the key {key!r} again (first on line {first_lines[key]})"
                self.say(line, path_text((*keys, key)), found, "each key once", "remove one of the two")
            else:
                document.lines[(*keys, key)] = line
                first_lines[key] = line
            value = self.value(next(events), events, document, (*keys, key))
            result.setdefault(key, value)
        return result

    def key(self, event: yaml.Event, events: Iterator[yaml.Event], line: int, keys: Keys) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self.refuse_indirection(event, line, keys)
            return str(event.value)
        self.value(event, events, Document(self.name), keys)  # read past it
        self.say(line, path_text(keys), "a key that is no text", "text as a key", "use a short name")
        return f"(line {line})"


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.style in ("'", '"', "|", ">") or not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > 18:  # no number a spec has; int() of thousands of digits raises
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
