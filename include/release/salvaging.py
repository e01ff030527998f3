"""The parts of a YAML file that a mistake is in, and the file without them: one mistake must not disarm the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from include.release.problems import Problem
from include.release.yamlfile import Document, Keys


def wrong_text(name: str, then: str, problems: Iterable[Problem]) -> str:
    """On one line for people: what is wrong with a part, what follows from that, and what to do."""
    return f"{name}: {then} until this is put right: {' '.join(_said(each) for each in problems)}"


def _said(each: Problem) -> str:
    fix = f" To do: {each.fix}." if each.fix else ""
    return f"{f'{each.where} {each.field}'.strip()}: {each.found}; expected {each.expected}.{fix}"


def part_of(document: Document, line: int, lists: Collection[str]) -> Keys | None:
    """The entry of one of the ``lists``, or the key beside them, in which a line is; None when that cannot be told."""
    starts = [
        (each, keys)
        for keys, each in document.lines.items()
        if (len(keys) == 1 and keys[0] not in lists) or (len(keys) == 2 and keys[0] in lists)
    ]
    before = [(each, keys) for each, keys in starts if each <= line]
    begun = max((each for each, _ in before), default=0)
    # Two of them on one line cannot be told apart.
    found = [keys for each, keys in before if each == begun]
    heads = {document.lines.get((name,)) for name in lists}
    return found[0] if len(found) == 1 and line not in heads else None


def without(document: Document, parts: Collection[Keys], lists: Collection[str]) -> Document:
    """The document without these parts; every other value keeps its line."""
    value = {key: each for key, each in document.value.items() if (key,) not in parts}
    numbers: dict[str, dict[int, int]] = {}
    for name in lists:
        entries = value.get(name)
        if isinstance(entries, list):
            stay = [index for index in range(len(entries)) if (name, index) not in parts]
            numbers[name] = {old: new for new, old in enumerate(stay)}
            value[name] = [entries[index] for index in stay]
    lines: dict[Keys, int] = {}
    for keys, line in document.lines.items():
        head = keys[0] if keys else None
        if len(keys) >= 2 and head in numbers:
            if keys[1] in numbers[str(head)]:
                lines[(str(head), numbers[str(head)][int(keys[1])], *keys[2:])] = line
        elif keys[:1] not in parts:
            lines[keys] = line
    return replace(document, value=value, lines=lines)
