"""One archive while it is written: a plain tar, compressed, and its manifest beside it.

Both are written as ``*.partial``, and take their names when they are on the disk: what has its name is whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

from . import codecs, tar
from .entries import Entry, sync_directory
from .manifests import ManifestWriter, Place, Record
from .punching import first_byte

SMALL = 1 << 17
"""Bytes up to which a file is read at once."""
MANY_HOLES = 1 << 16
"""Bytes from which it pays off to look for holes."""
PIECE = 1 << 18
BUFFER = 1 << 18
"""Bytes that are compressed at once: few enough to be in the processor's cache still."""
REGULAR = stat.S_IFREG >> 12
PARTIAL = ".partial"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PADDING = [tar.padding(size) for size in range(tar.BLOCK)]


class ArchiveWriter:
    """Writes an archive. Raises OSError, the volume being full among others; ``abort`` then removes it."""

    def __init__(self, place: Place, codec: str, facts: dict[str, Any], threads: int = 1) -> None:
        self.place = place
        for path in (place.archive, place.manifest):
            _make(os.path.dirname(path))
            for leftover in (path, path + PARTIAL):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover)
        self._archive = os.open(place.archive + PARTIAL, _CREATE, 0o640)
        self._listing = -1
        self._running: list[codecs.Sink | ManifestWriter] = []
        try:
            self._listing = os.open(place.manifest + PARTIAL, _CREATE, 0o640)
            self._sink = codecs.sink(codec, self._archive, threads)
            self._running.append(self._sink)
            self.manifest = ManifestWriter(self._listing, {**facts, "archive": place.name}, codec)
            self._running.append(self.manifest)
        except BaseException:
            self.abort()
            raise
        self._parts: list[bytes] = []
        """Bytes that nobody has compressed yet: ``_used`` of them; ``_at`` is where the archive ends with them."""
        self._used = self._at = 0

    def ordinary(  # noqa: C901 - a call costs more
        self, directory: int, below: bytes, records: Sequence[bytes], flags: int
    ) -> list[bytes]:
        """Add the ordinary files (small, whole, one name, as planned) of a directory; returns the records of the others.

        This is the loop that a million files pass; ``small`` does the same for one file, and whoever calls that says
        why one cannot be archived. The bytes that are hashed here are those that are compressed.
        """
        try:
            above = below.decode()
        except UnicodeDecodeError:
            return list(records)
        skip, owner, plain = len(below), (-1, -1, -1), None
        others: list[bytes] = []
        lines: list[str] = []
        parts, used, at, total = self._parts, self._used, self._at, 0
        first, last = 1 << 63, 0
        for record in records:
            try:
                _, inode, length, blocks, time_ns, links, name = record.decode().split(" ", 6)
            except UnicodeDecodeError:
                others.append(record)
                continue
            path = above + name
            encoded = path.encode()
            size, descriptor = int(length), -1
            if links != "1" or size > SMALL or len(encoded) > tar.NAME:
                others.append(record)
                continue
            if size >= MANY_HOLES and int(blocks) * tar.BLOCK < size:
                others.append(record)
                continue
            try:
                descriptor = os.open(encoded[skip:], flags, dir_fd=directory)
                data = os.read(descriptor, size + 1)
                found = os.fstat(descriptor)
            except OSError as error:
                if error.errno == errno.EPERM:  # somebody else's files: they are read as everybody does
                    flags &= ~os.O_NOATIME
                others.append(record)
                continue
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            mode, ino, _, count, uid, gid, now, _, seconds, _ = found  # as a tuple: quicker than name by name
            mtime_ns = int(time_ns)
            if len(data) != size or now != size or found.st_mtime_ns != mtime_ns or ino != int(inode):
                others.append(record)
                continue
            if owner != (mode, uid, gid):
                owner = (mode, uid, gid)
                plain = tar.plain(mode, uid, gid) if mode >> 12 == REGULAR else None
            if plain is None or count != 1 or not 0 <= seconds <= tar.LATEST:
                others.append(record)
                continue
            tail = _PADDING[size % tar.BLOCK]
            parts += (plain.header(encoded, size, int(seconds)), data, tail)
            lines.append(
                f'{{"path":{encode_basestring(path)},"ino":{inode},"size":{length},"mtime_ns":{time_ns},'
                f'"mode":{mode & 0o7777},"at":{at + tar.BLOCK},"sha256":"{sha256(data).hexdigest()}"}}\n'
            )
            taken = tar.BLOCK + size + len(tail)
            at += taken
            used += taken
            total += size
            if mtime_ns < first:
                first = mtime_ns
            if mtime_ns > last:
                last = mtime_ns
            if used >= BUFFER:
                self._flush()
                parts, used = self._parts, 0
        self._used, self._at = used, at
        self.manifest.lines(lines, total, first, last)
        return others

    def small(self, entry: Entry, found: os.stat_result, data: bytes) -> None:
        """Add a whole file whose bytes were read at once."""
        size = len(data)
        head = tar.header(entry.path, size, int(found.st_mtime), found.st_mode, found.st_uid, found.st_gid)
        at = self._at + len(head)
        for part in (head, data, _PADDING[size % tar.BLOCK]):
            self._put(part)
        self.manifest.add(
            Record(
                entry.path,
                entry.ino,
                size,
                found.st_mtime_ns,
                found.st_nlink,
                found.st_mode & 0o7777,
                entry.action,
                0,
                size,
                at,
                sha256(data).hexdigest(),
            )
        )

    def link(self, entry: Entry, found: os.stat_result, first: Record) -> None:
        """Add one more name of a file that is in this archive already."""
        head = tar.header(
            entry.path, 0, int(found.st_mtime), found.st_mode, found.st_uid, found.st_gid, link=first.path
        )
        self._put(head)
        self.manifest.add(first._replace(path=entry.path, link=first.path))

    def streamed(
        self,
        entry: Entry,
        found: os.stat_result,
        descriptor: int,
        segments: tar.Segments | None,
        still: Callable[[os.stat_result], bool],
    ) -> Record | None:
        """Add the range of a file piece by piece, of a sparse one its segments (offset from the range's start, bytes).

        Returns what the manifest says; None when ``still`` denies what fstat(2) told afterwards: the bytes are in
        the archive then, but nothing counts on them.
        """
        length = entry.end - entry.start
        name = entry.path if not entry.start and entry.end == entry.size else part_name(entry)
        about = int(found.st_mtime), found.st_mode, found.st_uid, found.st_gid
        if segments is None:
            self._put(tar.header(name, length, *about))
        else:
            self._put(tar.sparse_header(name, length, segments, *about))
        at, digest, stored, short = self._at, sha256(), 0, False
        for offset, count in [(0, length)] if segments is None else segments:
            place, end = entry.start + offset, entry.start + offset + count
            while place < end:
                data = os.pread(descriptor, min(PIECE, end - place), place)
                if not data:  # it got shorter: the member has to be as long as its header said
                    short = True
                    data = bytes(min(PIECE, end - place))
                digest.update(data)
                self._put(data)
                place += len(data)
            stored += count
        self._put(tar.padding(stored))
        after = os.fstat(descriptor)
        if short or not still(after):
            return None
        record = Record(
            entry.path,
            entry.ino,
            entry.size,
            found.st_mtime_ns,
            found.st_nlink,
            found.st_mode & 0o7777,
            entry.action,
            entry.start,
            entry.end,
            at,
            digest.hexdigest(),
            segments,
        )
        self.manifest.add(record)
        return record

    def finish(self) -> dict[str, Any]:
        """Bring both onto the disk and give them their names. Returns what is in them. Raises OSError."""
        if not self.manifest.entries:
            self.abort()
            return {}
        self._put(tar.END)
        self._flush()
        checksum = self._sink.close()
        self._running.remove(self._sink)
        last = self.manifest.finish(self._at, checksum)
        self._running.clear()
        os.fsync(self._archive)
        size = os.fstat(self._archive).st_size + os.fstat(self._listing).st_size
        self._close()
        for path in (self.place.archive, self.place.manifest):
            os.rename(path + PARTIAL, path)
            sync_directory(os.path.dirname(path))
        return {"archive": self.place.name, "size": size, **last}

    def abort(self) -> None:
        """Remove what was written."""
        while self._running:
            self._running.pop().abort()
        self._close()
        for path in (self.place.archive, self.place.manifest):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + PARTIAL)

    def _close(self) -> None:
        for descriptor in (self._archive, self._listing):
            if descriptor >= 0:
                os.close(descriptor)
        self._archive = self._listing = -1

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self._at += len(data)
        self._used += len(data)
        if self._used >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        parts, self._parts, self._used = self._parts, [], 0
        self._sink.write(b"".join(parts))


