"""One line of a log: without what collectors put around it, and with the level it was logged at."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["none", "info", "warn", "error"]

BEGINNING, END = 1000, 500
"""Characters of a line that are looked at: what failed is said first, and its root last."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_COLLECTED = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) (?:std(?:out|err) [FP] )?"
)
_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("trace", "debug", "dbug", "info", "information", "notice", "verbose", "log"), "info"),
    **dict.fromkeys(("warn", "warning"), "warn"),
    **dict.fromkeys(
        (
            "err",
            "error",
            "fail",
            "severe",
            "critical",
            "crit",
            "fatal",
            "alert",
            "emerg",
            "emergency",
            "panic",
        ),
        "error",
    ),
}
_NAMES = "|".join(_LEVELS)
_FIELD = re.compile(
    rf'(?:\b(?:level|lvl|severity)=|"(?:level|lvl|severity)"\s*:\s*)"?({_NAMES})\b', re.IGNORECASE
)
_BRACKETS = re.compile(rf"^.{{0,60}}?[\[<(|]\s*({_NAMES})\s*[\]>)|/]", re.IGNORECASE)
_CAPITALS = re.compile(rf"^.{{0,60}}?(?<![\w'\"])({_NAMES.upper()})(?![\w'\"])")
_DOTNET = re.compile(r"^(trce|dbug|info|warn|fail|crit): ")
_KLOG_LEVELS: dict[str, Level] = {"I": "info", "W": "warn"}
_KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d")
_RDKAFKA = re.compile(r"^%([0-7])\|")
_PINO: tuple[tuple[int, Level], ...] = ((50, "error"), (40, "warn"), (0, "info"))
_TEXTS = ("msg", "message", "log", "event", "error", "err", "errorMessage", "reason", "cause", "detail")
_STACKS = ("exception", "stack_trace", "stackTrace", "exc_info", "stack", "errorVerbose")


HEAD, TAIL = 1500, 500
"""Characters of a line that are looked at: what an error says first, and what it says last was the cause."""


@dataclass(frozen=True)
class Line:
    """One line, and its level; none for what a program printed without one."""

    text: str
    level: Level


def lines_of(log: str) -> list[Line]:
    """The lines of a log; a JSON line becomes its message and errors, and the lines of its stack trace."""
    result = []
    for raw in _COLOUR.sub("", log).replace("\r", "").split("\n"):
        text = _COLLECTED.sub("", raw).rstrip()
        if text.startswith("{") and text.endswith("}"):
            result += [Line(_bounded(each.text), each.level) for each in _json(text)]
        else:
            text = _bounded(text)
            result.append(Line(text, level_of(text)))
    return result


def _bounded(text: str) -> str:
    """A line of any length, without the middle: patterns may look at it again and again, and a watch waits for them."""
    return text if len(text) <= BEGINNING + END else f"{text[:BEGINNING]} … {text[-END:]}"


def level_of(text: str) -> Level:
    """The level that a line shows in one of the usual forms."""
    if text[:1].isspace():
        return "none"
    for form in (_FIELD, _BRACKETS, _CAPITALS, _DOTNET):
        found = form.search(text)
        if found:
            return _LEVELS.get(found[1].lower(), "error" if found[1] in ("crit", "fail") else "info")
    if found := _KLOG.match(text):
        return _KLOG_LEVELS.get(found[1], "error")
    if found := _RDKAFKA.match(text):
        return "error" if int(found[1]) <= 3 else "info"
    return "none"


def _json(text: str) -> list[Line]:
    try:
        value = json.loads(text)
    except ValueError:
        return [Line(text, level_of(text))]
    if not isinstance(value, dict):
        return [Line(text, "none")]
    level = _json_level(value)
    said = [part for name in _TEXTS if name in value for part in _texts(value[name])]
    stacks = [value[name] for name in _STACKS if isinstance(value.get(name), str)]
    if not said and not stacks:
        return [Line(text, level)]
    result = [Line(": ".join(said), level)] if said else []
    for stack in stacks:
        result += [
            Line(each.rstrip(), level if index == 0 else "none")
            for index, each in enumerate(stack.split("\n"))
        ]
    return result


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value.strip().replace("\n", " ")]
    if isinstance(value, dict):
        return [part for name in (*_TEXTS, "code", "type") if name in value for part in _texts(value[name])]
    return []


def _json_level(value: dict[str, Any]) -> Level:
    found = next(
        (value[name] for name in ("level", "severity", "lvl", "levelname", "@l") if name in value), None
    )
    if isinstance(found, int | float):
        return next(level for least, level in _PINO if found >= least or least == 0)
    return _LEVELS.get(str(found).lower(), "none")
