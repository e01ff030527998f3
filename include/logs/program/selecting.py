"""Which bytes of which archives make up the files that are asked back.

There may be millions: of each only a few numbers are kept, and the manifests are read again for what is restored next.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .entries import ARCHIVE_DELETE
from .fields import Fields
from .globs import compiled
from .manifests import Manifest, Place, Record, all_manifests
from .originals import Original, Piece, Together, key_of, needed
from .problems import RequestError, StepError
from .request import DAY, Request
from .summary import say

AFTER_DAYS = 7
"""A log that was written to for longer than that is found by its name, or by its last day."""
AT_ONCE = 50_000
"""Pieces of files in memory at a time: some 70 MB."""
_ROTATED = re.compile(rb"([.-](\d{1,3}|\d{8,14}|\d{4}-\d\d-\d\d(T?[-_]?\d+)?)|\.(gz|xz|bz2|zst))+$")
"""What a rotation adds to a log's name: .1, -20261121, .2026-11-21, .gz."""


@dataclass(frozen=True)
class Wish:
    """What is asked back: paths, and when the bytes were written (seconds since 1970)."""

    globs: tuple[str, ...]
    begin: float | None
    end: float | None
    to: str


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


class Selection:
    """The files that are asked back. What is known of each piece takes 12 bytes."""

    def __init__(self, request: Request, asked: Wish) -> None:
        self._request = request
        self._wanted = compiled([asked.globs]).match if asked.globs else None
        self._manifests = _manifests(request, asked.begin)
        self._pieces = [array("I") for _ in self._manifests]
        """Of each manifest, which of its records."""
        self._keys = array("Q")
        """For each of these, in this order, ``key_of`` its path."""
        self._punched: dict[int, int] | None = None
        self.damaged: dict[str, str] = {}
        """Archives whose manifests can be read in part only, and why."""
        self.size = self.needed = 0
        """Bytes that the pieces are about, and what they take once they are back."""
        self._choose(asked)
        self._several = _twice(self._keys)
        several = sum(key in self._several for key in self._keys)
        self._parts = -(-several // AT_ONCE)
        self.files = len(self._keys) - several + sum(len(self._part(part)) for part in range(self._parts))

    def batches(self) -> Iterator[list[Original]]:
        """The files, so many at a time as fit into memory: those of one piece by their archives, then the others by path.

        The same ones whenever it is asked, unless there are other archives.
        """
        files: list[Original] = []
        for piece, key in self._chosen():
            if key not in self._several:
                files.append(Original(piece.record.path, [piece]))
                if len(files) >= AT_ONCE:
                    yield self._marked(files)
                    files = []
        if files:
            yield self._marked(files)
        for part in range(self._parts):
            yield self._marked(self._part(part))

    def _choose(self, asked: Wish) -> None:
        spans = Spans(asked)
        if asked.end is not None:
            for _, _, record in self._records():
                if not spans.has(record):
                    spans.offer(record)
            spans = spans.again()
        for number, position, record in self._records():
            if spans.has(record) or spans.is_next(record):
                self._pieces[number].append(position)
                self._keys.append(key_of(record.path))
                self.size += record.end - record.start
                self.needed += needed(record)

    def _records(self) -> Iterator[tuple[int, int, Record]]:
        """Those that the globs match: the number of the manifest, the place in it, and the record."""
        for number, (place, manifest) in enumerate(self._manifests):
            try:
                for position, record in enumerate(manifest):
                    if self._wanted is None or self._wanted(os.fsdecode(record.path)):
                        yield number, position, record
            except StepError as error:  # what was read until there is right: each file has its checksum
                self.damaged[place.name] = error.text

    def _chosen(self) -> Iterator[tuple[Piece, int]]:
        """The pieces once more, with their keys."""
        at = 0
        for (place, manifest), positions in zip(self._manifests, self._pieces):
            if not positions:
                continue
            wanted = iter(positions)
            following = next(wanted, None)
            for position, record in enumerate(manifest):
                if position == following:
                    yield Piece(place, record), self._keys[at]
                    at += 1
                    following = next(wanted, None)
                    if following is None:
                        break

    def _part(self, part: int) -> list[Original]:
        """The files of several pieces, or of a path that several have: one of ``_parts`` parts."""
        together = Together()
        for piece, key in self._chosen():
            if key in self._several and key % self._parts == part:
                together.add(piece)
        return together.files()

    def _marked(self, files: list[Original]) -> list[Original]:
        """Tell a file whose beginning was archived before from one that has always begun with a hole."""
        for file in files:
            if file.begins_with_a_hole:
                if self._punched is None:
                    self._punched = self._ranges()
                first = self._punched.get(file.pieces[0].record.ino)
                file.punched = first is not None and first <= file.changed_s * 1e9
        return files

    def _ranges(self) -> dict[int, int]:
        """When the first range was archived of each file that stayed open, by inode: from all manifests."""
        found: dict[int, int] = {}
        for _, manifest in _manifests(self._request, None):
            try:
                for record in manifest:
                    if record.action != ARCHIVE_DELETE:
                        found[record.ino] = min(found.get(record.ino, record.mtime_ns), record.mtime_ns)
            except StepError:
                continue  # said before, where anything of it is asked back
        return found


class Spans:
    """Which archived bytes may be of the time that is asked for; records come in the order of the archives.

    Of a file that was archived whole only its last change is known. So those count that were changed last within the time;
    and of each log, over all that it was renamed to, the next one after it, which may have been begun within: up to
    ``AFTER_DAYS`` later. Which that is, is known when all were offered: then ``again`` goes through them once more.
    """

    def __init__(self, asked: Wish) -> None:
        self._asked = asked
        self._begin = float("-inf") if asked.begin is None else asked.begin * 1e9
        self._end = float("inf") if asked.end is None else asked.end * 1e9
        self._before: dict[int, int] = {}
        """When the last archived range of a file was written that stayed open, by its inode."""
        self._next: dict[int, int] = {}
        """When the next file of a log was changed, by the key of its name."""

    def again(self) -> Spans:
        """From the beginning, with what is known of the next ones."""
        found = Spans(self._asked)
        found._next = self._next
        return found

    def has(self, record: Record) -> bool:
        """Whether it certainly is, or, of a range, may have lines of it."""
        since = self._before.get(record.ino)
        if record.action != ARCHIVE_DELETE:
            self._before[record.ino] = record.mtime_ns
            first = since or 0
        else:
            first = record.mtime_ns if since is None or since > record.mtime_ns else since
        return record.mtime_ns >= self._begin and first < self._end

    def offer(self, record: Record) -> None:
        """A file that was changed after the time, and may have been begun within it."""
        if self._may_be_next(record):
            key = key_of(_ROTATED.sub(b"", record.path))
            self._next[key] = min(self._next.get(key, record.mtime_ns), record.mtime_ns)

    def is_next(self, record: Record) -> bool:
        """Whether it is the first of its log after the time."""
        if not self._next or not self._may_be_next(record):
            return False
        return self._next.get(key_of(_ROTATED.sub(b"", record.path))) == record.mtime_ns

    def _may_be_next(self, record: Record) -> bool:
        if record.action != ARCHIVE_DELETE:
            return False
        if not self._end <= record.mtime_ns < self._end + AFTER_DAYS * DAY * 10**9:
            return False
        known = self._before.get(record.ino)
        return known is None or known > record.mtime_ns  # else its older lines were archived before


def _twice(keys: array[int]) -> set[int]:
    """What is there more than once."""
    found: set[int] = set()
    before = None
    for key in sorted(keys):
        if key == before:
            found.add(key)
        before = key
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
