"""Which bytes of which archives make up the files that are asked back.

A file that stayed open is in the archives range by range, and what was left of it when it was closed is one more: they
belong together when the path and the inode are the same and no byte is there twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .entries import ARCHIVE_DELETE
from .fields import Fields
from .globs import compiled
from .manifests import Manifest, Place, Record, all_manifests
from .problems import RequestError, StepError
from .request import DAY, Request
from .summary import say

AFTER_DAYS = 7
"""A log that was written to for longer than that is found by its name, or by its last day."""
_ROTATED = re.compile(rb"([.-](\d{1,3}|\d{8,14}|\d{4}-\d\d-\d\d(T?[-_]?\d+)?)|\.(gz|xz|bz2|zst))+$")
"""What a rotation adds to a log's name: .1, -20261121, .2026-11-21, .gz."""
MOST = 500_000
"""Files that one restore brings back; their list has to fit into memory."""


@dataclass(frozen=True)
class Wish:
    """What is asked back: paths, and when the bytes were written (seconds since 1970)."""

    globs: tuple[str, ...]
    begin: float | None
    end: float | None
    to: str


@dataclass
class Piece:
    """Bytes of a file in an archive."""

    place: Place
    record: Record

    @property
    def extents(self) -> list[tuple[int, int, int]]:
        """(place in the file, bytes, place in the archive) of everything that was stored."""
        if self.record.segments is None:
            return [(self.record.start, self.record.end - self.record.start, self.record.at)]
        found, at = [], self.record.at
        for offset, count in self.record.segments:
            if count:
                found.append((self.record.start + offset, count, at))
            at += count
        return found


@dataclass
class Original:
    """A file as it was, from its first archived byte on."""

    path: bytes
    pieces: list[Piece] = field(default_factory=list)
    punched: bool = False
    """Whether what it had before that was archived, too, and is gone: else a hole at its beginning is its own."""

    @property
    def first(self) -> int:
        """Where its first archived byte was in the file."""
        if self.punched:
            return min((extent[0] for piece in self.pieces for extent in piece.extents), default=0)
        return min(piece.record.start for piece in self.pieces)

    @property
    def last(self) -> int:
        """Where its last archived byte ended in the file."""
        return max(piece.record.end for piece in self.pieces)

    @property
    def changed_s(self) -> float:
        """When it was last changed, as far as the archives know: seconds since 1970."""
        return max(piece.record.mtime_ns for piece in self.pieces) / 1e9

    @property
    def changed(self) -> datetime:
        """The same, to the second below."""
        return datetime.fromtimestamp(int(self.changed_s), timezone.utc)

    @property
    def begins_with_a_hole(self) -> bool:
        """Whether nothing is archived of the beginning of a file that was archived whole, as far as one knows."""
        return all(piece.record.action == ARCHIVE_DELETE for piece in self.pieces) and all(
            extent[0] > 0 for piece in self.pieces for extent in piece.extents
        )

    def takes(self, piece: Piece) -> bool:
        """Whether the piece goes on where this file ends."""
        ends = max((place + count for mine in self.pieces for place, count, _ in mine.extents), default=0)
        begins = min((place for place, _, _ in piece.extents), default=piece.record.end)
        return begins >= ends > 0


def wish(request: Request) -> Wish:
    """What the request asks back. Raises RequestError."""
    fields = Fields(dict(request.restore), "request.restore")
    globs = fields.texts("globs") if "globs" in request.restore else ()
    found = Wish(globs, fields.moment("from"), fields.moment("until"), fields.text("to", ""))
    fields.end()
    if not found.globs and found.begin is None and found.end is None:
        raise RequestError("request.restore", request.restore, "globs, or from and until, or both")
    for part in found.to.split("/"):
        if part == "..":
            raise RequestError("request.restore.to", found.to, "a path without '..'")
    return found


def select(request: Request, asked: Wish) -> list[Original]:
    """The files, in the order of their paths. Raises StepError where there are too many."""
    wanted = compiled([asked.globs]).match if asked.globs else None
    chosen = Chosen()
    spans = Spans(asked)
    for place, manifest in _manifests(request, asked.begin):
        for record in manifest:
            if wanted is not None and not wanted(os.fsdecode(record.path)):
                continue
            if spans.has(record):
                chosen.add(Piece(place, record))
            else:
                spans.offer(place, record)
    for place, record in spans.later():
        chosen.add(Piece(place, record))
    found = chosen.files()
    _mark_punched(request, found)
    return found


