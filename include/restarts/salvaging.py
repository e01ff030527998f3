"""A guards file with mistakes in it: which of its guards are right all the same.

A mistake in one guard must not disarm the others: whoever makes it has that one in mind, and the others' restarts do not
wait until it is found. What is wrong is told to people, by ``guards_alive``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from include.release.models import validated
from include.release.problems import Problem
from include.release.salvaging import part_of, without, wrong_text
from include.release.yamlfile import Document, Keys
from include.restarts.guards import Guard, Guards

GUARDS = "guards"
LISTS = (GUARDS,)
Check = Callable[[Guards, Document], list[Problem]]


@dataclass(frozen=True)
class Wrong:
    """A guard that is not configured right, or what all guards share.

    Args:
        name: the guard's, with its line; of what all share, its key.
        environment: the guard's, as written; empty when there is none.
        problems: what is wrong.
        guard: what of it is right, when that is enough to re-arm it: a mistake must not take away the way back.
    """

    name: str
    environment: str
    problems: Sequence[Problem]
    guard: Guard | None = None

    @property
    def text(self) -> str:
        """For people, on one line."""
        then = "the default counts" if self.name in Guards.model_fields else "nothing watches"
        return wrong_text(self.name, then, self.problems)


@dataclass(frozen=True)
class Salvaged:
    """The guards that are right, and what is not."""

    guards: Guards
    wrong: Sequence[Wrong] = ()

    @property
    def text(self) -> str:
        """What is wrong, for people; empty when nothing is."""
        return "\n".join(each.text for each in self.wrong)


def salvage(document: Document, problems: Iterable[Problem], check: Check) -> Salvaged | None:
    """The guards without those that have a problem; None when it is not to be told which of them have.

    Args:
        document: the file.
        problems: what is wrong with its YAML; more is found here.
        check: finds what is wrong with guards that are well-formed.
    """
    if not isinstance(document.value, dict) or not isinstance(document.value.get(GUARDS), list):
        return None
    wrong: list[Wrong] = []
    left, pending = document, list(problems)
    while True:
        value, found = validated(Guards, left)
        pending += found if value is None else check(value, left)
        if not pending:
            # `value` is there: without one there are problems.
            return Salvaged(value, wrong) if value is not None else None
        parts = {part_of(left, each.line, LISTS) for each in pending}
        if None in parts:
            return None
        for part in parts:
            if part is not None:
                wrong.append(
                    _wrong(left, part, [each for each in pending if part_of(left, each.line, LISTS) == part])
                )
        left, pending = without(left, {part for part in parts if part is not None}, LISTS), []


def _wrong(document: Document, part: Keys, problems: Sequence[Problem]) -> Wrong:
    if part[0] != GUARDS:
        return Wrong(str(part[0]), "", problems)
    raw = document.value[GUARDS][part[1]]
    facts: dict[str, Any] = raw if isinstance(raw, dict) else {}
    name = facts.get("name")
    line = document.line(part)
    said = f"{name} (line {line})" if isinstance(name, str) and name else f"the guard on line {line}"
    return Wrong(said, str(facts.get("environment") or ""), problems, _to_rearm(facts))


def _to_rearm(facts: dict[Any, Any]) -> Guard | None:
    """A guard of what is right in an entry; None when it is not clear what a re-arm would have to do.

    That is when the upstream or the payments may be what is wrong: neither asking nor releasing may be left out unsaid.
    """
    known = {key: facts.get(key) for key in ("name", "environment", "deployment")} | {
        "title": facts.get("name")
    }
    if any(key not in Guard.model_fields and isinstance(value, dict) for key, value in facts.items()):
        return None
    for key in [each for each in Guard.model_fields if each in facts]:
        try:
            Guard.model_validate({**known, key: facts[key]})
        except ValidationError:
            if key in ("upstream", "payments"):
                return None
        else:
            known[key] = facts[key]
    try:
        return Guard.model_validate(known)
    except ValidationError:
        return None
