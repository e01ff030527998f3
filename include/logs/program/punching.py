"""Freeing the space of bytes in the middle of an open file, without touching what comes after them.

The file keeps its length, and its writer its place: only the blocks of the range go back to the file system, and
the range reads as zeros from then on (fallocate(2), FALLOC_FL_PUNCH_HOLE).
"""

from __future__ import annotations

import ctypes
import errno
import os

KEEP_SIZE, PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h
CHUNK = 1 << 20
BLOCK = 512  # what st_blocks counts in, whatever the file system's own size is


class NotPunchableError(Exception):
    """This file system, or this C library, frees no ranges within a file."""


def punch(descriptor: int, start: int, end: int) -> int:
    """Free bytes start to end of a file that is open for reading and writing; returns the bytes that came back.

    A block that the last punch emptied up to ``start`` goes with them: it reads as zeros before and after.
    Raises NotPunchableError, OSError.
    """
    found = os.fstat(descriptor)
    within = start % found.st_blksize
    if within and not os.pread(descriptor, within, start - within).strip(b"\0"):
        start -= within
    if end > start:
        _fallocate(descriptor, start, end - start)
    return max(0, found.st_blocks - os.fstat(descriptor).st_blocks) * BLOCK


def _fallocate(descriptor: int, start: int, length: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)  # musl has the second
    if call is None:
        raise NotPunchableError("the C library has no fallocate")
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    while call(descriptor, PUNCH_HOLE | KEEP_SIZE, start, length):
        number = ctypes.get_errno()
        if number in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise NotPunchableError(os.strerror(number))
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def first_byte(descriptor: int, end: int) -> int:
    """Where the bytes that were not punched yet begin; ``end`` when nothing is left below it.

    A hole ends at a block's border, the punched range within the block: the zeros up to there are skipped too,
    which no line of a log begins with.
    """
    try:
        place = os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: no data at all. Otherwise the file system does not tell, and has no holes either.
        return end if error.errno == errno.ENXIO else 0
    if place == 0:
        return 0
    while place < end:
        piece = os.pread(descriptor, min(CHUNK, end - place), place)
        if not piece:
            return end
        rest = piece.lstrip(b"\0")
        place += len(piece) - len(rest)
        if rest:
            return place
    return end


def line_end(descriptor: int, start: int, end: int) -> int:
    """Where the last whole line below ``end`` ends, ``start`` when there is none after it: lines stay whole."""
    upper = end
    while upper > start:
        lower = max(start, upper - CHUNK)
        found = os.pread(descriptor, upper - lower, lower).rfind(b"\n")
        if found >= 0:
            return lower + found + 1
        upper = lower
    return start
