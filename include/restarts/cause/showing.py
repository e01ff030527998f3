"""Evidence as it is kept and told: one line, without secrets, not too long."""

from __future__ import annotations

from include.restarts.redact import redact

LONGEST = 240
"""Characters: a line of a chat message or of a table."""


def shown(text: str) -> str:
    """The text on one line, redacted before it is cut."""
    line = redact(" ".join(text.split()))
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
