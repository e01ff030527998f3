"""What a log's last words say about the end of the program.

The last failure decides. Above it only what belongs to it is looked at: the cause of an exception, the line
that a "giving up" refers to. A failure that was followed by other work was survived, and says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.restarts.cause.lines import lines_of
from include.restarts.cause.rules import Rules
from include.restarts.cause.statements import Link, Statement, statements_of
from include.restarts.facts import Cause

LOOK_BACK = 25
"""Statements from the end that are looked at: a retry loop with its talk, not the morning."""
PASSED = 6
"""Printed lines without a level that may follow the exception that ended the program (buffers, hints)."""
_CALL = re.compile(r"^\s*(at (?!/rustc/|\./)\S|File \"|from \S)")
"""A frame that names a call of the program: not those of Rust, which are the runtime's own."""
_ABSENT = re.compile(
    r"^(unable to retrieve container logs|failed to try resolving symlinks|failed to open log file|"
    r"container logs? (not found|is empty)|rpc error: code = NotFound)",
)


@dataclass(frozen=True)
class Words:
    """A cause that the words name, and which words; ``alternatives`` are what they may mean as well."""

    cause: Cause
    what: str
    line: str
    alternatives: tuple[Cause, ...] = ()


def usable(log: object) -> str:
    """The log's text; empty when there is none, or only the runtime's word that it could not be had."""
    if not isinstance(log, str) or _ABSENT.match(log):
        return ""
    return log.strip("\n") if log.strip() else ""


def last_words(log: str, rules: Rules) -> Words | None:
    """What the end of the log says; None when it says nothing."""
    statements = statements_of(lines_of(log))[-LOOK_BACK:]
    ends: Words | None = None
    passed: list[Statement] = []
    for index in range(len(statements) - 1, -1, -1):
        each = statements[index]
        if _is_noise(each, rules):
            continue
        words = _weighed(each, rules)
        if words is None:
            if each.links and not _is_talk(each, rules):
                passed.append(each)
            if len(passed) > PASSED:
                break
        elif passed and not _reaches(each, words, passed):
            break
        elif words.what == WRAPPER:
            ends = ends or words
        elif words.what == FAILURE:
            return _with_reason(words, statements[:index], rules)
        elif words.cause == "unknown" and not each.exception:
            return _confirmed(words, statements[:index], rules)
        else:
            return _survived(each, words, rules, under_wrapper=ends is not None)
    return ends


def _weighed(statement: Statement, rules: Rules) -> Words | None:
    """What the statement says at its level: what a program tells in passing proves nothing."""
    words = judge(statement, rules)
    if words is None or statement.level != "info" or words.cause == "application":
        return words
    return _perhaps(words) if rules.tells_failure(statement.text) else None


def _is_noise(statement: Statement, rules: Rules) -> bool:
    said = [each.text for each in statement.links]
    return any(rules.noise.search(each) for each in said) if said else not statement.details


def _is_talk(statement: Statement, rules: Rules) -> bool:
    return bool(rules.retries.search(statement.text) or rules.wrappers.search(statement.text))


WRAPPER = "says that it ends"
FAILURE = "failure"
NEAR = 4
"""Lines before a failure of unknown reason that may have its reason."""


def judge(statement: Statement, rules: Rules) -> Words | None:
    """What one statement says; None when it tells of no failure."""
    found = _of_python(statement.links, rules) if statement.python else _of_chain(statement.links, rules)
    if found is not None:
        return found
    for detail in statement.details:
        pattern = rules.first(detail)
        if pattern is not None:
            return Words(pattern.cause, pattern.what, detail)
    return _vague(statement, rules)


def _of_chain(links: list[Link], rules: Rules) -> Words | None:
    """The root decides, or what is nearest to it and known."""
    for link in links:
        found = _of_link(link, rules)
        if found is not None:
            return found
    return None


