"""Log files that other programs rotate."""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional


def now() -> str:
    """Return the time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(line: str) -> None:
    """Write one line to the program's own log, which is its standard output."""
    sys.stdout.write(f"{now()} {line}\n")
    sys.stdout.flush()


class LogFile:
    """A log file that is opened again after somebody renamed, removed or replaced it.

    Each line is one appending write, so that several processes can share the file. A log that cannot be
    written never fails the work it is about: the loss is told once on standard error.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._file: Optional[int] = None
        self._inode = (-1, -1)
        self._complained = False

    def write(self, line: str) -> None:
        """Append one line."""
        data = (line + "\n").encode("utf-8", "backslashreplace")
        with self._lock:
            try:
                os.write(self._current(), data)
                self._complained = False
            except OSError as error:
                if not self._complained:
                    self._complained = True
                    sys.stderr.write(f"{now()} cannot write {self._path}: {error}\n")

    def reopen(self) -> None:
        """Close the file; the next line opens it by its name."""
        with self._lock:
            self._close()

    def _current(self) -> int:
        """Return a descriptor of the file that has the log's name right now."""
        try:
            status = self._path.stat()
            there = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            there = (-2, -2)
        if self._file is None or there != self._inode:
            self._close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            status = os.fstat(self._file)
            self._inode = (status.st_dev, status.st_ino)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
