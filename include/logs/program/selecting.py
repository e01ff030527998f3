"""Which bytes of which archives make up the files that are asked back.

A file that stayed open is in the archives range by range, and what was left of it when it was closed is one more: they
belong together when the path and the inode are the same and no byte is there twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .entries import ARCHIVE_DELETE
from .fields import Fields
from .globs import compiled
from .manifests import Manifest, Place, Record, all_manifests
from .problems import RequestError, StepError
from .request import Request
from .summary import say

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

    @property
    def first(self) -> int:
        """Where its first archived byte was in the file."""
        return min((extent[0] for piece in self.pieces for extent in piece.extents), default=0)

    @property
    def last(self) -> int:
        """Where its last archived byte ended in the file."""
        return max(piece.record.end for piece in self.pieces)

    @property
    def changed(self) -> datetime:
        """When it was last changed, as far as the archives know."""
        return datetime.fromtimestamp(max(p.record.mtime_ns for p in self.pieces) // 10**9, timezone.utc)

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
    by_path: dict[bytes, dict[int, list[Original]]] = {}
    before: dict[tuple[bytes, int], int] = {}
    count = 0
    for place, manifest in _manifests(request, asked.begin):
        for record in manifest:
            if wanted is not None and not wanted(os.fsdecode(record.path)):
                continue
            since = before.get((record.path, record.ino), 0)
            if record.action != ARCHIVE_DELETE:
                before[record.path, record.ino] = record.mtime_ns
            if not _written_within(record, since, asked):
                continue
            count += 1
            if count > MOST:
                raise StepError(f"More than {MOST} files are asked back at once. Ask for a part of them.")
            _add(by_path.setdefault(record.path, {}).setdefault(record.ino, []), Piece(place, record))
    return [file for path in sorted(by_path) for files in by_path[path].values() for file in files]


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
    for path in all_manifests(request.layout):
        try:
            manifest = Manifest(path)
            created = datetime.fromisoformat(str(manifest.header["created"]))
        except (StepError, KeyError, ValueError) as error:
            say(f"Passed over: {path} cannot be read: {error}")
            continue
        place = Place(request.layout, manifest.archive)
        if manifest.header.get("volume") != request.volume or (begin and created.timestamp() < begin):
            continue
        found.append((created, place, manifest))
    found.sort(key=lambda each: (each[0], each[1].name))
    return [(place, manifest) for _, place, manifest in found]


def _written_within(record: Record, since_ns: int, asked: Wish) -> bool:
    """Whether a whole file was last changed in the time, or a range may have lines of it."""
    first = record.mtime_ns if record.action == ARCHIVE_DELETE else since_ns
    begin = float("-inf") if asked.begin is None else asked.begin * 1e9
    end = float("inf") if asked.end is None else asked.end * 1e9
    return record.mtime_ns >= begin and first < end


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
