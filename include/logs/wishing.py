"""What is asked back from the archives: the form of ``log_restore`` as the program's request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from include.release.problems import Problem, RejectedError

FILES, DAY, TO = "files", "day", "to"
"""Names of params."""


def restore_wish(params: Mapping[str, Any], time_zone: str = "UTC") -> dict[str, Any]:
    """The program's ``restore``: ``globs``, ``from`` and ``until`` (the day in a time zone), ``to``. Raises RejectedError."""
    files = [line.strip() for line in str(params.get(FILES) or "").splitlines() if line.strip()]
    day = str(params.get(DAY) or "").strip()
    to = str(params.get(TO) or "").strip().rstrip("/")
    problems = []
    if not files and not day:
        expected = "a path below the volume's root, a pattern, or a day"
        problems.append(Problem(f"param {FILES}", "", "nothing", expected, "say what is asked back"))
    problems += [
        Problem(
            f"param {FILES}", "", repr(each), "a path below the volume's root, such as app.log", "correct it"
        )
        for each in files
        if _leaves(each)
    ]
    span = _day(day, ZoneInfo(time_zone)) if day else None
    if day and span is None:
        problems.append(Problem(f"param {DAY}", "", repr(day), "a day such as 2026-11-21", "correct it"))
    if to and _leaves(to):
        expected = "a directory below the volume's root, such as restored/case-117"
        problems.append(Problem(f"param {TO}", "", repr(to), expected, "correct it, or leave it empty"))
    if problems:
        raise RejectedError(problems, subject="the params")
    wish: dict[str, Any] = {"to": to} if to else {}
    if files:
        wish["globs"] = files
    if span is not None:
        wish |= {"from": span[0].isoformat(), "until": span[1].isoformat()}
    return wish


def in_words(params: Mapping[str, Any], time_zone: str = "UTC") -> str:
    """What is asked back, for people."""
    files = ", ".join(line.strip() for line in str(params.get(FILES) or "").splitlines() if line.strip())
    day = str(params.get(DAY) or "").strip()
    return " ".join(part for part in (files or "all files", f"of {day} ({time_zone})" if day else "") if part)


def _leaves(path: str) -> bool:
    parts = path.split("/")
    return path.startswith("/") or "\0" in path or ".." in parts or "" in parts or parts[0] == ".log-cleanup"


def _day(text: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Its beginning and its end, in UTC."""
    try:
        found = date.fromisoformat(text)
        begins = (datetime.combine(each, time(), zone) for each in (found, found + timedelta(days=1)))
        begin, end = (each.astimezone(UTC) for each in begins)
    except (ValueError, OverflowError):
        return None
    return begin, end
