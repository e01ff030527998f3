"""Reading ``causes.yaml``: the words by which a log's last lines are judged."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from include.release.loading import PROJECT, Sources, read_one, shown_path
from include.release.problems import Problem, RejectedError
from include.release.strict import Strict, Text
from include.release.yamlfile import Document
from include.restarts.facts import Cause

FILE = "causes.yaml"
logger = logging.getLogger(__name__)
_GIVES_REASON = re.compile(r"\b(reason|error|message|cause|exception|failed|because|said)$", re.IGNORECASE)
_QUOTES = "\"'`"
_LEVEL_WORDS = re.compile(r"\b(error|critical|fatal|severe|alert|level=\w+)\b", re.IGNORECASE)


class Pattern(Strict):
    """Words, and what they mean."""

    what: Text = Field(title="What it is called in a message")
    says: Text = Field(title="Regular expression that finds it in a line; case does not matter")
    not_when: Text | None = Field(default=None, title="Regular expression that takes it back")
    untraced: bool = Field(
        default=False, title="maybe_network: perhaps the network even if the stack trace has no call of it"
    )
    such_as: Annotated[list[Text], Field(min_length=1)] = Field(title="Lines that it must find")


class Causes(Strict):
    """What programs print before they die, and what it means. The first group that finds its words decides."""

    application: list[Pattern] = Field(title="The program's own fault, whatever else the line says")
    config: list[Pattern] = Field(title="Settings that a server does not accept, commands that are not there")
    network: list[Pattern] = Field(title="The network, or somebody at the other end of it")
    maybe_network: list[Pattern] = Field(title="Perhaps the network: the cause stays unknown")
    bugs: dict[str, list[Text]] = Field(title="Exceptions that are faults of the program, by language")
    not_bugs: Text = Field(title="Exceptions of these names that are no fault of the program")
    network_frames: Text = Field(title="Calls that make a nameless time-out one of the network")
    failures: Text = Field(title="Words that say that something went wrong")
    harmless: Text = Field(title="Words that look like failures and are none")
    wrappers: Text = Field(title="Failures that only say that it ends: the line before has the reason")
    retries: Text = Field(title="Talk about trying again")
    recovered: Text = Field(title="Talk about having got over it")
    noise: Text = Field(title="Lines that say nothing of a cause")


@dataclass(frozen=True)
class Compiled:
    """One pattern, ready to look."""

    cause: Cause
    what: str
    says: re.Pattern[str]
    not_when: re.Pattern[str] | None
    untraced: bool = False

    def finds(self, line: str) -> bool:
        """Whether the line says it. What it only quotes, as ``policy "timed out" unknown``, it does not say."""
        if self.not_when and self.not_when.search(line):
            return False
        if self.cause != "network":
            return bool(self.says.search(line))
        return any(not _quoted(line, each.start(), each.end()) for each in self.says.finditer(line))


def _quoted(line: str, start: int, end: int) -> bool:
    """Whether just these words stand in quotes behind a word; behind ``:``, ``=``, ``(`` or ``,`` they are a value."""
    before, after = line[:start], line[end:]
    if not before or not after or before[-1] not in _QUOTES or after[0] != before[-1]:
        return False
    words = before[:-1].rstrip()
    return words[-1:].isalnum() and not _GIVES_REASON.search(words)


@dataclass(frozen=True)
class Rules:
    """The file, ready to judge lines."""

    sure: tuple[Compiled, ...]
    maybe: tuple[Compiled, ...]
    bugs: frozenset[str]
    not_bugs: re.Pattern[str]
    network_frames: re.Pattern[str]
    failures: re.Pattern[str]
    harmless: re.Pattern[str]
    wrappers: re.Pattern[str]
    retries: re.Pattern[str]
    recovered: re.Pattern[str]
    noise: re.Pattern[str]

    def first(self, line: str) -> Compiled | None:
        """The first pattern that is sure of the line."""
        return next((each for each in self.sure if each.finds(line)), None)

    def is_bug(self, kind: str, text: str) -> bool:
        """Whether an exception of that type is a fault of the program, whatever its message says."""
        return kind in self.bugs and not self.not_bugs.search(text)

    def tells_failure(self, text: str) -> bool:
        """Whether its words say that something went wrong."""
        return bool(self.failures.search(self.harmless.sub("", text)))

    def only_wraps(self, text: str) -> bool:
        """Whether its words say that something ends, and nothing of why."""
        if not self.wrappers.search(text):
            return False
        return not self.tells_failure(_LEVEL_WORDS.sub("", self.wrappers.sub("", text)))

    def perhaps(self, line: str) -> Compiled | None:
        """The first pattern that thinks of the network at this line."""
        return next((each for each in self.maybe if each.finds(line)), None)


_read: dict[Path, tuple[tuple[int, int], Rules]] = {}


def rules(path: Path | None = None) -> Rules:
    """The rules of the configuration folder, or the project's own when it has none; read again when the file changes.

    A change that is wrong is logged with its line, and the rules from before it stay: a watch does not go blind for a
    slip of the pen. Raises RejectedError when there are none yet.
    """
    path = path or _file()
    state = path.stat()
    version = (state.st_mtime_ns, state.st_size)
    known = _read.get(path)
    if known and known[0] == version:
        return known[1]
    try:
        fresh = compiled(read_one(Causes, path, shown_path(path), _check))
    except RejectedError as error:
        if known is None:
            raise
        logger.warning("%s; the rules from before this change stay in use", error)
        fresh = known[1]
    _read[path] = (version, fresh)
    return fresh


def _file() -> Path:
    path = Sources.from_environment().config / FILE
    return path if path.is_file() else PROJECT / "include" / "config" / FILE


def compiled(causes: Causes) -> Rules:
    """The rules, compiled."""
    return Rules(
        sure=(
            *(_compiled("application", each) for each in causes.application),
            *(_compiled("config", each) for each in causes.config),
            *(_compiled("network", each) for each in causes.network),
        ),
        maybe=tuple(_compiled("unknown", each) for each in causes.maybe_network),
        bugs=frozenset(name for names in causes.bugs.values() for name in names),
        not_bugs=re.compile(causes.not_bugs),
        network_frames=re.compile(causes.network_frames),
        failures=_regex(causes.failures),
        harmless=_regex(causes.harmless),
        wrappers=_regex(causes.wrappers),
        retries=_regex(causes.retries),
        recovered=_regex(causes.recovered),
        noise=re.compile(causes.noise),
    )


def _regex(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _compiled(cause: Cause, pattern: Pattern) -> Compiled:
    not_when = _regex(pattern.not_when) if pattern.not_when else None
    return Compiled(cause, pattern.what, _regex(pattern.says), not_when, pattern.untraced)


def _check(value: Causes, document: Document) -> list[Problem]:
    problems = []
    for name in (
        "not_bugs",
        "network_frames",
        "failures",
        "harmless",
        "wrappers",
        "retries",
        "recovered",
        "noise",
    ):
        problems += _broken(getattr(value, name), document.where((name,)), name)
    for group in ("application", "config", "network", "maybe_network"):
        for index, pattern in enumerate(getattr(value, group)):
            problems += _check_pattern(pattern, document, (group, index))
    return problems


def _check_pattern(pattern: Pattern, document: Document, keys: tuple[str, int]) -> list[Problem]:
    where = document.where((*keys, "says"))
    problems = _broken(pattern.says, where, "says")
    if pattern.not_when:
        problems += _broken(pattern.not_when, document.where((*keys, "not_when")), "not_when")
    if problems:
        return problems
    look = _compiled("unknown", pattern)
    return [
        Problem(
            where, "says", f"does not find {line!r}", "finds every line of such_as", "correct one of them"
        )
        for line in pattern.such_as
        if not look.finds(line)
    ]


def _broken(text: str, where: str, field: str) -> list[Problem]:
    try:
        re.compile(text)
    except re.error as error:
        return [Problem(where, field, str(error), "a regular expression of Python", "correct it")]
    return []
