"""Evidence as it is kept and told: one line, without secrets, not too long."""

from __future__ import annotations

from include.restarts.redact import beginning, redact

LONGEST = 240
"""Characters: a line of a chat message or of a table."""


def shown(text: str) -> str:
    """The text on one line, redacted before it is cut. It may be of any length: a watch of many pods waits for it."""
    start = beginning(text)
    line = redact(" ".join(start.split()))
    whole = len(line) <= LONGEST and len(start) == len(text)
    return line if whole else line[: LONGEST - 1].rstrip() + "…"
