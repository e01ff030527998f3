"""Files as they were, put together from their pieces in the archives.

A file that stayed open is in the archives range by range, and what was left of it when it was closed is one more: they
belong together when the path and the inode are the same and no byte is there twice.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .entries import ARCHIVE_DELETE
from .manifests import Place, Record

_MOMENT = re.compile(rb"\.\d{8}T\d{6}Z(-\d+)?$")
"""What ``names`` adds to a path."""


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
    def size(self) -> int:
        """Bytes that its pieces are about."""
        return sum(piece.record.end - piece.record.start for piece in self.pieces)

    @property
    def needed(self) -> int:
        """What it takes once it is back."""
        return sum(needed(piece.record) for piece in self.pieces)

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

    def facts(self) -> dict[str, Any]:
        """As the answer has it."""
        return {
            "first": self.first,
            "last": self.last,
            "archives": sorted({piece.place.name for piece in self.pieces}),
        }


class Together:
    """Puts files together from pieces that come in the order of their archives."""

    def __init__(self) -> None:
        self._by_path: dict[bytes, dict[int, list[Original]]] = {}

    def add(self, piece: Piece) -> None:
        """One more; what is there already is not taken twice."""
        files = self._by_path.setdefault(piece.record.path, {}).setdefault(piece.record.ino, [])
        for file in files:
            if any(mine.place == piece.place and mine.record == piece.record for mine in file.pieces):
                return
        if files and files[-1].takes(piece):
            files[-1].pieces.append(piece)
        else:
            files.append(Original(piece.record.path, [piece]))

    def files(self) -> list[Original]:
        """In the order of their paths."""
        return [
            file for path in sorted(self._by_path) for files in self._by_path[path].values() for file in files
        ]


def needed(record: Record) -> int:
    """What a piece takes once it is back: one more name of a file comes back as a file of its own."""
    return record.end - record.start if record.link else record.stored


def key_of(path: bytes) -> int:
    """A number (64 bits) that is the same for paths of which ``names`` may make one name."""
    name = _MOMENT.sub(b"", path)
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


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
