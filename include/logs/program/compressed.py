"""What every codec is for the others: a sink that compresses to a file, a source that reads one back."""

from __future__ import annotations

import abc
import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import Protocol

PIECE = 1 << 20
"""Bytes that a source gives at once, at most: neither they nor a file of zeros fill the memory."""
READ = 1 << 17
ZSTD_LEVEL, WINDOW_LOG, HASH_LOG = 1, 21, 16
"""Lines of logs come again within megabytes: level 1 with the window of level 3 takes three quarters of level 3's time,
and makes logs no larger than that does."""


class DamagedError(Exception):
    """A compressed file cannot be read to its end, or its own checksum is wrong."""


class Sink(Protocol):
    """Takes bytes, writes them compressed to a descriptor, which stays open."""

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. Raises OSError."""

    def close(self) -> str:
        """Write what is left. Returns the SHA-256 of the compressed bytes. Raises OSError."""

    def abort(self) -> None:
        """Give up: nothing is left running."""


class Source(abc.ABC):
    """Gives the bytes that a compressed file holds: in pieces, or as a file is read."""

    @abc.abstractmethod
    def pieces(self) -> Iterator[bytes | memoryview]:
        """All of them, in pieces of at most ``PIECE``, each good until the next one is asked for. Raises DamagedError.

        The end comes only where the compressed file is whole and its own checksum is right.
        """

    @abc.abstractmethod
    def checksum(self) -> str:
        """The SHA-256 of the compressed bytes, once all pieces were given."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end. Raises DamagedError."""
        if self._given is None:
            self._given = self.pieces()
        found = bytearray()
        while len(found) < size:
            if not self._ready:
                self._ready = memoryview(next(self._given, b""))
                if not self._ready:
                    break
            part = self._ready[: size - len(found)]
            self._ready = self._ready[len(part) :]
            found += part
        return bytes(found)

    _given: Iterator[bytes | memoryview] | None = None
    _ready = memoryview(b"")


class Output:
    """A descriptor whose bytes are hashed on the way to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._digest = descriptor, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        """Write everything. Raises OSError."""
        self._digest.update(data)
        write_all(self._descriptor, data)

    def checksum(self) -> str:
        """The SHA-256 of what was written."""
        return self._digest.hexdigest()


class Input:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor, self._digest = os.open(path, os.O_RDONLY | os.O_CLOEXEC), hashlib.sha256()
        with contextlib.suppress(OSError):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)  # the disk reads further ahead

    def read(self) -> bytes:
        """Some more bytes; empty at the end. Raises OSError."""
        data = os.read(self._descriptor, READ)
        self._digest.update(data)
        return data

    def checksum(self) -> str:
        """The SHA-256 of what was read."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
