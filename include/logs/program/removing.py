"""One change: a file unlinked, a range punched, a file cut off, an archive expired. Each looks at the file again first."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from fcntl import F_SETLEASE, F_WRLCK, fcntl
from typing import Any

from . import openness, punching
from .beneath import ChangedError, Tree, as_planned, only_grown, unchanged
from .classes import Policy
from .entries import Entry, Frame, Plan
from .layout import ARCHIVES
from .leaving import CHANGED, GONE, HELD, NOT_FREED, OPEN, UNREADABLE, Left
from .manifests import Manifest, Record, find
from .request import DAY, Request
from .writing import REGULAR, segments_of

BLOCK = 512
PIECE = 1 << 20
MOST_OPEN = 20
"""Open files whose holders are looked for."""


@dataclass
class Done:
    """What was changed: files and bytes that came back, by what was done."""

    files: dict[str, int] = field(default_factory=dict)
    freed: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """Bytes that were written to truncated files since the plan, and are in no archive."""
    left: Left = field(default_factory=Left)
    elsewhere: int = 0
    """Bytes of what came back that did so in another place than the volume: of its archives."""
    opened: list[tuple[str, int, int]] = field(default_factory=list)
    """Files that are open: path, device, inode."""

    def add(self, kind: str, files: int, freed: int) -> None:
        """Count some more."""
        self.files[kind] = self.files.get(kind, 0) + files
        self.freed[kind] = self.freed.get(kind, 0) + freed

    def merge(self, facts: dict[str, Any]) -> None:
        """Add what another process did."""
        for kind, count in facts["files"].items():
            self.add(kind, count, facts["freed"][kind])
        self.lost += facts["lost"]
        self.elsewhere += facts["elsewhere"]
        self.left.merge(facts["left"])
        self.opened += [tuple(each) for each in facts["opened"][: MOST_OPEN - len(self.opened)]]

    def facts(self) -> dict[str, Any]:
        """For another process."""
        return {
            "files": self.files,
            "freed": self.freed,
            "lost": self.lost,
            "elsewhere": self.elsewhere,
            "left": self.left.facts(),
            "opened": self.opened,
        }


class Remover:
    """Changes files of a volume. What is not as planned any more is left and counted, and raises nothing."""

    def __init__(self, request: Request, holds_are_new: bool) -> None:
        self.done = Done()
        self._request = request
        self._tree = Tree(request.root)
        self._archives: dict[str, Tree] = {}
        self._held = Policy(request).holder if holds_are_new and request.holds else None
        self._now = request.now()
        self._recent = request.open_days * DAY
        self._trusted = openness.seen_by_one_node(openness.file_system(request.root))
        openness.ignore_lease_breaks()

    def close(self) -> None:
        """Close the directories."""
        self._tree.close()
        for archives in self._archives.values():
            archives.close()

    def ordinary(self, plan: Plan, frame: Frame) -> list[Entry]:
        """Delete the ordinary files of a frame (whole, one name, as planned, closed); returns the entries of the others.

        This is the loop that a million files pass; ``delete`` does the same for one file, whatever has become of it.
        """
        try:
            directory = self._tree.directory(frame.directory) if self._held is None and self._trusted else -1
        except (OSError, ChangedError):
            directory = -1
        if directory < 0:
            return plan.entries(frame)
        others, files, blocks = [], 0, 0
        for record in frame.records:
            freed = self._ordinary(directory, record) if record.startswith(b"D") else -1
            if freed < 0:
                others.append(plan.parse(frame.directory, record))
            else:
                files += 1
                blocks += freed
        if files:
            self.done.add("deleted", files, blocks * BLOCK)
        return others

    def _ordinary(self, directory: int, record: bytes) -> int:
        """Delete one such file. Returns its blocks; -1 when it is none such and was left."""
        _, ino, size, _, mtime_ns, links, name = record.split(b" ", 6)
        try:
            descriptor = os.open(name, self._tree.flags, dir_fd=directory)
        except OSError:
            return -1
        try:
            found = os.fstat(descriptor)
            if found.st_mtime_ns != int(mtime_ns) or found.st_ino != int(ino) or found.st_size != int(size):
                return -1
            if links != b"1" or found.st_nlink != 1 or found.st_mode >> 12 != REGULAR:
                return -1
            fcntl(descriptor, F_SETLEASE, F_WRLCK)  # refused when anybody has it open; kept until it is gone
            os.unlink(name, dir_fd=directory)
            return found.st_blocks
        except OSError:
            return -1
        finally:
            os.close(descriptor)

    def delete(self, entry: Entry) -> None:
        """Unlink a file, unless it has changed or somebody has it open."""
        if self._is_held(entry):
            return
        descriptor = -1
        try:
            directory = self._tree.directory(entry.directory)
            name = entry.name
            try:
                descriptor = self._tree.open(directory, name)
                found = os.fstat(descriptor)
                state = openness.state(descriptor, keep=True)
            except PermissionError:
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                state = openness.UNKNOWN
            if not unchanged(found, entry):
                self.done.left.add(CHANGED, entry.path)
            elif self._is_open(state, found):
                self._open(entry, found)
            else:
                os.unlink(name, dir_fd=directory)
                last = found.st_nlink == 1
                self.done.add("deleted", 1, found.st_blocks * BLOCK if last else 0)
        except OSError as error:
            self._failed(entry, error)
        except ChangedError:
            self.done.left.add(CHANGED, entry.path)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def punch(self, entry: Entry, record: Record | None) -> None:
        """Free a range of a file that stays, only where it still has what was archived, or without a record what was planned."""
        with self._to_write(entry) as descriptor:
            if descriptor < 0:
                return
            before = os.fstat(descriptor)
            if record is not None and not as_archived(descriptor, record):
                emptied = punching.first_byte(descriptor, entry.end) >= entry.end
                self.done.left.add(GONE if emptied else CHANGED, entry.path)
                return
            if record is None and not as_planned(descriptor, entry):
                self.done.left.add(CHANGED, entry.path)
                return
            try:
                freed = punching.punch(descriptor, entry.start, entry.end)
            except punching.NotPunchableError:
                self.done.left.add(NOT_FREED, entry.path)
                return
            self.done.add("punched", 1, freed)
            if before.st_mtime_ns == entry.mtime_ns:  # nobody writes: its age is what it was
                os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))

    def truncate(self, entry: Entry, record: Record | None) -> None:
        """Set a file's size to zero; what was written since the plan is lost, as its class accepts."""
        with self._to_write(entry) as descriptor:
            if descriptor < 0:
                return
            before = os.fstat(descriptor)
            if not (as_planned(descriptor, entry) if record is None else as_archived(descriptor, record)):
                self.done.left.add(CHANGED, entry.path)
                return
            os.ftruncate(descriptor, 0)
            self.done.lost += max(0, before.st_size - entry.end)
            after = os.fstat(descriptor).st_blocks
            self.done.add("truncated", 1, max(0, before.st_blocks - after) * BLOCK)

    def expire(self, entry: Entry) -> None:
        """Remove an archive whose time is over, then its manifest."""
        place = find(self._request.layout, os.fsdecode(entry.path))
        try:
            if place.base not in self._archives:
                self._archives[place.base] = Tree(os.path.join(place.base, ARCHIVES))
            directory = self._archives[place.base].directory(entry.directory)
            found = os.stat(entry.name, dir_fd=directory, follow_symlinks=False)
            if not unchanged(found, entry):
                self.done.left.add(CHANGED, entry.path)
                return
            if self._held is not None and any(self._held(record.path) for record in Manifest(place.manifest)):
                self.done.left.add(HELD, entry.path)
                return
            os.unlink(entry.name, dir_fd=directory)
            self.done.add("expired", 1, found.st_blocks * BLOCK)
            if not place.on_the_volume:
                self.done.elsewhere += found.st_blocks * BLOCK
        except FileNotFoundError:
            self.done.left.add(GONE, entry.path)
        except ChangedError:
            self.done.left.add(CHANGED, entry.path)
            return
        except OSError as error:
            self._failed(entry, error)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.manifest)

    @contextlib.contextmanager
    def _to_write(self, entry: Entry) -> Any:
        """The file, open for reading and writing; -1 where it is not what was planned, which is counted."""
        descriptor = -1
        try:
            if not self._is_held(entry):
                opened = self._tree.open_to_write(self._tree.directory(entry.directory), entry.name)
                if only_grown(os.fstat(opened), entry):
                    descriptor = opened
                else:
                    os.close(opened)
                    self.done.left.add(CHANGED, entry.path)
            yield descriptor
        except OSError as error:
            self._failed(entry, error)
        except ChangedError:
            self.done.left.add(CHANGED, entry.path)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _is_held(self, entry: Entry) -> bool:
        if self._held is None or self._held(entry.path) is None:
            return False
        self.done.left.add(HELD, entry.path)
        return True

    def _is_open(self, state: str, found: os.stat_result) -> bool:
        if state == openness.CLOSED and self._trusted:
            return False
        told = openness.UNKNOWN if state == openness.CLOSED else state
        return openness.is_open(told, found.st_mtime, self._now, self._recent)

    def _open(self, entry: Entry, found: os.stat_result) -> None:
        self.done.left.add(OPEN, entry.path)
        if len(self.done.opened) < MOST_OPEN:
            self.done.opened.append((os.fsdecode(entry.path), found.st_dev, found.st_ino))

    def _failed(self, entry: Entry, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            self.done.left.add(GONE, entry.path)
        else:
            self.done.left.add(UNREADABLE, entry.path, error.strerror or "")


def as_archived(descriptor: int, record: Record) -> bool:
    """Whether a file has in the record's range what was archived from it."""
    segments = record.segments
    if segments is not None and segments_of(descriptor, record.start, record.end) != segments:
        return False
    digest = hashlib.sha256()
    for offset, count in [(0, record.end - record.start)] if segments is None else segments:
        place, end = record.start + offset, record.start + offset + count
        while place < end:
            data = os.pread(descriptor, min(PIECE, end - place), place)
            if not data:
                return False
            digest.update(data)
            place += len(data)
    return digest.hexdigest() == record.sha256
