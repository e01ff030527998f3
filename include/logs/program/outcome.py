"""What came of a restore, and what of it is done: noted in the run's directory, so that a rerun goes on there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from . import notes
from .layout import Layout
from .originals import Original
from .summary import kept, shown

SHOWN = 20
NOTES = "restored"


@dataclass
class Outcome:
    """What became of the files."""

    files: int = 0
    size: int = 0
    """Bytes."""
    changed_later: int = 0
    """Files that were written to after the time that was asked for, too."""
    there: int = 0
    """Were there already, the same."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    conflicts: int = 0
    """Another file lies where they belong."""
    conflict_names: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    """Archives that could not be read, and why."""

    def restored(self, name: bytes, file: Original, end: float | None) -> None:
        """One more; ``end`` is that of the time that was asked for."""
        self.files += 1
        self.size += file.size
        self.changed_later += end is not None and file.changed_s >= end
        if len(self.examples) < SHOWN:
            self.examples.append({"path": shown(name), **file.facts()})

    def conflict(self, name: bytes) -> None:
        """One more."""
        self.conflicts += 1
        if len(self.conflict_names) < SHOWN:
            self.conflict_names.append(shown(name))

    def add(self, facts: dict[str, Any]) -> None:
        """What an earlier try noted."""
        self.files += facts["files"]
        self.size += facts["size"]
        self.changed_later += facts["changed_later"]
        self.there += facts["there"]
        self.examples = (self.examples + facts["examples"])[:SHOWN]

    def merge(self, other: Outcome) -> None:
        """What came of some more files."""
        self.add(other.note())
        self.conflicts += other.conflicts
        self.conflict_names = (self.conflict_names + other.conflict_names)[:SHOWN]
        for archive, why in other.damaged.items():
            self.damaged.setdefault(archive, why)

    def note(self) -> dict[str, Any]:
        """Of files that are all restored."""
        return {
            "files": self.files,
            "size": self.size,
            "changed_later": self.changed_later,
            "there": self.there,
            "examples": self.examples,
        }


class Progress:
    """The batches of files that are restored. ``target`` is where to: nowhere else they are."""

    def __init__(self, layout: Layout, target: str) -> None:
        self._layout, self._target = layout, target

    def outcome(self, files: list[Original]) -> dict[str, Any] | None:
        """What came of these files when an earlier try restored them; None when none did."""
        return kept(self._path(files))

    def done(self, files: list[Original], outcome: Outcome) -> None:
        """All of these are restored. Raises OSError."""
        notes.directory(self._layout, NOTES)
        needed = sum(file.needed for file in files)
        notes.write(self._path(files), {**outcome.note(), "needed": needed})

    def needed(self) -> int:
        """What all that is restored takes (bytes)."""
        return sum(int(facts["needed"]) for facts in notes.every(self._layout, NOTES).values() if facts)

    def _path(self, files: list[Original]) -> str:
        """The same files from the same archives to the same place have the same note."""
        digest = hashlib.blake2b(os.fsencode(self._target), digest_size=16)
        for file in files:
            digest.update(b"\0" + file.path)
            for piece in file.pieces:
                digest.update(b"\0%d " % piece.record.at + os.fsencode(piece.place.name))
        return os.path.join(self._layout.run, NOTES, digest.hexdigest() + ".json")
