"""One look at every file: its class, whether its time is over, and what then happens to it.

``directory`` is the loop that a million files pass; it stays free of calls where a file is an ordinary one.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .classes import NS, Policy
from .entries import ARCHIVE_DELETE, FRAME, LETTERS, TRUNCATE, Entry, PlanWriter
from .growing import READ, SEEN, Growing, Range
from .history import tail_of
from .looking import CHANGED, OPEN, Looker
from .request import Hold
from .summary import shown
from .tally import BLOCK, DAY_NS, EXAMPLES, Amount, Tally
from .walking import Walk

LARGE = 128
"""Blocks from which on a file is always asked whether it is open: there is something to free within it."""
MOST_ASKED = 5000
"""Smaller files that are asked in the plan, so that it says what then happens; all are asked before they go."""
LEAST_PART = 4096
"""Bytes: no file system frees less than a block within a file."""
MOST_LINKS = 100_000
"""Hard-linked files that a run takes: their links have to be counted together."""
EXAMPLES_OF_TROUBLE = 10
MOST_NAMED = 20
"""Open files whose holders are looked for."""


class Linked(NamedTuple):
    """A name of a file that has several."""

    directory: bytes
    name: bytes
    seen: os.stat_result
    number: int


class Sifter:
    """Sorts the files of a volume into a plan."""

    def __init__(
        self, policy: Policy, growing: Growing, looker: Looker, writer: PlanWriter, now: float, *, punch: bool
    ) -> None:
        self.policy = policy
        self.growing = growing
        self.looker = looker
        self.writer = writer
        self.punch = punch
        self.now_ns = int(now * NS)
        self.tallies = [Tally(found.name) for found in policy.classes]
        self.unclassified = Tally("(no class)")
        self.links: Dict[int, List[Linked]] = {}
        self.linked = 0
        self.asked = MOST_ASKED
        """Small files that may still be asked whether they are open."""
        self.parts: Dict[bytes, Entry] = {}
        """Files of which a part goes."""
        self.opened: List[Tuple[bytes, int, int]] = []
        """Files that are open: path, device, inode."""
        self.left: Dict[str, Amount] = {}
        self.left_examples: Dict[str, List[bytes]] = {}
        self.unseen: List[Hold] = list(policy.holds)
        """Holds that no file has matched so far."""
        self._unseen = policy.held
        self.spool: Optional[PlanWriter] = None
        """Takes what stays by age in classes that have a keep_size."""
        self._spooled: List[bytes] = []
        self._heads = policy.heads()
        self._sized = [found.keep_size is not None for found in policy.classes]
        self._future = policy.latest

    def directory(self, path: bytes, descriptor: int, walk: Walk) -> None:  # noqa: C901 - a call costs more
        """Sort the files of a directory; directories within are left to the walk."""
        prefix = os.fsdecode(path + b"/") if path else ""
        match, head, numbers = self.policy.directories.within(prefix)
        held, held_head, _ = self.policy.held_directories.within(prefix)
        heads, cutoffs = self._heads, self.policy.cutoffs
        count = len(heads)
        files, space, gone, freed = [0] * count, [0] * count, [0] * count, [0] * count
        least = [tally.least for tally in self.tallies]
        examples = [len(tally.examples.get(self.policy.whole(n), ())) for n, tally in enumerate(self.tallies)]
        recent, asked = self.growing.young, self.asked
        records: List[str] = []
        append = records.append
        try:
            with os.scandir(descriptor) as listing:
                for entry in walk.entries(listing):
                    if not entry.is_file(follow_symlinks=False):
                        self._no_file(path, entry, walk)
                        continue
                    name = entry.name
                    try:
                        seen = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        walk.failed(os.fsencode(prefix + name), error)
                        continue
                    hold = held(held_head + name) if held is not None else None
                    if hold is not None and self._unseen is not None:
                        self._hold_is_of(prefix + name)
                    found = match(head + name) if match is not None else None
                    blocks = seen.st_blocks
                    if found is None:
                        self._no_class(prefix + name, blocks)
                        continue
                    number = numbers[found.lastindex - 1]  # type: ignore[operator]
                    files[number] += 1
                    space[number] += blocks
                    if blocks > least[number]:
                        tally = self.tallies[number]
                        tally.large(blocks * BLOCK, os.fsencode(prefix + name))
                        least[number] = tally.least // BLOCK
                    changed = seen.st_mtime_ns
                    if changed >= cutoffs[number]:
                        self._stays(number, path, name, seen, descriptor)
                    elif hold is not None:
                        self.tallies[number].held.add(1, blocks * BLOCK)
                    else:
                        if asked or blocks >= LARGE or changed >= recent or seen.st_nlink != 1:
                            asked -= asked > 0
                            if not self.closer(number, path, name, seen, descriptor):
                                continue
                        append(f"{heads[number]}{seen.st_ino} {seen.st_size} {blocks} {changed} 1 {name}")
                        gone[number] += 1
                        freed[number] += blocks
                        if gone[number] + examples[number] <= EXAMPLES:
                            self.tallies[number].example(
                                self.policy.whole(number), os.fsencode(prefix + name)
                            )
                        if len(records) >= FRAME:
                            self._flush(path, records)
        except OSError as error:
            walk.failed(path, error)
        self.asked = asked
        self._flush(path, records)
        self._flush_spool(path)
        for number, tally in enumerate(self.tallies):
            tally.seen.add(files[number], space[number] * BLOCK)
            if gone[number]:
                tally.act(self.policy.whole(number), gone[number], freed[number] * BLOCK)

    def closer(
        self,
        number: int,
        path: bytes,
        name: str,
        seen: os.stat_result,
        directory: int,
        keep: int = 0,
        stays: str = "",
    ) -> bool:
        """Look at a file before saying how it goes. Returns whether it goes as an ordinary, whole file.

        Of an open one the newest ``keep`` bytes stay; ``stays`` says why a closed one stays all the same.
        """
        whole = below(path, os.fsencode(name))
        look = self.looker.look(directory, name, seen)
        if look.state == CHANGED:
            self.leave("changed", whole, seen)
        elif look.state == OPEN:
            if len(self.opened) < MOST_NAMED:
                self.opened.append((whole, seen.st_dev, seen.st_ino))
            found = Range(look.start, max(seen.st_size - keep, 0))
            opened: Callable[[], int] = lambda: os.open(name, READ, dir_fd=directory)  # noqa: E731
            self.part(number, whole, seen, found, opened, whole_file=not keep)
        elif stays:
            self.leave(stays, whole, seen)
        elif seen.st_nlink == 1:
            self.parts.pop(whole, None)
            return True
        elif self.linked >= MOST_LINKS:
            self.leave("hard_links", whole, seen)
        else:
            self.linked += 1
            self.links.setdefault(seen.st_ino, []).append(Linked(path, os.fsencode(name), seen, number))
        return False

    def one(self, number: int, path: bytes, name: bytes, seen: os.stat_result) -> None:
        """A whole file that goes."""
        action = self.policy.whole(number)
        head = (
            f"{LETTERS[action]}{number} {seen.st_ino} {seen.st_size} {seen.st_blocks} {seen.st_mtime_ns} 1 "
        )
        self.writer.frame(path, [head.encode() + name])
        tally = self.tallies[number]
        tally.act(action, 1, seen.st_blocks * BLOCK)
        tally.example(action, below(path, name))

    def part(
        self,
        number: int,
        path: bytes,
        seen: os.stat_result,
        found: Range,
        opened: Callable[[], int],
        *,
        whole_file: bool,
    ) -> None:
        """Bytes of a file that stays: they go where that loses nothing, else they are left.

        A file with several links may be held, or of another class, by another name: its bytes stay.
        ``opened`` gives a descriptor of it, which is closed here.
        """
        found_class = self.policy.classes[number]
        loses_nothing = found_class.archive or whole_file
        start, end = found
        if seen.st_nlink != 1:
            self.leave("open_hard_links", path, seen)
            return
        if self.punch:
            action = self.policy.part(number)
        elif found_class.accept_loss and loses_nothing:
            action, end = TRUNCATE, seen.st_size
        else:
            self.leave("open_not_punchable", path, seen)
            return
        if end <= start or (min(seen.st_blocks * BLOCK, end - start) < LEAST_PART and action != TRUNCATE):
            if whole_file:
                self.leave("open", path, seen)
            return
        tail = self._tail(path, seen, end, opened)
        if tail is not None:
            self.parts[path] = Entry(
                path, seen.st_dev, seen.st_ino, seen.st_size, seen.st_blocks, seen.st_mtime_ns, 1, 1,
                found_class.name, action, start, end, tail,
            )  # fmt: skip

    def _tail(self, path: bytes, seen: os.stat_result, end: int, opened: Callable[[], int]) -> Optional[str]:
        """What lies just below the end of a range; None where it cannot be read, or is another file by now."""
        try:
            descriptor = opened()
        except OSError:
            self.leave("unreadable", path, seen)
            return None
        try:
            now = os.fstat(descriptor)
            if now.st_ino == seen.st_ino and now.st_size >= seen.st_size:
                return tail_of(descriptor, end, SEEN)
        except OSError:
            pass
        finally:
            os.close(descriptor)
        self.leave("changed", path, seen)
        return None

    def leave(self, why: str, path: bytes, seen: os.stat_result) -> None:
        """A file whose time is over and that stays all the same."""
        self.leave_for(why, path, seen.st_blocks * BLOCK)

    def leave_for(self, why: str, path: bytes, space: int) -> None:
        """The same, with what the file takes in bytes."""
        self.left.setdefault(why, Amount()).add(1, space)
        examples = self.left_examples.setdefault(why, [])
        if len(examples) < EXAMPLES_OF_TROUBLE:
            examples.append(path)

    def left_facts(self) -> Dict[str, Any]:
        """What stays although it is asked about, or its time is over, as the answer has it."""
        return {
            why: {**amount.facts(), "examples": [shown(path) for path in self.left_examples[why]]}
            for why, amount in sorted(self.left.items())
        }

    def _hold_is_of(self, path: str) -> None:
        """These holds match a file: they are about something here."""
        while self._unseen is not None and (found := self._unseen(path)):
            del self.unseen[(found.lastindex or 1) - 1]
            self._unseen = self.policy.matcher(self.unseen)

    def _stays(self, number: int, path: bytes, name: str, seen: os.stat_result, directory: int) -> None:
        """A file that is too young to go; a part of it may be old enough."""
        changed, space = seen.st_mtime_ns, seen.st_blocks * BLOCK
        if changed > self._future:
            self.leave("future", below(path, os.fsencode(name)), seen)
        if changed >= self.growing.young or seen.st_ino in self.growing.inodes:
            self._grows(number, path, name, seen, directory)
        else:
            self.aged(number, changed, space)
        if self._sized[number] and self.spool is not None:
            head = (
                f"{LETTERS[ARCHIVE_DELETE]}{number} {seen.st_ino} {seen.st_size} {seen.st_blocks} {changed} "
            )
            self._spooled.append(f"{head}{seen.st_nlink} ".encode() + os.fsencode(name))
            if len(self._spooled) >= FRAME:
                self._flush_spool(path)

    def aged(self, number: int, changed: int, space: int) -> None:
        """Count what stays (or, after all, does not) by its age."""
        ages, days = self.tallies[number].ages, max(self.now_ns - changed, 0) // DAY_NS
        ages[days] = ages.get(days, 0) + space

    def _grows(self, number: int, path: bytes, name: str, seen: os.stat_result, directory: int) -> None:
        whole, days = below(path, os.fsencode(name)), self.policy.classes[number].keep_days
        self.growing.offer(whole, seen.st_ino, seen.st_size)
        ages = self.tallies[number].ages
        for age, part in self.growing.layers(whole, seen.st_ino, seen.st_size, seen.st_blocks * BLOCK):
            ages[age] = ages.get(age, 0) + part
        if days is None or seen.st_ino not in self.growing.inodes or self.policy.holder(whole):
            return
        opened: Callable[[], int] = lambda: os.open(name, READ, dir_fd=directory)  # noqa: E731
        try:
            found = self.growing.aged(whole, seen.st_ino, seen.st_size, days, opened)
        except OSError:
            self.leave("unreadable", whole, seen)
            return
        if found is not None:
            self.part(number, whole, seen, found, opened, whole_file=False)

    def _no_file(self, path: bytes, entry: "os.DirEntry[str]", walk: Walk) -> None:
        where = below(path, os.fsencode(entry.name))
        try:
            if entry.is_dir(follow_symlinks=False):
                walk.later(where)
                return
            seen = entry.stat(follow_symlinks=False)
        except OSError as error:
            walk.failed(where, error)
            return
        self.leave("links" if stat.S_ISLNK(seen.st_mode) else "special", where, seen)

    def _no_class(self, path: str, blocks: int) -> None:
        tally = self.unclassified
        tally.seen.add(1, blocks * BLOCK)
        if blocks * BLOCK > tally.least:
            tally.large(blocks * BLOCK, os.fsencode(path))

    def _flush(self, path: bytes, records: List[str]) -> None:
        if records:
            self.writer.joined(path, os.fsencode("\0".join(records) + "\0"), len(records))
            records.clear()

    def _flush_spool(self, path: bytes) -> None:
        if self._spooled and self.spool is not None:
            self.spool.frame(path, self._spooled)
            self._spooled.clear()


def below(path: bytes, name: bytes) -> bytes:
    """The path of a name in a directory."""
    return path + b"/" + name if path else name
