"""What runs noted on the volume: the space used, and how far growing files had come (watermarks).

One JSON object a line in ``history.jsonl``. A line that was cut off by a crash is passed over.

    {"kind": "space", "at": ..., "run": ..., "when": "before" | "after", "used": ..., "size": ..., ...}
    {"kind": "mark", "at": ..., "path": ..., "ino": ..., "size": ..., "tail": ...}
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from .request import DAY

BEFORE, AFTER = "before", "after"
POINTS_DAYS = 400
"""Points are kept for so long: a year's season can be seen."""
LONGEST = 16 * 1024 * 1024
"""Bytes of the history that are read: the newest."""
SPARSE, LEAST_GAP_S = 0.05, DAY / 4
TAIL = 64
"""Bytes just below a watermark whose checksum tells that it is still the same content."""


class Point(NamedTuple):
    """The space of the volume at a moment (seconds since 1970); sizes in bytes."""

    at: float
    run: str
    when: str
    used: int
    size: int
    free: int
    classes: Dict[str, int]
    """What each class took; empty before the walk."""
    cleaned: List[str]
    """The classes that this run has cleaned."""
    archived: int = 0
    """Bytes that went into archives, and"""
    archives: int = 0
    """what those archives take."""
    rules: Optional[Dict[str, Dict[str, Any]]] = None
    """By what the cleaned classes were (see rules)."""


class Mark(NamedTuple):
    """How long a growing file was at a moment: what lies below ``size`` is at least as old."""

    at: float
    path: bytes
    ino: int
    size: int
    tail: str


@dataclass
class History:
    """Points oldest first, and marks by path, oldest first."""

    points: List[Point] = field(default_factory=list)
    marks: Dict[bytes, List[Mark]] = field(default_factory=dict)

    def cleaned(self) -> List[str]:
        """The classes that were cleaned on this volume before."""
        return sorted({name for point in self.points for name in point.cleaned})

    def rules(self) -> Dict[str, Dict[str, Any]]:
        """By what each class was last cleaned."""
        return {name: rule for point in self.points for name, rule in (point.rules or {}).items()}

    def point(self, run: str, when: str) -> Optional[Point]:
        """What a run measured."""
        return next((p for p in reversed(self.points) if p.run == run and p.when == when), None)

    def ratio(self, otherwise: float) -> float:
        """What an archive takes of what was archived, from the last runs that archived a MiB or more."""
        some = [point for point in self.points if point.archived >= 1 << 20][-30:]
        archived = sum(point.archived for point in some)
        return min(sum(point.archives for point in some) / archived, 1.0) if archived else otherwise

    def last_after(self, run: str) -> Optional[Point]:
        """What the last other run left behind."""
        return next(
            (p for p in reversed(self.points) if p.when == AFTER and p.run != run and p.classes), None
        )

    def layers(self, path: bytes, ino: int, size: int) -> List[Mark]:
        """The marks of a file that still hold, oldest (and lowest) first.

        Not those of another file that had this name, nor of this one before it was emptied.
        """
        found: List[Mark] = []
        for mark in reversed(self.marks.get(path, ())):
            if mark.ino != ino or mark.size > size:
                break
            found.append(mark)
            size = mark.size
        return found[::-1]

    def aged(self, path: bytes, ino: int, size: int, before: float) -> Optional[Mark]:
        """The highest mark of a file that was noted before a moment, and which it has not fallen below since."""
        return next((mark for mark in reversed(self.layers(path, ino, size)) if mark.at <= before), None)


def read(path: str) -> History:
    """The history; an empty one where there is none."""
    history = History()
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            start = max(file.tell() - LONGEST, 0)
            file.seek(start)
            if start:
                file.readline()
            for line in file:
                _add(history, line)
    except FileNotFoundError:
        pass
    return history


def point_line(point: Point) -> Dict[str, Any]:
    """A point as the history has it."""
    return {"kind": "space", **point._asdict()}


def mark_line(mark: Mark) -> Dict[str, Any]:
    """A mark as the history has it."""
    return {"kind": "mark", **mark._asdict(), "path": os.fsdecode(mark.path)}


def append(path: str, lines: Iterable[Dict[str, Any]]) -> None:
    """Add lines, each whole: one write, and on the disk."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode("ascii")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":  # a line that a crash cut off
            text = b"\n" + text
        while text:
            text = text[os.write(descriptor, text) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def compact(path: str, now: float, mark_days: float) -> None:
    """Rewrite the history without what nobody asks for any more: old points, and marks older than ``mark_days``.

    Of several marks of a file older than that the newest stays: it is the one that tells how much has aged.
    """
    history = read(path)
    oldest, aged = now - POINTS_DAYS * DAY, now - mark_days * DAY
    lines = [point_line(point) for point in history.points if point.at >= oldest]
    for marks in history.marks.values():
        last_aged = max((mark.at for mark in marks if mark.at < aged), default=0.0)
        if marks[-1].at >= oldest:
            asked_for = [mark for mark in marks if mark.at >= max(last_aged, oldest)]
            lines += [mark_line(mark) for mark in thinned(asked_for, now)]
    partial = path + ".partial"
    with open(partial, "w", encoding="ascii") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def thinned(marks: List[Mark], now: float) -> List[Mark]:
    """Marks the further apart the older they are: each within a twentieth of its age of the one before.

    Where a file got shorter, or another took its name, the mark that tells so stays.
    """
    found: List[Mark] = []
    for mark in marks:
        gap = max((now - mark.at) * SPARSE, LEAST_GAP_S)
        last = found[-1] if found else mark
        if not found or mark.at - last.at >= gap or mark.ino != last.ino or mark.size < last.size:
            found.append(mark)
    return found


def tail_of(descriptor: int, end: int, count: int = TAIL) -> str:
    """A checksum of the ``count`` bytes just below ``end``: enough to know them again, not to read them."""
    data = os.pread(descriptor, min(count, end), max(end - count, 0))
    hashlib = importlib.import_module("hashlib")  # most steps read the history and hash nothing
    return str(hashlib.sha256(data).hexdigest()[:16])


def _add(history: History, line: bytes) -> None:
    try:
        values = json.loads(line)
        kind = values.pop("kind")
        if kind == "space":
            history.points.append(Point(**values))
        elif kind == "mark":
            mark = Mark(**{**values, "path": os.fsencode(values["path"])})
            history.marks.setdefault(mark.path, []).append(mark)
    except (ValueError, TypeError, KeyError, AttributeError):
        return
