"""Reaching files below the volume's root without ever following a link, and telling whether they are the same still.

Between the plan and a change anybody may have put a link, or another file, where the planned one was: directories
are opened one part after the other, each without following links, and files relative to them. A volume may have
another device number in the pod of each step, so a file's is not compared; its directory's is, with the root's.
"""

from __future__ import annotations

import errno
import os
import stat

from .entries import Entry
from .growing import SEEN
from .history import tail_of
from .walking import open_directory, open_root

# Not blocking: a pipe put in a file's place would let nobody past. No access time: reading a log is no use of it.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_A_LINK = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


class ChangedError(Exception):
    """Something else lies there than when the plan was made."""


class Tree:
    """Directories below a root; the last one stays open, since files of one directory come together."""

    def __init__(self, root: str) -> None:
        self._root = open_root(root)
        self._dev = os.fstat(self._root).st_dev
        self._path: bytes | None = None
        self._directory = -1
        self.flags = READ | os.O_NOATIME
        """To open a file of one's own for reading."""

    def directory(self, path: bytes) -> int:
        """A descriptor of a directory, until the next one is asked for; path relative to the root.

        Raises FileNotFoundError, ChangedError (a link or another volume lies on the way), OSError.
        """
        if path != self._path:
            self._drop()
            self._directory = self._walk(path)
            self._path = path
        return self._directory

    def _walk(self, path: bytes) -> int:
        try:
            found = open_directory(self._root, path)
        except OSError as error:
            raise _told(error, path) from error
        if os.fstat(found).st_dev != self._dev:
            os.close(found)
            raise ChangedError(f"{os.fsdecode(path)} is on another file system")
        return found

    def open(self, directory: int, name: bytes) -> int:
        """Open a file of a directory for reading. Raises FileNotFoundError, ChangedError, OSError."""
        try:
            return os.open(name, self.flags, dir_fd=directory)
        except PermissionError:
            return os.open(name, READ, dir_fd=directory)  # somebody else's file
        except OSError as error:
            raise _told(error, name) from error

    def open_to_write(self, directory: int, name: bytes) -> int:
        """The same for reading and writing."""
        try:
            return os.open(name, WRITE, dir_fd=directory)
        except OSError as error:
            raise _told(error, name) from error

    def close(self) -> None:
        """Close everything."""
        self._drop()
        os.close(self._root)

    def _drop(self) -> None:
        if self._directory >= 0:
            os.close(self._directory)
        self._directory, self._path = -1, None


def _told(error: OSError, name: bytes) -> Exception:
    if error.errno in (*_A_LINK, errno.ENXIO):
        return ChangedError(f"{os.fsdecode(name)} is not what it was: a link, or something else, lies there")
    return error


def unchanged(found: os.stat_result, entry: Entry) -> bool:
    """Whether it is the planned file, and nobody wrote to it since."""
    return (
        found.st_ino == entry.ino
        and found.st_mtime_ns == entry.mtime_ns
        and found.st_size == entry.size
        and stat.S_ISREG(found.st_mode)
    )


def only_grown(found: os.stat_result, entry: Entry) -> bool:
    """Whether it is the planned file, which may have got longer since.

    With another name it may be somebody's copy by now, or held by that name.
    """
    same = found.st_ino == entry.ino and found.st_size >= entry.size and found.st_nlink == 1
    return same and stat.S_ISREG(found.st_mode)


def as_planned(descriptor: int, entry: Entry) -> bool:
    """Whether the planned range has the bytes that the plan saw: a log may have been cut to nothing, and filled again."""
    return tail_of(descriptor, entry.end, SEEN) == entry.tail
