"""How far a log was read, so that reading on repeats no line and leaves none out, also where the node rotated the log."""

from __future__ import annotations

import re

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")


class Place:
    """Takes the lines of a log with the node's time stamps before them, and gives those that are new."""

    def __init__(self) -> None:
        self._last = ""
        self._same = 0
        """Lines that were taken with the last stamp: several may share one."""
        self._passed = 0
        self._behind = False
        self.taken = 0
        """Lines that were new, with a stamp."""
        self.since = ""
        """The last stamp in whole seconds, from which the API gives a log; empty: from its beginning."""

    def begin(self) -> None:
        """The log is opened, for the first time or again: then some of its lines were taken before."""
        self._behind, self._passed = bool(self._last), 0

    def take(self, line: str) -> str | None:
        """The line without its stamp; None for one that was taken before. A line without a stamp is given as it is."""
        found = _STAMP.match(line)
        if found is None:
            return line
        seconds, fraction, zone = found.groups()
        stamp = f"{seconds}.{(fraction or '').ljust(9, '0')}"
        if self._behind:
            if stamp < self._last:
                return None
            if stamp == self._last:
                self._passed += 1
                if self._passed <= self._same:
                    return None
            self._behind = False
        self.taken += 1
        if stamp == self._last:
            self._same += 1
        elif stamp > self._last:  # two streams of one container may cross
            self._last, self._same, self.since = stamp, 1, seconds + zone
        return line[found.end() :]
