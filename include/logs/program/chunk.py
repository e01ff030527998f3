"""Archiving one chunk of the plan: an archive for each class, and one more for each class's large files.

An archive has files of one class only, since the classes' archives expire at different times.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from itertools import groupby
from typing import Any

from .adopting import Adopted
from .beneath import ChangedError, Tree, as_planned, only_grown, unchanged
from .entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, TRUNCATE, Entry, Frame, Plan
from .leaving import CHANGED, GONE, UNREADABLE, Left
from .manifests import Place, Record
from .punching import line_end
from .request import Request
from .sweeping import MARK
from .writing import MANY_HOLES, ArchiveWriter, segments_of

LARGE = 4 << 20
"""Bytes from which a file is read piece by piece, into an archive that is compressed by several threads."""
BLOCK = 512


class Chunk:
    """Writes the archives of some of the plan's entries. Raises OSError; ``abort`` then removes what it wrote."""

    def __init__(
        self, request: Request, plan: Plan, place: str, codec: str, suffix: str, adopted: Adopted
    ) -> None:
        self._request, self._plan, self._codec = request, plan, codec
        self._place, self._suffix = place, suffix
        self._adopted = adopted
        self._tree = Tree(request.root)
        self._writers: dict[str, ArchiveWriter] = {}
        self._large: list[Entry] = []
        self._archived = {found.name for found in request.classes if found.archive}
        self._linked: dict[tuple[int, int, str], Record] = {}
        self.left = Left()
        self.links = 0

    def frame(self, frame: Frame) -> None:
        """Archive the small files of a frame; large ones come at the end, those of several names in a pass of their own."""
        try:
            directory = self._tree.directory(frame.directory)
        except (OSError, ChangedError):
            directory = -1  # each of its files says so
        if self._adopted:
            directory = -1
        records = frame.records if directory < 0 else self._ordinary(directory, frame)
        for record in records:
            entry = self._wanted(self._plan.parse(frame.directory, record))
            if entry is None:
                continue
            if entry.nlink > 1:
                self.links += 1
            elif self._is_large(entry):
                self._large.append(entry)
            else:
                self._guarded(entry, self._small)

    def _ordinary(self, directory: int, frame: Frame) -> list[bytes]:
        """Archive the files that are as ordinary as most, class by class; returns the records of the others."""
        below = frame.directory + b"/" if frame.directory else b""
        others: list[bytes] = []
        for kind, records in groupby(frame.records, _kind):
            if kind.startswith(b"A"):
                class_name = self._plan.classes[int(kind[1:])]
                writer = self._writers.get(class_name) or self._writer(class_name)
                others += writer.ordinary(directory, below, list(records), self._tree.flags)
            else:
                others += records
        return others

    def linked(self, frame: Frame) -> None:
        """Archive the files of a frame that have several names, each once."""
        for planned in self._plan.entries(frame):
            entry = self._wanted(planned) if planned.nlink > 1 else None
            if entry is not None:
                self._guarded(entry, self._streamed)

    def finish(self) -> dict[str, Any]:
        """Write the large files, bring everything onto the disk. Returns archives and what was left."""
        archives = self._close()
        for entry in sorted(self._large, key=lambda entry: entry.class_name):
            if self._writers and entry.class_name not in self._writers:
                archives += self._close()
            self._guarded(entry, self._streamed)
        archives += self._close()
        self._tree.close()
        return {"archives": archives, "left": self.left.facts(), "links": self.links}

    def abort(self) -> None:
        """Remove what is not whole."""
        for writer in self._writers.values():
            writer.abort()

    def _wanted(self, entry: Entry) -> Entry | None:
        """What of an entry is to be archived."""
        if entry.action == TRUNCATE:
            return entry if entry.class_name in self._archived else None
        if entry.action in (ARCHIVE_DELETE, ARCHIVE_PUNCH):
            return self._adopted.left(entry)
        return None

    def _is_large(self, entry: Entry) -> bool:
        holes = entry.size >= MANY_HOLES and entry.blocks * BLOCK < entry.size
        return entry.size >= LARGE or holes or entry.action != ARCHIVE_DELETE

    def _guarded(self, entry: Entry, archive: Any) -> None:
        """Open a file and archive it; what is not as planned any more stays where it is."""
        descriptor = -1
        try:
            try:
                descriptor = self._tree.open(self._tree.directory(entry.directory), entry.name)
            except FileNotFoundError:
                self.left.add(GONE, entry.path)
                return
            except ChangedError:
                self.left.add(CHANGED, entry.path)
                return
            except OSError as error:
                self.left.add(UNREADABLE, entry.path, error.strerror or "")
                return
            archive(entry, descriptor)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _small(self, entry: Entry, descriptor: int) -> None:
        try:
            data = os.read(descriptor, entry.size + 1)
        except OSError as error:
            self.left.add(UNREADABLE, entry.path, error.strerror or "")
            return
        found = os.fstat(descriptor)
        if len(data) != entry.size or not unchanged(found, entry):
            self.left.add(CHANGED, entry.path)
            return
        self._writer(entry.class_name).small(entry, found, data)

    def _streamed(self, entry: Entry, descriptor: int) -> None:
        grows = entry.action != ARCHIVE_DELETE
        same = only_grown if grows else unchanged
        found = os.fstat(descriptor)
        if not same(found, entry) or (grows and not as_planned(descriptor, entry)):
            self.left.add(CHANGED, entry.path)
            return
        known = (entry.dev, entry.ino, entry.class_name)
        first = self._linked.get(known)
        if first is not None:
            self._writer(entry.class_name).link(entry, found, first)
            return
        if grows:
            entry = entry._replace(end=line_end(descriptor, entry.start, entry.end))
            if entry.end == entry.start:
                return
        sparse = found.st_blocks * BLOCK < found.st_size and found.st_size >= MANY_HOLES
        segments = segments_of(descriptor, entry.start, entry.end) if sparse else None
        writer = self._writer(entry.class_name, large=True)
        record = writer.streamed(entry, found, descriptor, segments, lambda after: same(after, entry))
        if record is None:
            self.left.add(CHANGED, entry.path)
        elif found.st_nlink > 1 and not grows:
            self._linked[known] = record

    def _writer(self, class_name: str, large: bool = False) -> ArchiveWriter:
        found = self._writers.get(class_name)
        if found is None:
            kind = MARK + "large" if large else ""
            name = f"{self._place.format(class_name)}{kind}.tar{self._suffix}"
            facts: dict[str, Any] = {
                "class": class_name,
                "volume": self._request.volume,
                "run": self._request.run,
                "created": datetime.fromtimestamp(self._request.now(), timezone.utc).isoformat(),
            }
            threads = self._request.workers if large else 1
            found = ArchiveWriter(Place(self._request.layout, name), self._codec, facts, threads)
            self._writers[class_name] = found
        return found

    def _close(self) -> list[dict[str, Any]]:
        done = [writer.finish() for writer in self._writers.values()]
        self._writers = {}
        return [facts for facts in done if facts]


def _kind(record: bytes) -> bytes:
    """Action and class of a plan's record."""
    return record[: record.index(b" ")]
