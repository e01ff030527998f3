"""Compressing archives: zstd where Python (3.14) or the image has it, gzip otherwise.

Both write checksums of their own, and both can be read by the tools of their names.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from . import libzstd
from .compressed import (
    HASH_LOG,
    PIECE,
    WINDOW_LOG,
    ZSTD_LEVEL,
    DamagedError,
    Input,
    Output,
    Sink,
    Source,
    write_all,
)
from .problems import OUT_OF_SPACE, StepError

__all__ = [
    "DamagedError",
    "Sink",
    "Source",
    "choose",
    "codec_of",
    "out_of_space",
    "sink",
    "source",
    "write_all",
]
ZSTD, GZIP = "zstd", "gzip"
SUFFIXES = {ZSTD: ".zst", GZIP: ".gz"}
GZIP_LEVEL, QUICK = 6, 1  # what the tool takes by default, and the lowest


def choose(wanted: str) -> str:
    """ZSTD or GZIP, from the request's ``auto``, ``zstd`` or ``gzip``. Raises StepError when it is not there."""
    if wanted == GZIP:
        return GZIP
    there = _python_zstd() is not None or libzstd.library() is not None or _command().there()
    if wanted == ZSTD and not there:
        raise StepError(
            "The request asks for zstd, which this image does not have.\n"
            "Ask for gzip or auto, or use an image with the zstd command, its library or Python 3.14."
        )
    return ZSTD if there else GZIP


def codec_of(path: str) -> str:
    """The codec that a file's name tells. Raises StepError."""
    for codec, suffix in SUFFIXES.items():
        if path.endswith(suffix):
            return codec
    raise StepError(f"{path} is no archive: its name ends in none of {', '.join(SUFFIXES.values())}")


def sink(codec: str, descriptor: int, threads: int = 1, quick: bool = False) -> Sink:
    """Compress to a descriptor, open for reading too; several threads pay off in large files only. Raises OSError.

    ``quick``: gzip at its lowest level.
    """
    if codec == GZIP:
        return _Compressor(descriptor, zlib.compressobj(QUICK if quick else GZIP_LEVEL, zlib.DEFLATED, 31))
    python = _python_zstd()
    if python is not None:
        options = {
            python.CompressionParameter.compression_level: ZSTD_LEVEL,
            python.CompressionParameter.window_log: WINDOW_LOG,
            python.CompressionParameter.hash_log: HASH_LOG,
            python.CompressionParameter.checksum_flag: 1,
        }
        return _Compressor(descriptor, python.ZstdCompressor(options=options))
    if libzstd.library() is not None:
        return libzstd.LibrarySink(descriptor, threads)
    sink: Sink = _command().CommandSink(descriptor, threads)
    return sink


def source(codec: str, path: str) -> Source:
    """Read a compressed file. Raises OSError, StepError when this image cannot read its kind."""
    if codec == GZIP:
        return _Gunzip(path)
    python = _python_zstd()
    if python is not None:
        return _PythonZstd(path, python)
    if libzstd.library() is not None:
        return libzstd.LibrarySource(path)
    if not _command().there():
        raise StepError(f"{path} is compressed with zstd, which this image does not have")
    source: Source = _command().CommandSource(path)
    return source


def out_of_space(error: OSError) -> bool:
    """Whether the volume, or somebody's share of it, is full."""
    return error.errno in OUT_OF_SPACE


def _python_zstd() -> ModuleType | None:
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return None


def _command() -> Any:
    """Its module, where it is needed: few images have no library, and starting a step takes long enough."""
    return importlib.import_module(".zstdcommand", __package__)


class _Compressor:
    """A compressor within Python, of zlib or compression.zstd."""

    def __init__(self, descriptor: int, compressor: Any) -> None:
        self._output, self._compressor = Output(descriptor), compressor

    def write(self, data: bytes | memoryview) -> None:
        self._output.write(self._compressor.compress(data))

    def close(self) -> str:
        self._output.write(self._compressor.flush())
        return self._output.checksum()

    def abort(self) -> None:
        """Nothing is left running."""


class _Decompressor(Source):
    """A decompressor within Python, of zlib or compression.zstd."""

    def __init__(self, path: str) -> None:
        self._input = Input(path)

    def checksum(self) -> str:
        return self._input.checksum()

    def close(self) -> None:
        self._input.close()


class _Gunzip(_Decompressor):
    """gzip; a file may have several members."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        decompressor = zlib.decompressobj(31)
        while True:
            data = self._input.read()
            if not data:
                break
            while data:
                if decompressor.eof:
                    decompressor = zlib.decompressobj(31)
                try:
                    piece = decompressor.decompress(data, PIECE)
                except zlib.error as error:
                    raise DamagedError(f"{self._input.path}: {error}") from error
                data = decompressor.unconsumed_tail or decompressor.unused_data
                if piece:
                    yield piece
        if not decompressor.eof:
            raise DamagedError(f"{self._input.path} ends early")


class _PythonZstd(_Decompressor):
    """compression.zstd; a file may have several frames."""

    def __init__(self, path: str, zstd: ModuleType) -> None:
        super().__init__(path)
        self._zstd = zstd

    def pieces(self) -> Iterator[bytes | memoryview]:
        decompressor = self._zstd.ZstdDecompressor()
        while True:
            data = self._input.read()
            if not data:
                break
            while data or not decompressor.needs_input:
                if decompressor.eof:
                    data = data or decompressor.unused_data
                    if not data:
                        break
                    decompressor = self._zstd.ZstdDecompressor()
                try:
                    piece = decompressor.decompress(data, PIECE)
                except self._zstd.ZstdError as error:
                    raise DamagedError(f"{self._input.path}: {error}") from error
                data = b""
                if piece:
                    yield piece
        if not decompressor.eof:
            raise DamagedError(f"{self._input.path} ends early")