def _make(directory: str) -> None:
    """Make a directory, and those above it, on the disk too."""
    if not os.path.isdir(directory):
        above = os.path.dirname(directory)
        _make(above)
        with contextlib.suppress(FileExistsError):  # by a process beside this one
            os.mkdir(directory, 0o750)
        sync_directory(above)


def part_name(entry: Entry) -> bytes:
    """The name of a part of a file in the archive; parts in the order of their names are the file."""
    return b"%s.bytes-%020d-%020d" % (entry.path, entry.start, entry.end)


def segments_of(descriptor: int, start: int, end: int, gap: int = 1 << 16) -> tar.Segments:
    """Where a file has data between start and end: (offset from start, bytes). Holes below ``gap`` bytes count as data.

    All but the last are whole blocks of tar, which GNU tar and Python would read differently otherwise.
    """
    found: list[tuple[int, int]] = []
    place = start
    while place < end:
        try:
            first = os.lseek(descriptor, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # the file system does not tell: then everything counts as data
                return [(0, end - start)]
            break  # a hole up to the end
        if first >= end:
            break
        place = min(end, os.lseek(descriptor, first, os.SEEK_HOLE))
        if found and first - start - sum(found[-1]) < gap:
            found[-1] = (found[-1][0], place - start - found[-1][0])
        else:
            found.append((first - start, place - first))
    if found and found[0][0] and not start:
        # Punched within a block: the zeros before the first byte are the hole's.
        last = sum(found[0])
        first = first_byte(descriptor, last)
        found[0] = (first, last - first) if first < last else found[0]
    length = end - start
    return [(offset, min(count + len(tar.padding(count)), length - offset)) for offset, count in found]
