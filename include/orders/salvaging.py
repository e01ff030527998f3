"""Files of order processing with mistakes in them: what counts all the same, so that no mistake stops the orders.

What says whose orders are processed, and by what, has to be right. Of the rest a part that is wrong is left out: its
default counts until it is put right, and people are told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from include.orders.codes import Meaning, OrderErrors
from include.orders.config import Orders
from include.release.models import validated
from include.release.problems import Problem
from include.release.salvaging import without
from include.release.yamlfile import Document, Keys

ALARM = {"count": 960, "oldest_minutes": 120}
"""Where the file does not say it: what the processor of release 2 gets done in an hour, and two runs."""
_THEN = {
    "schedule": "a batch starts every hour and the look comes every 5 minutes",
    "capacity": "the capacity facts of the live release count",
    "alarm": f"the alert is raised above {ALARM['count']} orders or {ALARM['oldest_minutes']} minutes",
    "errors": "the defaults count",
    "messages": "the defaults count",
    "tell": "the environment's list is told",
}
_IDENTITY = Orders.model_fields.keys() - _THEN.keys()
CODES, FAULTS, UNKNOWN = "codes", "faults", "unknown"
_LISTS = (CODES, FAULTS)
_ENTRY = re.compile(rf"({CODES}|{FAULTS})\[(\d+)\]")
NOBODY_KNOWS = Meaning(
    name="unknown error",
    meaning="Nobody has written down what this means.",
    restart_helps=True,
    what_to_do="Find out what it means, and add it to include/config/order_errors.yaml.",
)


@dataclass(frozen=True)
class Wrong:
    """A part of a file that is not right.

    Args:
        name: the part.
        then: what counts in its place.
        problems: what is wrong.
    """

    name: str
    then: str
    problems: Sequence[Problem]

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name}: until this is put right, {self.then}.\n{said(self.problems)}"


def said(problems: Iterable[Problem]) -> str:
    """Problems for people, one on a line: where, what was found, what was expected, what to do."""
    return "\n".join(_said(each) for each in problems)


def _said(each: Problem) -> str:
    fix = f" To do: {each.fix}." if each.fix else ""
    return f"{f'{each.where} {each.field}'.strip()}: found {each.found}; expected {each.expected}.{fix}"


def salvage_orders(
    document: Document, problems: Iterable[Problem], check: Callable[[Orders, Document], list[Problem]]
) -> tuple[Orders, list[Wrong]] | None:
    """How orders are processed all the same; None when it is not to be told whose, or by what.

    Args:
        document: the file.
        problems: what is wrong with its YAML; more is found here.
        check: finds what is wrong with a file that is well-formed.
    """
    if not isinstance(document.value, dict):
        return None
    wrong: dict[str, Wrong] = {}
    left, pending = document, list(problems)
    while True:
        value, found = validated(Orders, left)
        pending += found if value is None else check(value, left)
        if not pending:
            return (value, list(wrong.values())) if value is not None else None
        by_part: dict[str, list[Problem]] = {}
        for each in pending:
            by_part.setdefault(_part(each), []).append(each)
        for part, these in by_part.items():
            name = "capacity" if part == "errors" and part in wrong else part
            if not name or name in _IDENTITY or name in wrong or _may_be_identity(these):
                return None
            wrong[name] = Wrong(name, _THEN.get(name, "it is left out"), these)
            left = _without(left, name)
        pending = []


def _part(problem: Problem) -> str:
    return re.split(r"[.\[]", problem.field, maxsplit=1)[0]


def _may_be_identity(problems: Iterable[Problem]) -> bool:
    """Whether a key that nobody knows may be one of them, misspelt."""
    return any(each.fix in {f"write {name}: instead" for name in _IDENTITY} for each in problems)


def _without(document: Document, name: str) -> Document:
    left = without(document, {(name,)}, ())
    return replace(left, value=left.value | {"alarm": dict(ALARM)}) if name == "alarm" else left


def salvage_errors(
    document: Document | None,
    problems: Sequence[Problem],
    check: Callable[[OrderErrors, Document], list[Problem]],
) -> tuple[OrderErrors, list[Wrong]]:
    """What errors mean all the same: one whose entry is wrong is an unknown one.

    Args:
        document: the file; None when it cannot be read.
        problems: what is wrong with its YAML; more is found here.
        check: finds what is wrong with a file that is well-formed.
    """
    wrong: list[Wrong] = []
    left, pending = document, list(problems)
    while left is not None and isinstance(left.value, dict):
        value, found = validated(OrderErrors, left)
        pending += found if value is None else check(value, left)
        if value is not None and not pending:
            return value, wrong
        parts: dict[Keys, list[Problem]] = {}
        for each in pending:
            parts.setdefault(_keys(each), []).append(each)
        if () in parts or any(keys == (UNKNOWN,) and _is_default(left) for keys in parts):
            break
        wrong += [_wrong_errors(left, keys, these) for keys, these in parts.items()]
        left, pending = without(left, set(parts), _LISTS), []
        if (UNKNOWN,) in parts:
            left = replace(left, value=left.value | {UNKNOWN: NOBODY_KNOWS.model_dump()})
    everything = Wrong("every code and fault", "each error is an unknown one", pending)
    return OrderErrors(unknown=NOBODY_KNOWS), [everything]


def _keys(problem: Problem) -> Keys:
    entry = _ENTRY.match(problem.field)
    if entry:
        return entry[1], int(entry[2])
    return (_part(problem),) if _part(problem) else ()


def _is_default(document: Document) -> bool:
    return bool(document.value.get(UNKNOWN) == NOBODY_KNOWS.model_dump())


def _wrong_errors(document: Document, keys: Keys, problems: Sequence[Problem]) -> Wrong:
    if len(keys) == 1:
        then = (
            "an unknown one goes to the developers, after a restart"
            if keys == (UNKNOWN,)
            else "it is left out"
        )
        return Wrong(str(keys[0]), then, problems)
    raw: Any = document.value[keys[0]][keys[1]]
    known = (raw.get("code") or raw.get("name")) if isinstance(raw, dict) else None
    name = f"{str(keys[0]).removesuffix('s')} {known}" if isinstance(known, str) else f"an entry of {keys[0]}"
    return Wrong(f"{name} (line {document.line(keys)})", "this is an unknown error", problems)
