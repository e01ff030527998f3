"""zstd by its command, for an image that has this and not the library."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator

from .compressed import HASH_LOG, PIECE, WINDOW_LOG, ZSTD_LEVEL, DamagedError, Input, Source, write_all

_FULL = {errno.ENOSPC: "No space left on device", errno.EDQUOT: "Disk quota exceeded"}


def there() -> bool:
    """Whether the command is there."""
    return shutil.which("zstd") is not None


class CommandSink:
    """The command, which writes to the descriptor itself."""

    def __init__(self, descriptor: int, threads: int) -> None:
        self._descriptor = descriptor
        self._process = subprocess.Popen(
            # With -T1 it would take some 50 MB for buffers between its threads.
            [
                *("zstd", "-q", "-c", f"-{ZSTD_LEVEL}", f"--zstd=wlog={WINDOW_LOG},hlog={HASH_LOG}"),
                f"-T{threads}" if threads > 1 else "--single-thread",
            ],
            stdin=subprocess.PIPE,
            stdout=descriptor,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        _widen(self._pipe)

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. Raises OSError."""
        try:
            write_all(self._pipe, data)
        except BrokenPipeError:
            self._end()
            raise

    def close(self) -> str:
        """Write what is left. Returns the SHA-256 of the compressed bytes. Raises OSError."""
        self._end()
        digest, at = hashlib.sha256(), 0
        while True:
            data = os.pread(self._descriptor, PIECE, at)
            if not data:
                return digest.hexdigest()
            digest.update(data)
            at += len(data)

    def abort(self) -> None:
        """Give up: nothing is left running."""
        self._process.kill()
        self._process.communicate()

    def _end(self) -> None:
        said = self._process.communicate()[1].decode(errors="replace").strip()
        if self._process.returncode:
            number = next((number for number, text in _FULL.items() if text in said), errno.EIO)
            raise OSError(number, said or f"zstd ended with {self._process.returncode}")


class CommandSource(Source):
    """The command as a reader."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = subprocess.Popen(
            ["zstd", "-q", "-d", "-c", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        _widen(self._output.fileno())

    def pieces(self) -> Iterator[bytes | memoryview]:
        """What the file holds. Raises DamagedError."""
        while True:
            data = self._output.read(PIECE)
            if not data:
                break
            yield data
        said = self._process.communicate()[1].decode(errors="replace").strip()
        if self._process.returncode:
            raise DamagedError(said or f"{self._path}: zstd ended with {self._process.returncode}")

    def checksum(self) -> str:
        """The SHA-256 of the compressed bytes: the command has read them, so they are read once more."""
        again = Input(self._path)
        try:
            while again.read():
                pass
            return again.checksum()
        finally:
            again.close()

    def close(self) -> None:
        """Nothing is left running."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def _widen(pipe: int) -> None:
    """Give a pipe room for a megabyte, so that both ends work at the same time."""
    try:
        fcntl.fcntl(pipe, getattr(fcntl, "F_SETPIPE_SZ", 1031), 1 << 20)
    except OSError:  # the user's share of pipe buffers is used up: smaller ones do
        return
