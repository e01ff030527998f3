"""Small helpers for text that an operator reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns padded to their widest cell, as a task log shows them."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def indented(text: str, by: str = "    ") -> str:
    """Every line of a text, moved to the right."""
    return "\n".join(by + line if line else line for line in text.splitlines())


def plural(count: float, noun: str, nouns: str = "") -> str:
    """``1 pod``, ``2 pods``, ``0.5 minutes``; ``nouns`` where that is not made with an s: ``2 tries``."""
    number = str(int(count)) if count == int(count) else f"{count:g}"
    return f"{number} {noun if count == 1 else nouns or noun + 's'}"


def last_lines(text: str, count: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(text.rstrip().splitlines()[-count:])


def moment(text: str) -> str:
    """A noted time as a reader knows it, in UTC; what is no time stays what it is."""
    found = noted_time(text)
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if found else text or "an unknown time"


def noted_time(text: str) -> datetime | None:
    """A noted time; None when there is none, or none that can be compared."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def markdown(text: str) -> str:
    """Text that people wrote, as text: none of it is taken for Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
