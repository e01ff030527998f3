"""A closer look at a single file: who has it open, and which bytes of it are there."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple, Optional

from . import openness, punching
from .growing import READ
from .request import DAY, Request

OPEN, SHUT, CHANGED = "open", "shut", "changed"


class Look(NamedTuple):
    """What was found: OPEN, SHUT or CHANGED (since the walk saw it), and where its first byte is."""

    state: str
    start: int = 0


class Looker:
    """Looks at files of one volume."""

    def __init__(self, request: Request) -> None:
        self._recent = request.open_days * DAY
        self._now = request.now()
        self._trusted = openness.seen_by_one_node(openness.file_system(request.root))
        openness.ignore_lease_breaks()

    def look(self, directory: int, name: str, seen: os.stat_result) -> Look:
        """Look at a file of an open directory. What cannot be opened counts as its age says."""
        descriptor = self._open(directory, name)
        found, start = openness.UNKNOWN, 0
        if descriptor is not None:
            try:
                now = os.fstat(descriptor)
                if (now.st_ino, now.st_dev) != (seen.st_ino, seen.st_dev) or not stat.S_ISREG(now.st_mode):
                    return Look(CHANGED)
                told = openness.state(descriptor)
                found = told if self._trusted or told != openness.CLOSED else openness.UNKNOWN
                if self.taken(found, seen):
                    start = punching.first_byte(descriptor, seen.st_size)
            finally:
                os.close(descriptor)
        return Look(OPEN if self.taken(found, seen) else SHUT, start)

    def taken(self, found: str, seen: os.stat_result) -> bool:
        """Whether a file counts as open."""
        return openness.is_open(found, seen.st_mtime, self._now, self._recent)

    @staticmethod
    def _open(directory: int, name: str) -> Optional[int]:
        try:
            return os.open(name, READ, dir_fd=directory)
        except OSError:
            return None


def punchable(path: str) -> bool:
    """Whether this file system frees ranges within a file; tried on a file of our own."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        os.write(descriptor, b"\1" * 8192)
        punching.punch(descriptor, 0, 4096)
    except (punching.NotPunchableError, OSError):
        return False
    finally:
        os.close(descriptor)
        os.unlink(path)
    return True
