"""Files that grow: what in them has aged, and watermarks for the runs to come.

The last change of such a file says nothing about its first bytes. How long it was some days ago does.
"""

from __future__ import annotations

import heapq
import os
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import punching
from .history import History, Mark, mark_line, tail_of
from .request import DAY
from .walking import open_directory

MOST = 500
"""Files that get a watermark, the largest first."""
YOUNG_DAYS = 2
"""A file that was changed within so many days grows."""
SEEN = 4096
"""Bytes below the end of a planned range by which it is known again."""
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Range(NamedTuple):
    """Bytes [start, end) of a file."""

    start: int
    end: int


class Growing:
    """Watches the files of a walk that grow."""

    def __init__(self, history: History, now: float) -> None:
        self._history = history
        self._now = now
        self.young = int((now - YOUNG_DAYS * DAY) * 10**9)
        """Nanoseconds since 1970: what was changed later grows."""
        self.inodes = {mark.ino for marks in history.marks.values() for mark in marks}
        """Of the files that have a watermark."""
        self._largest: List[Tuple[int, bytes, int]] = []

    def offer(self, path: bytes, ino: int, size: int) -> None:
        """A file that was changed lately."""
        item = (size, path, ino)
        if len(self._largest) < MOST:
            heapq.heappush(self._largest, item)
        elif item > self._largest[0]:
            heapq.heapreplace(self._largest, item)

    def aged(
        self, path: bytes, ino: int, size: int, days: float, opened: Callable[[], int]
    ) -> Optional[Range]:
        """The bytes of a file that are at least ``days`` old and still there; None when there are none.

        ``opened`` gives a descriptor of it, which is closed here. Raises OSError when it cannot be read.
        """
        mark = self._history.aged(path, ino, size, self._now - days * DAY)
        if mark is None:
            return None
        descriptor = opened()
        try:
            start = punching.first_byte(descriptor, mark.size)
            same = start >= mark.size or tail_of(descriptor, mark.size) == mark.tail
            return Range(start, mark.size) if same and start < mark.size else None
        finally:
            os.close(descriptor)

    def layers(self, path: bytes, ino: int, size: int, space: int) -> List[Tuple[int, int]]:
        """What a file takes, by age in whole days, as far as watermarks tell; ``space`` bytes in all.

        What has no watermark was written today; what was punched lies at the beginning.
        """
        found: List[Tuple[int, int]] = []
        upper, days = size, 0
        for mark in reversed(self._history.layers(path, ino, size)):
            part = min(upper - mark.size, space)
            found.append((days, part))
            space -= part
            upper, days = mark.size, int(max(self._now - mark.at, 0) // DAY)
        found.append((days, space))
        return [(age, part) for age, part in found if part > 0]

    def marks(self, root: int) -> List[Dict[str, Any]]:
        """Watermarks of the largest files, as lines of the history."""
        lines = []
        for _, path, ino in sorted(self._largest):
            mark = _mark(root, path, ino)
            if mark:
                lines.append(mark_line(mark))
        return lines


def _mark(root: int, path: bytes, ino: int) -> Optional[Mark]:
    directory, _, name = path.rpartition(b"/")
    try:
        folder = open_directory(root, directory)
        try:
            descriptor = os.open(name, READ, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if found.st_ino != ino or not found.st_size:
            return None
        return Mark(time.time(), path, ino, found.st_size, tail_of(descriptor, found.st_size))
    except OSError:
        return None
    finally:
        os.close(descriptor)
