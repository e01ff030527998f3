"""Retention by size: of a class the newest bytes stay, what is older than those goes.

The files that age leaves are spooled by the walk; here they are gone through twice, first to see how far the
size reaches back, then to plan what lies beyond. So a million files need a number each, no more.

The newest bytes of a class may begin within a file. Of an open one what lies before them goes; a closed one stays whole,
since part of it is within the size, and what cannot be divided goes only when all of it lies beyond.
"""

from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Optional, Tuple

from .classes import Policy
from .entries import Frame, Plan
from .looking import CHANGED
from .sifting import LARGE, Sifter, below
from .tally import BLOCK
from .walking import open_directory

_BITS = 40
"""Of a number that has both a moment (above) and blocks (below): it sorts as the moment does."""


WITHIN = "within_size"
"""Why a closed file stays of which a part is beyond the size."""


class Cut(NamedTuple):
    """Files changed before ``moment`` are beyond the size; of those changed just then ``room`` bytes stay."""

    moment: int
    room: int


def packed(moment: int, blocks: int) -> int:
    """When a file was last changed (nanoseconds), and the blocks it takes, as one number."""
    return moment << _BITS | blocks


def cut(files: List[int], keep: int) -> Optional[Cut]:
    """How far ``keep`` bytes reach back from the newest of the packed files; None when everything stays.

    Sorts the list.
    """
    files.sort(reverse=True)
    mask, room, at = (1 << _BITS) - 1, keep, 0
    while at < len(files):
        moment, alike = files[at] >> _BITS, 0
        while at < len(files) and files[at] >> _BITS == moment:
            alike += (files[at] & mask) * BLOCK
            at += 1
        if alike > room:
            return Cut(moment, room)
        room -= alike
    return None


def cuts(spool: Plan, policy: Policy) -> Dict[int, Cut]:
    """Where the size cuts, by the number of the class."""
    files: Dict[int, List[int]] = {}
    for frame in spool.frames():
        for record in frame.records:
            kind, _, _, blocks, moment, _ = record.split(b" ", 5)
            files.setdefault(int(kind[1:]), []).append(packed(int(moment), int(blocks)))
    found: Dict[int, Cut] = {}
    for number, several in files.items():
        keep = policy.classes[number].keep_size
        where = cut(several, keep) if keep is not None else None
        if where:
            found[number] = where
    return found


class Sizing:
    """Plans what lies beyond the sizes."""

    def __init__(self, sifter: Sifter, spool: Plan, root: int) -> None:
        self._sifter = sifter
        self._spool = spool
        self._root = root
        self._cuts: Dict[int, Cut] = {}
        self._room: Dict[int, int] = {}

    def run(self) -> None:
        """Go through the spool."""
        self._cuts = cuts(self._spool, self._sifter.policy)
        self._room = {number: where.room for number, where in self._cuts.items()}
        for frame in self._spool.frames() if self._cuts else ():
            self._frame(frame)

    def _frame(self, frame: Frame) -> None:
        sifter = self._sifter
        whole: Dict[int, List[bytes]] = {}
        for record in frame.records:
            kind, _, size, blocks, moment, links, name = record.split(b" ", 6)
            number, changed, space = int(kind[1:]), int(moment), int(blocks) * BLOCK
            where = self._cuts.get(number)
            if where is None or changed > where.moment or changed > sifter.policy.latest:
                continue  # within the size, or from the future, which was said already
            room = self._room[number] if changed == where.moment else 0
            if changed == where.moment and space <= room:
                self._room[number] -= space
                continue
            path = below(frame.directory, name)
            if changed >= sifter.policy.size_cutoffs[number]:
                sifter.leave_for("minimum_days", path, space)
            elif sifter.policy.holder(path):
                sifter.tallies[number].held.add(1, space)
            elif (
                not room
                and not sifter.asked
                and int(blocks) < LARGE
                and changed < sifter.growing.young
                and links == b"1"
            ):
                whole.setdefault(number, []).append(record)
                sifter.aged(number, changed, -space)
            else:
                if self._closer(number, frame.directory, name, room, (int(size), changed)):
                    sifter.aged(number, changed, -space)
                self._room[number] -= room
        for number, records in whole.items():
            self._plan(number, frame.directory, records)

    def _closer(self, number: int, directory: bytes, name: bytes, room: int, was: Tuple[int, int]) -> bool:
        """A file that may be open: of that one ``room`` bytes stay, and what was written since the walk saw it.

        ``was`` is its size and its last change then. Returns whether it goes, or a part of it.
        """
        try:
            descriptor = open_directory(self._root, directory)
        except OSError:
            return True  # gone since the walk
        try:
            text = os.fsdecode(name)
            seen = os.stat(text, dir_fd=descriptor, follow_symlinks=False)
            self._sifter.asked -= self._sifter.asked > 0
            keep = room + max(seen.st_size - was[0], 0)
            stays = WITHIN if room else CHANGED if (seen.st_size, seen.st_mtime_ns) != was else ""
            if self._sifter.closer(number, directory, text, seen, descriptor, keep, stays):
                self._sifter.one(number, directory, name, seen)
            return not stays or below(directory, name) in self._sifter.parts
        except OSError:
            return True
        finally:
            os.close(descriptor)

    def _plan(self, number: int, directory: bytes, records: List[bytes]) -> None:
        """Whole files of one class and directory that go."""
        sifter = self._sifter
        tally, action = sifter.tallies[number], sifter.policy.whole(number)
        head = sifter.policy.heads()[number].encode()
        sifter.writer.frame(directory, [head + record.split(b" ", 1)[1] for record in records])
        blocks = 0
        for record in records:
            fields = record.split(b" ", 6)
            blocks += int(fields[3])
            tally.example(action, below(directory, fields[6]))
        tally.act(action, len(records), blocks * BLOCK)
