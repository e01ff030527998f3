"""Which files two patterns have in common: whether a class can ever be reached, and where two are at odds.

A glob is a small automaton, so both questions have an exact answer; each comes with a path as an example. The
meaning of a glob is that of ``include.logs.program.globs``, which decides when files are looked at.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from include.logs.program.globs import pattern

Test = Callable[[str], bool]


class TooIntricateError(ValueError):
    """The patterns would take too long to compare."""


MOST = 5_000
"""Pairs of states that are looked at."""
OTHER = "xyzqjkwvu0123456789"
"""For "some other character": the first that no pattern names."""


@dataclass
class _Automaton:
    """States are numbers; ``moves`` are by a character, ``skips`` by none."""

    moves: list[list[tuple[Test, int]]] = field(default_factory=list)
    skips: list[list[int]] = field(default_factory=list)
    starts: set[int] = field(default_factory=set)
    ends: set[int] = field(default_factory=set)
    named: set[str] = field(default_factory=set)

    def state(self) -> int:
        self.moves.append([])
        self.skips.append([])
        return len(self.moves) - 1

    def closed(self, states: Iterable[int]) -> frozenset[int]:
        found = set(states)
        left = list(found)
        while left:
            for other in self.skips[left.pop()]:
                if other not in found:
                    found.add(other)
                    left.append(other)
        return frozenset(found)

    def after(self, states: frozenset[int], char: str) -> frozenset[int]:
        return self.closed(other for each in states for test, other in self.moves[each] if test(char))

    def accepts(self, states: frozenset[int]) -> bool:
        return not self.ends.isdisjoint(states)


def example_in_both(first: Sequence[str], second: Sequence[str]) -> str | None:
    """A path that a glob of either list matches; None when there is none. Raises TooIntricateError."""
    return _search(first, second, lambda one, two: one and two)


def example_in_first_only(first: Sequence[str], second: Sequence[str]) -> str | None:
    """A path that a glob of the first list matches and none of the second; None when there is none.

    Raises TooIntricateError.
    """
    return _search(first, second, lambda one, two: one and not two)


def bad_range(glob: str) -> bool:
    """Whether it has a range that makes no sense, such as ``[z-a]``."""
    try:
        re.compile(pattern(glob))
    except re.error:
        return True
    return False


def _search(first: Sequence[str], second: Sequence[str], wanted: Callable[[bool, bool], bool]) -> str | None:
    """The shortest path for which what the two sides accept is as wanted."""
    one, two = _automaton(first), _automaton(second)
    letters = sorted(one.named | two.named | {"/"})
    letters.insert(0, next(char for char in [*OTHER, "\ue000"] if char not in letters))
    begin = (one.closed(one.starts), two.closed(two.starts))
    seen = {begin}
    left = deque([(begin, "")])
    while left:
        if len(seen) > MOST:
            raise TooIntricateError(f"{' '.join(first)} and {' '.join(second)}")
        (states, others), path = left.popleft()
        if path and wanted(one.accepts(states), two.accepts(others)):
            return path
        for char in letters:
            if char == "/" and (not path or path.endswith("/")):
                continue  # no path begins with a slash, or has two in a row
            after = (one.after(states, char), two.after(others, char))
            if after[0] and after not in seen:
                seen.add(after)
                left.append((after, path + char))
    return None


def _automaton(globs: Sequence[str]) -> _Automaton:
    found = _Automaton()
    for glob in globs:
        _add(found, glob)
    return found


def _add(found: _Automaton, glob: str) -> None:
    now = found.state()
    found.starts.add(now)
    at = 0
    while at < len(glob):
        char = glob[at]
        if glob.startswith("**/", at) and (at == 0 or glob[at - 1] == "/"):
            now, at = _directories(found, now), at + 3
        elif glob.startswith("**", at):
            now, at = _repeat(found, now, _any), at + 2
        elif char == "*":
            now, at = _repeat(found, now, _no_slash), at + 1
        elif char == "?":
            now, at = _one(found, now, _no_slash), at + 1
        elif char == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2) + 1
            test = _set(found, glob[at:end])
            now, at = _one(found, now, test), end
        else:
            found.named.add(char)
            now, at = _one(found, now, char.__eq__), at + 1
    found.ends.add(now)


def _any(_char: str) -> bool:
    return True


def _no_slash(char: str) -> bool:
    return char != "/"


def _set(found: _Automaton, text: str) -> Test:
    """One character of ``[a-z]``; the characters at its edges, and beside them, tell it from others."""
    compiled = re.compile(pattern(text))
    for char in text[1:-1].removeprefix("!"):
        found.named |= {
            near for near in (chr(max(ord(char) - 1, 1)), char, chr(ord(char) + 1)) if near != "/"
        }
    return lambda char: compiled.fullmatch(char) is not None


def _one(found: _Automaton, now: int, test: Test) -> int:
    after = found.state()
    found.moves[now].append((test, after))
    return after


def _repeat(found: _Automaton, now: int, test: Test) -> int:
    after = found.state()
    found.skips[now].append(after)
    found.moves[after].append((test, after))
    return after


def _directories(found: _Automaton, now: int) -> int:
    """``**/``: nothing, or whatever ends with a slash."""
    within, after = found.state(), found.state()
    found.skips[now] += [within, after]
    found.moves[within] += [(_any, within), ("/".__eq__, after)]
    return after
