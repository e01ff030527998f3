"""Compressing archives: zstd where Python (3.14) or the image has it, gzip otherwise.

Both write checksums of their own, and both can be read by the tools of their names.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import shutil
import subprocess
import zlib
from types import ModuleType
from typing import Any, Protocol

from .problems import StepError

ZSTD, GZIP = "zstd", "gzip"
SUFFIXES = {ZSTD: ".zst", GZIP: ".gz"}
ZSTD_LEVEL, GZIP_LEVEL = 3, 6  # what the tools take by default
CHUNK = 1 << 18
_FULL = {errno.ENOSPC: "No space left on device", errno.EDQUOT: "Disk quota exceeded"}


class Sink(Protocol):
    """Takes bytes, writes them compressed to a descriptor, which stays open."""

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. Raises OSError."""

    def close(self) -> None:
        """Write what is left. Raises OSError."""

    def abort(self) -> None:
        """Give up: nothing is left running."""


class Source(Protocol):
    """Gives the bytes that a compressed file holds."""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end. Raises DamagedError."""

    def close(self) -> None:
        """Let go of the file. Raises DamagedError when it was read to its end and is damaged."""


class DamagedError(Exception):
    """A compressed file cannot be read to its end, or its checksum is wrong."""


def choose(wanted: str) -> str:
    """ZSTD or GZIP, from the request's ``auto``, ``zstd`` or ``gzip``. Raises StepError when it is not there."""
    there = _python_zstd() is not None or shutil.which("zstd") is not None
    if wanted == ZSTD and not there:
        raise StepError(
            "The request asks for zstd, which this image does not have.\n"
            "Ask for gzip or auto, or use an image with the zstd command or Python 3.14."
        )
    return GZIP if wanted == GZIP or not there else ZSTD


def codec_of(path: str) -> str:
    """The codec that a file's name tells. Raises StepError."""
    for codec, suffix in SUFFIXES.items():
        if path.endswith(suffix):
            return codec
    raise StepError(f"{path} is no archive: its name ends in none of {', '.join(SUFFIXES.values())}")


def sink(codec: str, descriptor: int, threads: int = 1) -> Sink:
    """Compress to a descriptor; several threads pay off in large files only."""
    if codec == GZIP:
        return _Compressor(descriptor, zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31))
    python = _python_zstd()
    if python is not None:
        options = {
            python.CompressionParameter.compression_level: ZSTD_LEVEL,
            python.CompressionParameter.checksum_flag: 1,
        }
        return _Compressor(descriptor, python.ZstdCompressor(options=options))
    return _ZstdSink(descriptor, threads)


def source(codec: str, path: str) -> Source:
    """Read a compressed file. Raises OSError, StepError when this image cannot read its kind."""
    if codec == GZIP:
        return _Decompressor(path, lambda: zlib.decompressobj(31), zlib.error)
    python = _python_zstd()
    if python is not None:
        return _Decompressor(path, python.ZstdDecompressor, python.ZstdError)
    if shutil.which("zstd") is None:
        raise StepError(f"{path} is compressed with zstd, which this image does not have")
    return _ZstdSource(path)


def out_of_space(error: OSError) -> bool:
    """Whether the volume, or somebody's share of it, is full."""
    return error.errno in _FULL


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _python_zstd() -> ModuleType | None:
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return None


class _Compressor:
    """A compressor within Python, of zlib or compression.zstd."""

    def __init__(self, descriptor: int, compressor: Any) -> None:
        self._descriptor, self._compressor = descriptor, compressor

    def write(self, data: bytes | memoryview) -> None:
        write_all(self._descriptor, self._compressor.compress(data))

    def close(self) -> None:
        write_all(self._descriptor, self._compressor.flush())

    def abort(self) -> None:
        """Nothing is left running."""


class _Decompressor:
    """A decompressor within Python; a file may have several gzip members or zstd frames."""

    def __init__(self, path: str, begin: Any, error: type[Exception]) -> None:
        self._path, self._begin, self._error = path, begin, error
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._decompressor: Any = begin()
        self._ready = bytearray()
        self._fed = False

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and self._more():
            pass
        found = bytes(memoryview(self._ready)[:size])
        del self._ready[: len(found)]
        return found

    def _more(self) -> bool:
        data = self._file.read(CHUNK)
        if not data:
            if self._fed and not self._decompressor.eof:
                raise DamagedError(f"{self._path} ends early")
            return False
        while data:
            if self._decompressor.eof:
                self._decompressor = self._begin()
            try:
                self._ready += self._decompressor.decompress(data)
            except self._error as error:
                raise DamagedError(f"{self._path}: {error}") from error
            self._fed = True
            data = self._decompressor.unused_data
        return True

    def close(self) -> None:
        self._file.close()


class _ZstdSink:
    """The zstd command, which writes to the descriptor itself."""

    def __init__(self, descriptor: int, threads: int) -> None:
        self._process = subprocess.Popen(
            # With -T1 it would take some 50 MB for buffers between its threads.
            ["zstd", "-q", "-c", f"-{ZSTD_LEVEL}", f"-T{threads}" if threads > 1 else "--single-thread"],
            stdin=subprocess.PIPE,
            stdout=descriptor,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        widen(self._pipe)

    def write(self, data: bytes | memoryview) -> None:
        try:
            write_all(self._pipe, data)
        except BrokenPipeError:
            self._end()
            raise

    def close(self) -> None:
        self._end()

    def abort(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _end(self) -> None:
        said = self._process.communicate()[1].decode(errors="replace").strip()
        if self._process.returncode:
            number = next((number for number, text in _FULL.items() if text in said), errno.EIO)
            raise OSError(number, said or f"zstd ended with {self._process.returncode}")


class _ZstdSource:
    """The zstd command as a reader."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = subprocess.Popen(
            ["zstd", "-q", "-d", "-c", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=1 << 20,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        widen(self._output.fileno())
        self._ended = False

    def read(self, size: int) -> bytes:
        if self._ended:
            return b""
        found = self._output.read(size)
        if len(found) < size:
            self._ended = True
            said = self._process.communicate()[1].decode(errors="replace").strip()
            if self._process.returncode:
                raise DamagedError(said or f"{self._path}: zstd ended with {self._process.returncode}")
        return found

    def close(self) -> None:
        if not self._ended:
            self._process.kill()
            self._process.communicate()


def widen(pipe: int) -> None:
    """Give a pipe room for a megabyte, so that both ends work at the same time."""
    try:
        fcntl.fcntl(pipe, getattr(fcntl, "F_SETPIPE_SZ", 1031), 1 << 20)
    except OSError:  # the user's share of pipe buffers is used up: smaller ones do
        return
