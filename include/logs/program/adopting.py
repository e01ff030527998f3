"""What an earlier run has archived and not deleted any more: it is not archived again.

A run may end between archiving and deleting: nobody approved in time, the pod was killed for good, a file was open.
The next run finds the same files, unchanged, in those archives, lists them in a manifest of its own in its directory,
reads the archives back like its own, and deletes from there.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import os
from array import array
from collections.abc import Iterator
from dataclasses import replace

from . import notes
from .beneath import ChangedError, Tree, only_grown
from .entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, EXPIRE_ARCHIVE, Entry, Plan
from .manifests import Manifest, ManifestWriter, Place, Record
from .problems import StepError
from .removing import as_archived
from .request import Request
from .summary import kept
from .sweeping import known

NAME = "adopted.jsonl.gz"


class Digests:
    """Many digests in little memory: a million of them in 8 MB. A file whose digest is another's by chance is left."""

    def __init__(self, digests: array[int]) -> None:
        self._all = array("Q", sorted(digests))

    def __len__(self) -> int:
        return len(self._all)

    def find(self, digest: int) -> int:
        """Its number, -1 when it is not among them."""
        at = bisect.bisect_left(self._all, digest)
        return at if at < len(self._all) and self._all[at] == digest else -1


class Adopted:
    """What needs no archiving any more."""

    def __init__(self) -> None:
        self._files = Digests(array("Q"))
        self._ends: dict[tuple[bytes, int], int] = {}

    @classmethod
    def read(cls, path: str) -> Adopted:
        """From a run's list."""
        found, files = cls(), array("Q")
        for record in Manifest(path):
            if record.action == ARCHIVE_DELETE:
                files.append(_digest(record))
            else:
                found._ends[record.path, record.ino] = record.end
        found._files = Digests(files)
        return found

    def __bool__(self) -> bool:
        return bool(len(self._files) or self._ends)

    def left(self, entry: Entry) -> Entry | None:
        """What of an entry is still to be archived."""
        if entry.action == ARCHIVE_DELETE:
            return entry if self._files.find(_digest(entry)) < 0 else None
        if entry.action != ARCHIVE_PUNCH:
            return entry
        start = max(entry.start, self._ends.get((entry.path, entry.ino), 0))
        return entry._replace(start=start) if start < entry.end else None


def adopt(request: Request, plan: Plan) -> Adopted:
    """Look through what earlier runs have left; a rerun finds what its earlier try found. Raises StepError, OSError."""
    layout = request.layout
    path = os.path.join(layout.run, NAME)
    if notes.adopted(layout) is not None:
        return Adopted.read(path) if os.path.exists(path) else Adopted()
    places = list(_places(request))
    names: list[str] = []
    if places:
        descriptor = os.open(path + ".partial", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            writer = ManifestWriter(descriptor, {"archive": "", "class": ""})
            names = _collect(request, plan, places, writer)
            writer.finish(0, "")
        finally:
            os.close(descriptor)
        os.replace(path + ".partial", path)
    _bind(request, set(names))
    notes.note_adopted(layout, names)
    return Adopted.read(path) if names else Adopted()


def _places(request: Request) -> Iterator[Place]:
    """The archives of earlier runs that did not delete, or not everything."""
    layout = request.layout
    for slug in known(layout):
        run = replace(layout, slug=slug)
        answer = kept(run.answer("delete"))
        finished = answer is not None and not set(answer.get("left", {})) - {"gone"}
        if slug == layout.slug or finished:
            continue
        for place in notes.archives(run):
            if os.path.exists(place.archive) and os.path.exists(place.manifest):
                yield place


def _bind(request: Request, names: set[str]) -> None:
    """Let the runs that wrote these archives, when they are cleared again, neither write nor remove them any more."""
    for slug in known(request.layout):
        run = replace(request.layout, slug=slug)
        if any(place.name in names for place in notes.archives(run)):
            notes.note_deleting(run)


def _collect(request: Request, plan: Plan, places: list[Place], writer: ManifestWriter) -> list[str]:
    """List what this plan has too. Returns the archives that have it."""
    wanted, ranges, expired = _planned(plan)
    names, tree = [], Tree(request.root)
    taken = bytearray(len(wanted))
    for place in places:
        if place.name in expired:
            continue
        count = writer.entries
        with contextlib.suppress(StepError):  # a manifest that cannot be read is as good as none
            manifest = Manifest(place.manifest)
            for record in manifest:
                if record.action == ARCHIVE_DELETE:
                    number = wanted.find(_digest(record, manifest.class_name))
                    if number >= 0 and not taken[number]:
                        taken[number] = True
                        writer.add(record)
                elif record.action == ARCHIVE_PUNCH and _goes_on(tree, record, ranges, manifest.class_name):
                    writer.add(record)
        if writer.entries > count:
            names.append(place.name)
    tree.close()
    return names


def _planned(plan: Plan) -> tuple[Digests, dict[tuple[bytes, int], Entry], set[str]]:
    files: array[int] = array("Q")
    ranges: dict[tuple[bytes, int], Entry] = {}
    expired: set[str] = set()
    for entry in plan:
        if entry.action == ARCHIVE_DELETE:
            files.append(_digest(entry, entry.class_name))
        elif entry.action == ARCHIVE_PUNCH:
            ranges[entry.path, entry.ino] = entry
        elif entry.action == EXPIRE_ARCHIVE:
            expired.add(os.fsdecode(entry.path))
    return Digests(files), ranges, expired


def _goes_on(tree: Tree, record: Record, ranges: dict[tuple[bytes, int], Entry], class_name: str) -> bool:
    """Whether the archived range begins where the planned one does, and the file still has it."""
    entry = ranges.get((record.path, record.ino))
    if entry is None or record.start != entry.start or record.end > entry.end:
        return False
    if entry.class_name != class_name:
        return False
    try:
        descriptor = tree.open(tree.directory(entry.directory), entry.name)
    except (OSError, ChangedError):
        return False
    try:
        same = only_grown(os.fstat(descriptor), entry) and as_archived(descriptor, record)
    finally:
        os.close(descriptor)
    if same:
        ranges[record.path, record.ino] = entry._replace(start=record.end)
    return same


def _digest(file: Entry | Record, class_name: str = "") -> int:
    """Of a file as it was; with its class, since another class keeps its archives for another time."""
    text = b"%b\0%b\0%d %d %d %d" % (
        file.path, class_name.encode(), file.ino, file.size, file.mtime_ns, file.start,
    )  # fmt: skip
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
