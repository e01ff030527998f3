"""What a watch writes into its log: what is new, once; what keeps it from watching, once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

SAY_AGAIN_SECONDS = 60.0

Say = Callable[[str], None]


class Saying:
    """The lines of one watch.

    Args:
        say: receives them.
        again_seconds: what still holds is said so often.
    """

    def __init__(self, say: Say, *, again_seconds: float = SAY_AGAIN_SECONDS) -> None:
        self._say, self._again = say, again_seconds
        self._told: set[str] = set()
        self._last = ""
        self._troubled = self._was_troubled = False
        self._due = 0.0

    def begin(self) -> None:
        """A new look begins."""
        self._was_troubled, self._troubled = self._troubled, False

    def once(self, text: str) -> None:
        """Say this a single time."""
        if text not in self._told:
            self._told.add(text)
            self._say(text)

    def news(self, text: str) -> None:
        """Say what was decided, when it is another text than before or a trouble is over."""
        if text != self._last or (self._was_troubled and not self._troubled):
            self._say(text)
        self._last = text

    def trouble(self, text: str) -> None:
        """Say what keeps the watch from watching: when it begins, and then once a minute."""
        if not self._was_troubled and not self._troubled:
            self._due = 0.0
        self._troubled = True
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._again
            self._say(text)