class Chosen:
    """The files that are asked back, put together from their pieces."""

    def __init__(self) -> None:
        self._by_path: dict[bytes, dict[int, list[Original]]] = {}
        self._count = 0

    def add(self, piece: Piece) -> None:
        """One more. Raises StepError where there are too many."""
        self._count += 1
        if self._count > MOST:
            raise StepError(f"More than {MOST:,} files are asked back at once. Ask for a part of them.")
        _add(self._by_path.setdefault(piece.record.path, {}).setdefault(piece.record.ino, []), piece)

    def files(self) -> list[Original]:
        """In the order of their paths."""
        return [
            file for path in sorted(self._by_path) for files in self._by_path[path].values() for file in files
        ]


class Spans:
    """Which archived bytes may be of the time that is asked for.

    Of a file that was archived whole only its last change is known. So those count that were changed last within the time;
    and of each log, over all that it was renamed to, the next one after it, which may have been begun within: up to
    ``AFTER_DAYS`` later.
    """

    def __init__(self, asked: Wish) -> None:
        self._begin = float("-inf") if asked.begin is None else asked.begin * 1e9
        self._end = float("inf") if asked.end is None else asked.end * 1e9
        self._before: dict[int, int] = {}
        """When the last archived range of a file was written that stayed open, by its inode."""
        self._later: dict[bytes, list[tuple[Place, Record]]] = {}

    def has(self, record: Record) -> bool:
        """Whether it certainly is, or, of a range, may have lines of it."""
        since = self._before.get(record.ino)
        if record.action != ARCHIVE_DELETE:
            self._before[record.ino] = record.mtime_ns
            first = since or 0
        else:
            first = record.mtime_ns if since is None or since > record.mtime_ns else since
        return record.mtime_ns >= self._begin and first < self._end

    def offer(self, place: Place, record: Record) -> None:
        """A file that was changed after the time, and may have been begun within it."""
        known = self._before.get(record.ino)
        if (
            record.action != ARCHIVE_DELETE
            or not self._end <= record.mtime_ns < self._end + AFTER_DAYS * DAY * 10**9
        ):
            return
        if known is not None and known <= record.mtime_ns:
            return  # its older lines were archived before
        name = _ROTATED.sub(b"", record.path)
        mine = self._later.setdefault(name, [])
        if mine and mine[0][1].mtime_ns > record.mtime_ns:
            mine.clear()
        if not mine or mine[0][1].mtime_ns == record.mtime_ns:
            mine.append((place, record))

    def later(self) -> Iterator[tuple[Place, Record]]:
        """The first of each log after the time."""
        for files in self._later.values():
            yield from files


def _mark_punched(request: Request, found: list[Original]) -> None:
    """Tell a file whose beginning was archived before from one that has always begun with a hole."""
    asked: dict[int, list[Original]] = {}
    for file in found:
        if file.begins_with_a_hole:
            asked.setdefault(file.pieces[0].record.ino, []).append(file)
    if asked:
        for _, manifest in _manifests(request, None):
            for record in manifest:
                if record.action != ARCHIVE_DELETE:
                    for file in asked.get(record.ino, ()):
                        file.punched |= record.mtime_ns <= file.changed_s * 1e9


def names(files: list[Original]) -> list[bytes]:
    """A path for each file: its own, and the time of its last change where several files had one path."""
    many: dict[bytes, int] = {}
    for file in files:
        many[file.path] = many.get(file.path, 0) + 1
    found: list[bytes] = []
    taken: set[bytes] = set()
    for file in files:
        path = file.path
        if many[path] > 1:
            path += file.changed.strftime(".%Y%m%dT%H%M%SZ").encode()
        base, number = path, 2
        while path in taken:
            path = base + b"-%d" % number
            number += 1
        taken.add(path)
        found.append(path)
    return found


def _manifests(request: Request, begin: float | None) -> list[tuple[Place, Manifest]]:
    """The volume's manifests, oldest first, from those on that can have bytes of the time."""
    found = []
    for base, path in all_manifests(request.layout):
        try:
            manifest = Manifest(path)
            created = datetime.fromisoformat(str(manifest.header["created"]))
        except (StepError, KeyError, ValueError) as error:
            say(f"Passed over: {path} cannot be read: {error}")
            continue
        place = Place(request.layout, manifest.archive, base)
        if manifest.header.get("volume") != request.volume or (begin and created.timestamp() < begin):
            continue
        found.append((created, place, manifest))
    found.sort(key=lambda each: (each[0], each[1].name))
    once = {
        place.name: (place, manifest) for _, place, manifest in reversed(found)
    }  # it may lie in both places
    return list(reversed(once.values()))


def _add(files: list[Original], piece: Piece) -> None:
    for file in files:
        if any(mine.place == piece.place and mine.record == piece.record for mine in file.pieces):
            return
    if files and files[-1].takes(piece):
        files[-1].pieces.append(piece)
    else:
        files.append(Original(piece.record.path, [piece]))


def facts(file: Original) -> dict[str, Any]:
    """As the answer has it."""
    return {"first": file.first, "last": file.last, "archives": sorted({p.place.name for p in file.pieces})}
