"""How a step ends when it can't do its work, and the exit code that says so."""

from __future__ import annotations

import errno
from typing import Any

DONE = 0
FAILED = 1
BAD_REQUEST = 2
HELD = 3
NO_SPACE = 4
EXIT_CODES = {
    DONE: "done, or done before",
    FAILED: "failed; a rerun goes on where this one ended",
    BAD_REQUEST: "the request is wrong; nothing was looked at",
    HELD: "another run holds this volume; SUMMARY names it",
    NO_SPACE: "the volume is full, or filled up while archiving (what was archived is removed); nothing was deleted",
}

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""The volume, or somebody's share of it, is full."""


class StepError(Exception):
    """A step that ends early: one text for the reader, an exit code and facts for the caller."""

    def __init__(self, text: str, code: int = FAILED, facts: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.facts = facts or {}


class RequestError(StepError):
    """The request cannot be understood: where, what was found, what was expected."""

    def __init__(self, where: str, found: object, expected: str) -> None:
        super().__init__(f"{where}: found {found!r}, expected {expected}", BAD_REQUEST)


class HeldByOtherError(StepError):
    """Another run holds the volume."""

    def __init__(self, text: str, holder: dict[str, Any]) -> None:
        super().__init__(text, HELD, {"holder": holder})
