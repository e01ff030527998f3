"""Reading what a step of the program answered: its log's last line, which anybody may have written."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

MARK = "SUMMARY "
MOST = 48 * 1024
"""Characters of the data at most; the program writes 32 KiB."""
DEPTH = 12
HELD, NO_SPACE = 3, 4
"""Exit codes: another run holds the volume; the volume filled up while archiving."""


class SummaryError(ValueError):
    """The last line is no answer; the text says what it is instead."""


@dataclass(frozen=True)
class Answer:
    """What a step answered.

    Attributes:
        command: the step.
        facts: the data of its SUMMARY line.
        where: what ran it, for a reader: ``Job ... in namespace ...``.
        seconds: how long it was waited for.
        exit_code: of the program; 0 when it is done.
    """

    command: str
    facts: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    seconds: float = 0.0
    exit_code: int = 0

    @property
    def done_before(self) -> bool:
        """Whether this run had finished the step before, and this is the answer of then."""
        return self.facts.get("done_before") is True

    def as_dict(self) -> dict[str, Any]:
        """For an XCom; ``Answer(**value)`` reads it."""
        return {
            "command": self.command,
            "facts": self.facts,
            "where": self.where,
            "seconds": round(self.seconds, 1),
            "exit_code": self.exit_code,
        }


class StepError(Exception):
    """A step ended without having done its work; the text is for on-call.

    Attributes:
        exit_code: of the program; None when it did not end by itself.
        facts: what it answered all the same: ``holder`` with exit code 3.
    """

    def __init__(self, text: str, exit_code: int | None = None, facts: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.exit_code, self.facts = exit_code, facts or {}

    @property
    def holder(self) -> dict[str, str]:
        """Who holds the volume, of the keys run, since and link; empty when that is not why it failed."""
        found = self.facts.get("holder")
        if self.exit_code != HELD or not isinstance(found, dict):
            return {}
        return {key: str(found.get(key) or "")[:500] for key in ("run", "since", "link")}

    @property
    def working(self) -> bool:
        """Whether a step of the holder works at this very moment."""
        found = self.facts.get("holder")
        return isinstance(found, dict) and found.get("working") is True


def read_summary(lines: Sequence[str], command: str) -> dict[str, Any]:
    """The data of a step's last line.

    Raises:
        SummaryError: there is none, it is too long or no JSON object, or it is another command's.
    """
    line = next((each for each in reversed(lines) if each.strip()), "")
    if not line.startswith(MARK):
        shown = line if len(line) <= 200 else line[:200] + "..."
        raise SummaryError(
            f"its last line is {shown!r}, not SUMMARY and its data" if line else "it wrote nothing"
        )
    text = line[len(MARK) :]
    if len(text) > MOST:
        raise SummaryError(f"its SUMMARY has {len(text):,} characters, more than {MOST:,}")
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SummaryError(f"its SUMMARY is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise SummaryError(f"its SUMMARY is no JSON object: {text[:80]}")
    if found.get("command") != command:
        raise SummaryError(f"its SUMMARY is of command {found.get('command')!r}, not {command}")
    clean: dict[str, Any] = _clean(found, 0)
    return clean


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _clean(value: Any, depth: int) -> Any:
    """The value with nothing in it that a terminal or a database takes amiss."""
    if depth > DEPTH:
        raise SummaryError(f"its SUMMARY is nested more than {DEPTH} deep")
    if isinstance(value, str):
        return "".join(
            char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in value
        )
    if isinstance(value, dict):
        return {str(_clean(key, depth + 1)): _clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_clean(each, depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):  # 1e999
        raise SummaryError("its SUMMARY has a number without end")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63:
        raise SummaryError("its SUMMARY has a number that nothing here can count")
    return value
