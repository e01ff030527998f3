"""Writing tar members as bytes: POSIX ustar, with pax records where that has no room. GNU tar and Python read it.

Python's own tarfile takes tens of microseconds for a header, most of what a small file takes in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import adler32

BLOCK = 512
END = bytes(2 * BLOCK)
FILE, LINK, PAX = b"0", b"1", b"x"
_LARGEST_SIZE, _LARGEST_ID = 8**11 - 1, 8**7 - 1
_FIELDS = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0        %s%sustar\x0000"
_NOBODY = bytes(32 + 32 + 8 + 8)  # names of user and group, device numbers
_TAIL = FILE + bytes(100) + b"ustar\x0000" + _NOBODY + bytes(155 + 12)
"""Of a plain header, from the kind on."""
Segments = Sequence[tuple[int, int]]


def header(name: bytes, size: int, mtime: int, mode: int, uid: int, gid: int, link: bytes = b"") -> bytes:
    """What comes before a member's bytes; with ``link`` the member is one more name of that earlier one.

    Sizes in bytes, ``mtime`` in seconds since 1970. Names are bytes: they need not be UTF-8.
    """
    kind = LINK if link else FILE
    short = len(name) <= 100 and len(link) <= 100
    small = size <= _LARGEST_SIZE and uid <= _LARGEST_ID and gid <= _LARGEST_ID
    if short and small and 0 <= mtime <= _LARGEST_SIZE:
        return _block(name, b"", size, mtime, mode, uid, gid, kind, link)
    return _extended(name, size, mtime, mode, uid, gid, kind, link, {})


class Plain(NamedTuple):
    """What the headers of ordinary members of one owner and mode have in common: put together once for many of them.

    A member is ordinary when its name has at most ``NAME`` bytes, it is smaller than 8 GiB and was changed in
    1970 or later, at a time that ustar can say.
    """

    fields: bytes
    added: int
    """The sum of the bytes that are the same."""

    def header(self, name: bytes, size: int, mtime: int) -> bytes:
        """The same as the function ``header`` gives, in a third of the time."""
        numbers = b"%011o\0%011o\0" % (size, mtime)
        # adler32 begins with 1 and adds the bytes up, modulo 65521: more than these can be. sum() takes three times as long.
        checksum = b"%06o\0 " % ((adler32(numbers, adler32(name)) & 0xFFFF) - 1 + self.added)
        return b"".join((name.ljust(100, b"\0"), self.fields, numbers, checksum, _TAIL))


NAME = 100
LATEST = _LARGEST_SIZE
"""Seconds since 1970."""


def plain(mode: int, uid: int, gid: int) -> Plain | None:
    """For members of one owner and mode; None where these do not fit."""
    if uid > _LARGEST_ID or gid > _LARGEST_ID:
        return None
    fields = b"%07o\0%07o\0%07o\0" % (mode & 0o7777, uid, gid)
    return Plain(fields, sum(fields) + sum(b" " * 8) + sum(_TAIL))


def sparse_header(
    name: bytes, length: int, segments: Segments, mtime: int, mode: int, uid: int, gid: int
) -> bytes:
    """The same for a file with holes, of which only the segments (offset, bytes) follow: GNU's format 1.0.

    All segments but the last must be whole blocks.
    """
    told = [*segments] if segments and sum(segments[-1]) == length else [*segments, (length, 0)]
    table = b"%d\n" % len(told) + b"".join(b"%d\n%d\n" % segment for segment in told)
    table += padding(len(table))
    stored = len(table) + sum(count for _, count in segments)
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": name,
        b"GNU.sparse.realsize": b"%d" % length,
    }
    folder, _, last = name.rpartition(b"/")
    plain = b"/".join(part for part in (folder, b"GNUSparseFile.0", last) if part)
    return _extended(plain, stored, mtime, mode, uid, gid, FILE, b"", records) + table


def padding(size: int) -> bytes:
    """What fills up a member's last block."""
    return bytes(-size % BLOCK)


def _extended(
    name: bytes,
    size: int,
    mtime: int,
    mode: int,
    uid: int,
    gid: int,
    kind: bytes,
    link: bytes,
    records: dict[bytes, bytes],
) -> bytes:
    """A pax header with what the plain one has no room for, and the plain one."""
    short, prefix = _split(name)
    if not short:
        short = name[-100:].lstrip(b"/")
        records[b"path"] = name
    if len(link) > 100:
        records[b"linkpath"] = link
    if size > _LARGEST_SIZE:
        records[b"size"] = b"%d" % size
    if not 0 <= mtime <= _LARGEST_SIZE:
        records[b"mtime"] = b"%d" % mtime
    for key, number in ((b"uid", uid), (b"gid", gid)):
        if number > _LARGEST_ID:
            records[key] = b"%d" % number
    plain = _block(
        short,
        prefix,
        size if size <= _LARGEST_SIZE else 0,
        mtime if 0 <= mtime <= _LARGEST_SIZE else 0,
        mode,
        uid if uid <= _LARGEST_ID else 0,
        gid if gid <= _LARGEST_ID else 0,
        kind,
        link[:100],
    )
    if not records:
        return plain
    body = b"".join(_record(*each) for each in records.items())
    first = _block(b"PaxHeaders/" + short[-80:], b"", len(body), 0, 0o644, 0, 0, PAX, b"")
    return first + body + padding(len(body)) + plain


def _split(name: bytes) -> tuple[bytes, bytes]:
    """The name as ustar has it: at most 100 bytes, and what is before the ``/`` in front of them, at most 155."""
    if len(name) <= 100:
        return name, b""
    cut = name.find(b"/", len(name) - 101)
    if cut <= 0 or cut > 155 or cut == len(name) - 1:
        return b"", b""
    return name[cut + 1 :], name[:cut]


def _record(key: bytes, value: bytes) -> bytes:
    """One line, ``<length> key=value``; the length counts its own digits too."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    name: bytes, prefix: bytes, size: int, mtime: int, mode: int, uid: int, gid: int, kind: bytes, link: bytes
) -> bytes:
    fields = _FIELDS % (
        name.ljust(100, b"\0"),
        mode & 0o7777,
        uid,
        gid,
        size,
        mtime,
        kind,
        link.ljust(100, b"\0"),
    )
    checksum = sum(fields) + sum(prefix)
    return b"".join(
        (fields[:148], b"%06o\0 " % checksum, fields[156:], _NOBODY, prefix.ljust(155, b"\0"), bytes(12))
    )
