"""Patterns of paths below the root, as one regular expression for all classes.

``*`` and ``?`` stay within one part of the path, ``**`` crosses directories (``a/**/b`` is ``a/b`` as well),
``[a-z]`` and ``[!a-z]`` are one character. Everything else stands for itself, and the whole path must match.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Dict, FrozenSet, List, Match, NamedTuple, Optional, Pattern, Sequence, Tuple

_LITERAL = re.compile(r"[^*?\[]*")
_NAME = re.compile(
    r"\*\*/((?:[^][*/]|\*(?!\*)|\[!?(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_])+\])+)", re.DOTALL
)
"""A glob that is about names alone, in any directory: nothing of it can match a ``/``."""


def pattern(glob: str) -> str:
    """A glob as a regular expression, over a path as ``os.fsdecode`` has it."""
    text = os.fsdecode(glob.encode("utf-8", "surrogateescape"))
    found, at = "", 0
    while at < len(text):
        char = text[at]
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            found, at = found + "(?:.*/)?", at + 3
        elif text.startswith("**", at):
            found, at = found + ".*", at + 2
        elif char == "*":
            found, at = found + "[^/]*", at + 1
        elif char == "?":
            found, at = found + "[^/]", at + 1
        elif char == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inner = (
                "^/" + inner[1:]
                if inner[0] == "!"
                else inner.replace("^", "\\^", 1 if inner[0] == "^" else 0)
            )
            found, at = found + f"[{inner}]", end + 1
        else:
            found, at = found + re.escape(char), at + 1
    return found


def compiled(groups: Sequence[Sequence[str]]) -> Pattern[str]:
    """One expression for several groups of globs; ``match(...).lastindex`` counts the group from 1.

    The first group that matches wins. Raises re.error for a range that makes no sense, such as ``[z-a]``.
    """
    parts = ("(" + "|".join(pattern(glob) for glob in globs) + r")\Z" for globs in groups)
    return re.compile("|".join(parts) or r"(?!)", re.DOTALL)


class Within(NamedTuple):
    """An expression for the files of one directory.

    ``match`` takes ``head`` + a name; ``groups`` has the number, from 0, of the group that its ``lastindex`` counts.
    ``match`` is None where no group can match.
    """

    match: Optional[Callable[[str], Optional[Match[str]]]]
    head: str
    groups: Sequence[int]


class Directories:
    """Groups of globs cut down to those that can match in a directory: what a directory decides is not asked of each file."""

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self._groups = groups
        beginnings = {_beginning(glob) for globs in groups for glob in globs}
        self._beginnings = sorted(beginnings)
        self._known: Dict[Tuple[str, ...], Tuple[List[int], bool, Pattern[str]]] = {}

    def within(self, prefix: str) -> Within:
        """For a directory: its path below the root as ``os.fsdecode`` has it, with a ``/`` at its end, or nothing."""
        possible = tuple(
            [each for each in self._beginnings if prefix.startswith(each) or each.startswith(prefix)]
        )
        known = self._known.get(possible)
        if known is None:
            known = self._known[possible] = self._cut_down(frozenset(possible))
        numbers, names, found = known
        return Within(found.match if numbers else None, "" if names else prefix, numbers)

    def _cut_down(self, possible: FrozenSet[str]) -> Tuple[List[int], bool, Pattern[str]]:
        """The groups that are left, whether names alone decide, and the expression."""
        left = [[glob for glob in globs if _beginning(glob) in possible] for globs in self._groups]
        numbers = [number for number, globs in enumerate(left) if globs]
        some = [left[number] for number in numbers]
        names = all(_NAME.fullmatch(glob) for globs in some for glob in globs)
        return numbers, names, compiled([[glob[3:] for glob in globs] for globs in some] if names else some)


def _beginning(glob: str) -> str:
    """What every path that a glob matches begins with."""
    found = _LITERAL.match(glob)
    return os.fsdecode((found.group() if found else "").encode("utf-8", "surrogateescape"))
