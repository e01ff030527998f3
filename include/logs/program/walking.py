"""Going through the directories of a volume: by descriptors, so that no link on the way is followed.

A directory that is swapped for a link while we walk is not entered, nor is another file system that is mounted
within, nor what belongs to the clean-up itself.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Callable, Iterator, List, Optional, Tuple

from .layout import STATE, Layout, require_directory
from .problems import StepError
from .summary import say, shown

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NOT_OURS = frozenset([STATE.encode(), b"lost+found"])
"""Names in the root that are passed over."""
SORTED = 4096
"""Names of a directory that are put into order at a time; each takes some 700 bytes of memory."""
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def open_root(path: str) -> int:
    """A descriptor of the volume's root. Raises StepError."""
    require_directory(path, "the volume's root")
    try:
        return os.open(path, OPEN_DIRECTORY)
    except OSError as error:
        raise StepError(f"{path}, the volume's root, cannot be opened: {error.strerror}") from error


def open_directory(root: int, path: bytes) -> int:
    """A descriptor of a directory below the root, each part of its path no link. Raises OSError."""
    return _descend(root, path, make=False)


def make_directory(root: int, path: bytes) -> int:
    """The same, with the directories made that are not there. Raises OSError."""
    return _descend(root, path, make=True)


def _descend(root: int, path: bytes, *, make: bool) -> int:
    found = os.dup(root)
    try:
        for part in path.split(b"/") if path else ():
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o750, dir_fd=found)
            inner = os.open(part, OPEN_DIRECTORY, dir_fd=found)
            os.close(found)
            found = inner
    except OSError:
        os.close(found)
        raise
    return found


@dataclass
class Walk:
    """The directories that are still to be seen, and what could not be."""

    layout: Layout
    root: int
    dev: int = 0
    directories: int = 0
    unreadable: int = 0
    unreadable_examples: List[Tuple[bytes, str]] = field(default_factory=list)
    other_file_systems: List[bytes] = field(default_factory=list)
    reached: Callable[[int, int], object] = lambda _batch, _names: None
    """Is told which names of the present directory are looked at now: the number of the batch, how many."""
    _left: List[bytes] = field(default_factory=lambda: [b""])
    _path: bytes = b""
    _before: int = 0

    def __post_init__(self) -> None:
        self.dev = os.fstat(self.root).st_dev
        self._apart = self._archives_within()

    def later(self, path: bytes) -> None:
        """Look into this directory too."""
        if self.enters(path):
            self._left.append(path)
        elif path not in NOT_OURS and path != self._apart:
            above = shown(os.path.dirname(path))
            say(f"Not looked into: {shown(path)} belongs to another clean-up. Is {above} a volume too?")

    def enters(self, path: bytes) -> bool:
        """Whether a directory is looked into: not what belongs to a clean-up, this one or another."""
        return path not in NOT_OURS and path != self._apart and not path.endswith(b"/" + STATE.encode())

    def entries(self, listing: Iterator["os.DirEntry[str]"]) -> Iterator["os.DirEntry[str]"]:
        """The entries of the directory that is its turn, in the order of their inodes."""
        for number, some in enumerate(batches(listing)):
            self.reached(number, len(some))
            yield from some

    def rest(self) -> List[bytes]:
        """The directories that were left when the present one began, and this as the last."""
        return [*self._left[: self._before], self._path]

    def __iter__(self) -> Iterator[Tuple[bytes, int]]:
        """Each directory: its path below the root and a descriptor, which is closed afterwards."""
        while self._left:
            path = self._left.pop()
            descriptor = self._open(path)
            if descriptor is None:
                continue
            try:
                self.directories += 1
                self._path, self._before = path, len(self._left)
                yield path, descriptor
            finally:
                os.close(descriptor)

    def failed(self, path: bytes, error: OSError) -> None:
        """Note what could not be read; what went away meanwhile is none of that."""
        if error.errno in _GONE:
            return
        self.unreadable += 1
        if len(self.unreadable_examples) < 10:
            self.unreadable_examples.append((path, os.strerror(error.errno or 0)))

    def _open(self, path: bytes) -> Optional[int]:
        try:
            descriptor = open_directory(self.root, path)
        except OSError as error:
            if not path:
                raise StepError(f"{self.layout.root} cannot be opened: {error.strerror}") from error
            self.failed(path, error)
            return None
        if os.fstat(descriptor).st_dev != self.dev:
            os.close(descriptor)
            self.other_file_systems.append(path)
            return None
        return descriptor

    def _archives_within(self) -> Optional[bytes]:
        """The archives' directory, where it lies below the root."""
        base = os.path.realpath(self.layout.archive_base)
        root = os.path.realpath(self.layout.root)
        return os.fsencode(os.path.relpath(base, root)) if base.startswith(root.rstrip("/") + "/") else None


def batches(listing: Iterator["os.DirEntry[str]"]) -> Iterator[List["os.DirEntry[str]"]]:
    """The entries of a directory as their inodes lie on the disk: looking at files and deleting them goes quicker so."""
    while some := sorted(islice(listing, SORTED), key=os.DirEntry.inode):
        yield some
