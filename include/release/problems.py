"""What is wrong with an input, said so that its author can put it right without asking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "risk"]


@dataclass(frozen=True)
class Problem:
    """One finding. ``where`` is ``file:line`` (or the thing that was asked), ``field`` the path in it.

    An error stops the release; a risk is accepted by Kubernetes and printed as a warning.
    """

    where: str
    field: str
    found: str
    expected: str
    fix: str = ""
    severity: Severity = "error"
    why: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}  {self.field}".rstrip(), f"  found:    {self.found}"]
        lines.append(f"  expected: {self.expected}")
        if self.why:
            lines.append(f"  why:      {self.why}")
        if self.fix:
            lines.append(f"  fix:      {self.fix}")
        return "\n".join(lines)

    @property
    def line(self) -> int:
        """The line in ``where``; 0 when it names none."""
        tail = self.where.rpartition(":")[2]
        return int(tail) if tail.isdigit() else 0


def in_a_sentence(problems: Iterable[Problem]) -> str:
    """All of them in one line, each with what to do."""
    found = []
    for each in problems:
        todo = f" (to do: {each.fix})" if each.fix else ""
        found.append(
            f"{f'{each.where} {each.field}'.strip()}: found {each.found}, expected {each.expected}{todo}"
        )
    return "; ".join(found)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """The findings that stop a release."""
    return [problem for problem in problems if problem.severity == "error"]


def risks(problems: Iterable[Problem]) -> list[Problem]:
    """The findings that a release survives, but that somebody should know."""
    return [problem for problem in problems if problem.severity == "risk"]


def listed(problems: Sequence[Problem]) -> str:
    """The findings, numbered, as an operator reads them in a task log."""
    blocks = []
    for number, problem in enumerate(problems, start=1):
        mark = "" if problem.severity == "error" else "[risk] "
        head, *rest = str(problem).splitlines()
        blocks.append(
            "\n".join([f"{number:>2}. {mark}{head}", *("    " + line.removeprefix("  ") for line in rest)])
        )
    return "\n".join(blocks)


@dataclass
class RejectedError(Exception):
    """The input cannot be released. ``problems`` has every finding, not the first; nothing was changed."""

    problems: Sequence[Problem]
    subject: str = "the release"
    changed: str = "Nothing has been changed."

    def __str__(self) -> str:
        count = len(errors(self.problems))
        noun = "problem" if count == 1 else "problems"
        risky = len(self.problems) - count
        also = f" ({risky} more thing{'s' if risky != 1 else ''} worth a look)" if risky else ""
        return f"{count} {noun} in {self.subject}{also}. {self.changed}\n{listed(self.problems)}"
