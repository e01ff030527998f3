"""zstd by its library, which most images have: dpkg, apk and rpm use it themselves.

The bytes go straight from our buffer into the compressor, which no pipe to a process of its own can do. What is used
of the library is its stable interface (zstd.h), from version 1.4 on.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .compressed import HASH_LOG, PIECE, WINDOW_LOG, ZSTD_LEVEL, DamagedError, Input, Output, Source

NAMES = ("libzstd.so.1",)
_LEAST_VERSION = 10400
_LEVEL, _WINDOW_LOG, _HASH_LOG = 100, 101, 102  # ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_c_hashLog
_CHECKSUM, _WORKERS = 201, 400  # ZSTD_c_checksumFlag, ZSTD_c_nbWorkers
_CONTINUE, _END = 0, 2  # ZSTD_e_continue, ZSTD_e_end
_WRITE = 1 << 18
_READ = min(PIECE, 1 << 18)  # stays in the processor's cache


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer: where it is, its bytes, and how many of them are used."""

    _fields_ = (("place", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t))
    place: int
    size: int
    used: int


@lru_cache(maxsize=None)
def library() -> Any:
    """The library; None where it is not there, or too old."""
    for name in NAMES:
        with contextlib.suppress(OSError, AttributeError):
            found = ctypes.CDLL(name)
            if found.ZSTD_versionNumber() >= _LEAST_VERSION:
                return _declared(found)
    return None


def _declared(found: Any) -> Any:
    context, buffer = ctypes.c_void_p, ctypes.POINTER(_Buffer)
    for name, result, arguments in (
        ("ZSTD_isError", ctypes.c_uint, [ctypes.c_size_t]),
        ("ZSTD_getErrorName", ctypes.c_char_p, [ctypes.c_size_t]),
        ("ZSTD_createCCtx", context, []),
        ("ZSTD_freeCCtx", ctypes.c_size_t, [context]),
        ("ZSTD_CCtx_setParameter", ctypes.c_size_t, [context, ctypes.c_int, ctypes.c_int]),
        ("ZSTD_compressStream2", ctypes.c_size_t, [context, buffer, buffer, ctypes.c_int]),
        ("ZSTD_createDCtx", context, []),
        ("ZSTD_freeDCtx", ctypes.c_size_t, [context]),
        ("ZSTD_decompressStream", ctypes.c_size_t, [context, buffer, buffer]),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class LibrarySink:
    """Compresses within this process."""

    def __init__(self, descriptor: int, threads: int) -> None:
        self._zstd = library()
        self._output = Output(descriptor)
        self._memory = bytearray(_WRITE)
        self._view = memoryview(self._memory)
        self._out = _Buffer(_address(self._memory), _WRITE, 0)
        self._in = _Buffer(0, 0, 0)
        self._context = self._zstd.ZSTD_createCCtx()
        if not self._context:
            raise MemoryError
        wanted = ((_LEVEL, ZSTD_LEVEL), (_WINDOW_LOG, WINDOW_LOG), (_HASH_LOG, HASH_LOG), (_CHECKSUM, 1))
        for parameter, value in wanted:
            self._checked(self._zstd.ZSTD_CCtx_setParameter(self._context, parameter, value))
        if threads > 1:  # refused by a library without threads: then it is one
            self._zstd.ZSTD_CCtx_setParameter(self._context, _WORKERS, threads)

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. Raises OSError."""
        if not data:
            return
        if isinstance(data, memoryview) and data.readonly:
            data = bytes(data)
        self._in.place, self._in.size, self._in.used = _address(data), len(data), 0
        while self._in.used < self._in.size:
            self._step(_CONTINUE)

    def close(self) -> str:
        """Write what is left. Returns the SHA-256 of the compressed bytes. Raises OSError."""
        self._in.size = self._in.used = 0
        while self._step(_END):
            pass
        self._flush()
        self.abort()
        return self._output.checksum()

    def abort(self) -> None:
        """Let go of the memory."""
        context, self._context = self._context, None
        self._zstd.ZSTD_freeCCtx(context)

    def _step(self, what: int) -> int:
        left = self._checked(
            self._zstd.ZSTD_compressStream2(
                self._context, ctypes.byref(self._out), ctypes.byref(self._in), what
            )
        )
        if self._out.used == _WRITE:
            self._flush()
        return left

    def _flush(self) -> None:
        self._output.write(self._view[: self._out.used])
        self._out.used = 0

    def _checked(self, result: int) -> int:
        if self._zstd.ZSTD_isError(result):
            raise RuntimeError(f"zstd: {self._zstd.ZSTD_getErrorName(result).decode()}")
        return result


class LibrarySource(Source):
    """Decompresses within this process; a file may have several frames."""

    def __init__(self, path: str) -> None:
        self._zstd = library()
        self._input = Input(path)
        self._context = self._zstd.ZSTD_createDCtx()
        if not self._context:
            raise MemoryError

    def pieces(self) -> Iterator[bytes | memoryview]:
        """What the file holds. Raises DamagedError."""
        size = _READ
        memory = bytearray(size)
        view, out, feed = memoryview(memory), _Buffer(_address(memory), size, 0), _Buffer(0, 0, 0)
        decompress, left = self._zstd.ZSTD_decompressStream, 1
        while True:
            data = self._input.read()
            if not data:
                break
            feed.place, feed.size, feed.used = _address(data), len(data), 0
            # Within a frame and with a full buffer there may be more, though everything was taken.
            while feed.used < feed.size or (left and out.used == size):
                out.used = 0
                left = decompress(self._context, ctypes.byref(out), ctypes.byref(feed))
                if self._zstd.ZSTD_isError(left):
                    raise DamagedError(f"{self._input.path}: {self._zstd.ZSTD_getErrorName(left).decode()}")
                if out.used:
                    yield view[: out.used]
        if left:
            raise DamagedError(f"{self._input.path} ends early")

    def checksum(self) -> str:
        """The SHA-256 of the compressed bytes."""
        return self._input.checksum()

    def close(self) -> None:
        """Let go of the file and the memory."""
        self._zstd.ZSTD_freeDCtx(self._context)
        self._context = None
        self._input.close()


def _address(data: Any) -> int:
    """Where bytes lie; whoever asks keeps them until they are used."""
    if isinstance(data, bytes):
        return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    return ctypes.addressof(ctypes.c_char.from_buffer(data))