def _of_python(links: list[Link], rules: Rules) -> Words | None:
    """The last exception decides, unless it only passes on one that is named as its cause."""
    passed_on: Words | None = None
    for index in range(len(links) - 1, -1, -1):
        link = links[index]
        found = _of_link(link, rules)
        if found is not None and found.cause == "network":
            return found
        faulty = rules.is_bug(link.kind, link.text) or not link.raised
        if link.relation == "handling" and faulty:
            # a fault in the code that handles another failure
            return Words("application", link.kind, link.text, _network_in(links[:index], rules))
        if found is not None and link.relation != "cause":
            return found
        passed_on = passed_on or found
    return passed_on


def _of_link(link: Link, rules: Rules) -> Words | None:
    if rules.is_bug(link.kind, link.text):
        return Words("application", link.kind, link.text)
    pattern = rules.first(link.text)
    if pattern is not None:
        return Words(pattern.cause, pattern.what, link.text)
    return None


def _network_in(links: list[Link], rules: Rules) -> tuple[Cause, ...]:
    found = (rules.first(each.text) for each in links)
    return ("network",) if any(each and each.cause == "network" for each in found) else ()


def _vague(statement: Statement, rules: Rules) -> Words | None:
    """A failure without a known reason in its words."""
    if not statement.links:
        return None
    top = statement.links[-1]
    perhaps = next((each for link in statement.links if (each := rules.perhaps(link.text))), None)
    if perhaps is not None and any(_CALL.match(each) for each in statement.frames):
        if any(rules.network_frames.search(each) for each in statement.frames):
            return Words("network", f"{perhaps.what}, in a network call", top.text)
        if statement.cut or perhaps.untraced:
            return Words("unknown", perhaps.what, top.text, ("network", "application"))
        return Words("application", perhaps.what, top.text)
    if perhaps is not None and (
        statement.exception or rules.tells_failure(top.text) or statement.level in ("warn", "error")
    ):
        return Words("unknown", perhaps.what, top.text, ("network", "application"))
    if statement.exception:
        return Words("application", top.kind or "exception", top.text)
    if not rules.tells_failure(" ".join((top.text, *statement.details))) and statement.level != "error":
        return None
    if rules.only_wraps(top.text):
        return Words("application", WRAPPER, top.text)
    if statement.level == "info":
        return None
    return Words("application", FAILURE, top.text)


def _with_reason(words: Words, before: list[Statement], rules: Rules) -> Words:
    """A failure without a known reason: the lines right before it may have one.

    An error of the network right before it is perhaps its reason, perhaps another matter.
    """
    right_before = True
    for each in reversed(before[-NEAR:]):
        if _is_noise(each, rules):
            continue
        found = judge(each, rules)
        if found is None and each.level == "none":
            right_before = False
            continue
        if found is None or each.level in ("info", "warn") or found.what in (FAILURE, WRAPPER):
            break
        if found.cause == "config":
            return found
        if found.cause == "network" and right_before and not rules.recovered.search(found.line):
            return Words("unknown", found.what, found.line, ("network", "application"))
        break
    return words


def _confirmed(words: Words, before: list[Statement], rules: Rules) -> Words:
    """What is perhaps the network ("gateway unavailable") is, when the line right before it says so."""
    near = next((each for each in reversed(before[-NEAR:]) if not _is_noise(each, rules)), None)
    found = judge(near, rules) if near is not None and near.level != "info" else None
    return found if found is not None and found.cause == "network" else words


def _perhaps(words: Words) -> Words:
    return Words("unknown", words.what, words.line, (words.cause, "application"))


def _survived(statement: Statement, words: Words, rules: Rules, under_wrapper: bool) -> Words:
    """Only perhaps the reason, when the line itself says that the program went on."""
    if words.cause != "network" or statement.exception or not rules.recovered.search(words.line):
        return words
    tried_again = rules.retries.search(words.line) and (under_wrapper or statement.level == "error")
    return words if tried_again else _perhaps(words)


def _reaches(statement: Statement, words: Words, passed: list[Statement]) -> bool:
    """Whether a statement still counts when others follow it.

    An exception that ended the program does: what is printed at exit, and what was still in a buffer, comes after it.
    """
    if statement.uncaught:
        return True
    return words.cause in ("application", "config") and all(each.level == "none" for each in passed)
