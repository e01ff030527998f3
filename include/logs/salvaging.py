"""A retention file with mistakes in it: which of its volumes are cleaned up all the same.

A mistake in one volume must not stop the others, also where a hold names it. A hold that is wrong may be about any file of the volumes it names
(or of all, when it names none that can be read), so these volumes wait until it is put right. A key that nobody knows may be
the holds, misspelt or in the wrong place: then every volume waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from include.logs.retention import Hold, LogClass, LogRetention, Volume
from include.release.models import validated
from include.release.problems import Problem
from include.release.salvaging import part_of, without, wrong_text
from include.release.yamlfile import Document, Keys, path_text

VOLUMES, HOLDS = "volumes", "holds"
LISTS = (VOLUMES, HOLDS)
Check = Callable[[LogRetention, Document], list[Problem]]
OF_A_HOLD = Hold.model_fields.keys() - LogClass.model_fields.keys() - Volume.model_fields.keys()
"""Keys that tell a hold from what else there is."""


@dataclass(frozen=True)
class Wrong:
    """A part of the file that is not right.

    Attributes:
        name: the volume's, with its line; a hold's case; of what all share, its key.
        problems: what is wrong.
        then: what follows from that.
        volume: the volume's name, where it can be read.
    """

    name: str
    problems: Sequence[Problem]
    then: str
    volume: str = ""

    @property
    def text(self) -> str:
        """For people, on one line."""
        return wrong_text(self.name, self.then, self.problems)


@dataclass(frozen=True)
class Salvaged:
    """What is right, and what is not. ``retention`` is None when no volume is left."""

    retention: LogRetention | None
    wrong: Sequence[Wrong] = ()

    @property
    def text(self) -> str:
        """What is wrong, for people; empty when nothing is."""
        return "\n".join(each.text for each in self.wrong)


def salvage(document: Document, problems: Iterable[Problem], check: Check) -> Salvaged | None:
    """The file without what has a problem; None when it is not to be told what has.

    Args:
        document: the file.
        problems: what is wrong with its YAML; more is found here.
        check: finds what is wrong with a file that is well-formed.
    """
    if not isinstance(document.value, dict) or not isinstance(document.value.get(VOLUMES), list):
        return None
    wrong: list[Wrong] = []
    named = [_name(document, index) for index in range(len(document.value[VOLUMES]))]
    known = {each for each in named if isinstance(each, str)}
    left, pending = document, list(problems)
    while True:
        if not left.value[VOLUMES]:
            return Salvaged(None, wrong)
        value, found = validated(LogRetention, left)
        pending += found if value is None else _but_known(check(value, left), left, known)
        if not pending:
            return Salvaged(value, wrong)
        if may_be_holds(left) or any(each.field in LISTS for each in pending):
            return None
        by_part: dict[Keys, list[Problem]] = {}
        for each in pending:
            part = part_of(left, each.line, LISTS)
            if part is None:
                return None
            by_part.setdefault(part, []).append(each)
        gone = set(by_part)
        for part, said in by_part.items():
            found_wrong, waiting = _wrong(left, part, said, known)
            wrong.append(found_wrong)
            gone |= waiting
        left, pending = without(left, gone, LISTS), []


def may_be_holds(document: Document) -> set[str]:
    """Where the file has a key that nobody knows and that may be the holds: every one that is not a volume's own mistake."""
    try:
        LogRetention.model_validate(document.value)
    except ValidationError as error:
        return {
            path_text(each["loc"])
            for each in error.errors(include_url=False)
            if each["type"] == "extra_forbidden"
            and (each["loc"][0] not in LISTS or _like_holds(str(each["loc"][-1]), each["input"]))
        }
    return set()


def _like_holds(key: str, value: Any) -> bool:
    """Whether a key within a volume is called like holds, or has what only they have."""
    several = value if isinstance(value, list) else [value]
    return "hold" in key.lower() or any(
        isinstance(each, dict) and each.keys() & OF_A_HOLD for each in several
    )


def _but_known(problems: Iterable[Problem], document: Document, known: set[str]) -> list[Problem]:
    """The problems without holds that name a volume of the file which is left out: the hold is right."""
    right = {
        path_text((HOLDS, index, VOLUMES, number))
        for index, hold in enumerate(document.value.get(HOLDS) or [])
        for number, name in enumerate(hold.get(VOLUMES) or [])
        if name in known
    }
    return [each for each in problems if each.field not in right]


def _wrong(
    document: Document, part: Keys, problems: Sequence[Problem], known: set[str]
) -> tuple[Wrong, set[Keys]]:
    """What is wrong, and the volumes that wait for it."""
    if part[0] not in LISTS:
        default = LogRetention.model_fields[str(part[0])].get_default()
        which = f" ({default})" if isinstance(default, str) else ""
        return Wrong(str(part[0]), problems, f"the default counts{which}"), set()
    raw = document.value[part[0]][part[1]]
    facts: dict[str, Any] = raw if isinstance(raw, dict) else {}
    line = document.line(part)
    if part[0] == VOLUMES:
        name = facts.get("name")
        own = name if isinstance(name, str) else ""
        shown = f"{own} (line {line})" if own else f"the volume on line {line}"
        return Wrong(shown, problems, "it is not cleaned up", own), set()
    waiting = _held(document, facts, known)
    names = [str(_name(document, index)) for _, index in sorted(waiting, key=str)]
    case = facts.get("case")
    shown = f"the hold for case {case} (line {line})" if isinstance(case, str) else f"the hold on line {line}"
    return Wrong(shown, problems, f"{', '.join(names) or 'nothing'} is not cleaned up"), waiting


def _held(document: Document, facts: dict[str, Any], known: set[str]) -> set[Keys]:
    """The volumes that a wrong hold may be about."""
    indexes = range(len(document.value[VOLUMES]))
    wanted = facts.get("volumes")
    if (
        isinstance(wanted, list)
        and wanted
        and all(isinstance(each, str) and each in known for each in wanted)
    ):
        return {(VOLUMES, index) for index in indexes if _name(document, index) in wanted}
    return {(VOLUMES, index) for index in indexes}


def _name(document: Document, index: Any) -> Any:
    raw = document.value[VOLUMES][index]
    return (
        raw.get("name") if isinstance(raw, dict) else f"the volume on line {document.line((VOLUMES, index))}"
    )
