r"""The plan: what is to be done with which file. Written once by ``plan``, read by the steps that change things.

The file is made for a million entries: written in frames, each of at most ``FRAME`` files of one directory, so
that a reader opens a directory once and several readers can share the frames among them.

    {"format": 2, "classes": [...], "dev": ..., ...}\n         header, one line of JSON
    @ <entries> <bytes of directory> <bytes of entries>\n      a frame
    <directory>\0<entry>\0<entry>\0\n
    # <frames> <entries>\n                                     the end: a plan without it is not whole

A directory is a path below the root as bytes, empty for the root itself. An entry is, with blanks between,

    <letter of the action><number of the class> ino size blocks mtime_ns nlink[:links in the plan] [start end tail] name

where start and end (of the bytes that go) and tail (see Entry) stand only where the action takes a part of a file. No byte needs
escaping: a name has no NUL. To read it: ``tr '\0' '\n' < plan``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, NamedTuple

from .problems import StepError

FORMAT = 2
FRAME = 1000
"""Entries in a frame, at most."""
DELETE = "delete"
ARCHIVE_DELETE = "archive_delete"
ARCHIVE_PUNCH = "archive_punch"
PUNCH = "punch"
TRUNCATE = "truncate"
EXPIRE_ARCHIVE = "expire_archive"
LETTERS = {
    DELETE: "D",  # retention is over, the class is not archived
    ARCHIVE_DELETE: "A",  # archive the whole file, then delete it
    ARCHIVE_PUNCH: "P",  # archive [start, end), then punch a hole over it; the file stays
    PUNCH: "H",  # the same without an archive: the class is not archived
    TRUNCATE: "T",  # archive [start, end) where the class is archived, then set the size to 0 (config accepts a loss)
    EXPIRE_ARCHIVE: "X",  # an archive (path below the archives' directory) whose time is over
}
ACTIONS = {letter: action for action, letter in LETTERS.items()}
PARTIAL = "PHT"
"""Actions on a range of bytes; their entries have start, end and tail."""
_PARTIAL_BYTES = tuple(letter.encode() for letter in PARTIAL)


class Entry(NamedTuple):
    """One file and what is to be done with it. Sizes in bytes; ``blocks`` of 512 bytes, as stat counts them."""

    path: bytes
    """Relative to the volume's root; of an expired archive, to the directory of the archives."""
    dev: int
    ino: int
    size: int
    blocks: int
    mtime_ns: int
    nlink: int
    links_planned: int
    """How many of its links are in this plan: space comes back only where that is all of them."""
    class_name: str
    action: str
    start: int
    end: int
    tail: str = ""
    """Of a range: a checksum of the bytes just below ``end``. Cut to nothing and filled again, a file only seems to have grown."""

    @property
    def name(self) -> bytes:
        """The last part of the path."""
        return self.path.rpartition(b"/")[2]

    @property
    def directory(self) -> bytes:
        """The path without its last part; empty for the root."""
        return self.path.rpartition(b"/")[0]


class Frame(NamedTuple):
    """Entries of one directory, not yet taken apart; ``number`` counts from 0 over the plan."""

    number: int
    directory: bytes
    records: Sequence[bytes]


class Plan:
    """A written plan. Raises StepError when it is not whole or not of this format."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            self.header: dict[str, Any] = _header(file, path)
            self._first = file.tell()
        self.classes: list[str] = list(self.header["classes"])
        self.dev = int(self.header["dev"])
        self.archive_dev = int(self.header.get("archive_dev", self.dev))

    def frames(self, part: int = 0, parts: int = 1) -> Iterator[Frame]:
        """The frames; with ``parts`` readers, those of one stretch of the plan: files far apart, few locks in common."""
        number = entries = 0
        total = self.totals()[0] if parts > 1 else 1
        with open(self.path, "rb") as file:
            file.seek(self._first)
            while True:
                line = file.readline()
                if line.startswith(b"# "):
                    self._check_end(line, number, entries)
                    return
                fields = line.split()
                if len(fields) != 4 or fields[0] != b"@":
                    raise StepError(f"{self.path}: frame {number} of the plan cannot be read; plan again")
                length = int(fields[2]) + int(fields[3]) + 1
                if number * parts // max(total, 1) == part or parts == 1:
                    body = file.read(length)
                    if len(body) != length:
                        raise StepError(f"{self.path}: the plan ends within frame {number}; plan again")
                    directory, *records = body[:-2].split(b"\0")
                    yield Frame(number, directory, records)
                else:
                    file.seek(length, os.SEEK_CUR)
                entries += int(fields[1])
                number += 1

    def totals(self) -> tuple[int, int]:
        """How many frames and entries there are, as the plan's end says."""
        with open(self.path, "rb") as file:
            file.seek(max(self._first, os.stat(self.path).st_size - 64))
            end = file.read().rpartition(b"# ")[2]
        numbers = end.split()
        if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
            raise StepError(f"{self.path}: the plan has no end; plan again")
        return int(numbers[0]), int(numbers[1])

    def entries(self, frame: Frame) -> list[Entry]:
        """The entries of a frame."""
        parse, directory = self.parse, frame.directory
        return [parse(directory, record) for record in frame.records]

    def parse(self, directory: bytes, record: bytes) -> Entry:
        """One record of a frame, taken apart."""
        if record.startswith(_PARTIAL_BYTES):
            kind, ino, size, blocks, mtime_ns, links, start, end, tail, name = record.split(b" ", 9)
        else:
            kind, ino, size, blocks, mtime_ns, links, name = record.split(b" ", 6)
            start, end, tail = b"0", size, b""
        if links == b"1":
            nlink = planned = 1
        else:
            all_links, _, in_plan = links.partition(b":")
            nlink, planned = int(all_links), int(in_plan or all_links)
        return Entry(
            directory + b"/" + name if directory else name,
            self.archive_dev if kind[:1] == b"X" else self.dev,
            int(ino),
            int(size),
            int(blocks),
            int(mtime_ns),
            nlink,
            planned,
            self.classes[int(kind[1:])],
            ACTIONS[chr(kind[0])],
            int(start),
            int(end),
            tail.decode(),
        )

    def __iter__(self) -> Iterator[Entry]:
        for frame in self.frames():
            yield from self.entries(frame)

    def _check_end(self, line: bytes, frames: int, entries: int) -> None:
        if line != b"# %d %d\n" % (frames, entries):
            raise StepError(f"{self.path}: the plan is not whole; plan again")


class PlanWriter:
    """Writes a plan: to ``<path>.partial``, which takes its name when it is whole and on the disk."""

    def __init__(self, path: str, header: dict[str, Any]) -> None:
        self.path = path
        self.frames = self.entries = 0
        self._file = open(path + ".partial", "wb", buffering=1 << 18)  # noqa: SIM115 - closed by finish()
        self._file.write(json.dumps({"format": FORMAT, **header}).encode() + b"\n")

    def frame(self, directory: bytes, records: Sequence[bytes]) -> None:
        """Add the records of one directory, in as many frames as it takes."""
        for first in range(0, len(records), FRAME):
            part = records[first : first + FRAME]
            self.joined(directory, b"\0".join(part) + b"\0", len(part))

    def joined(self, directory: bytes, body: bytes, count: int) -> None:
        """Add one frame whose records are joined already, each with its NUL."""
        head = b"@ %d %d %d\n" % (count, len(directory) + 1, len(body))
        self._file.write(b"".join((head, directory, b"\0", body, b"\n")))
        self.frames += 1
        self.entries += count

    def finish(self) -> None:
        """Make it whole: on the disk first, then under its name."""
        self._file.write(b"# %d %d\n" % (self.frames, self.entries))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.path + ".partial", self.path)
        sync_directory(os.path.dirname(self.path))


def record(entry: Entry, class_number: int) -> bytes:
    """An entry as the plan has it."""
    links = b"%d" % entry.nlink
    if entry.links_planned != entry.nlink:
        links += b":%d" % entry.links_planned
    letter = LETTERS[entry.action]
    part = b" %d %d %s" % (entry.start, entry.end, entry.tail.encode()) if letter in PARTIAL else b""
    head = b"%s%d %d %d %d %d " % (
        letter.encode(), class_number, entry.ino, entry.size, entry.blocks, entry.mtime_ns,
    )  # fmt: skip
    return head + links + part + b" " + entry.name


def write_plan(path: str, header: dict[str, Any], entries: Iterable[Entry]) -> None:
    """A whole plan from entries; for small ones and for tests. Entries of a directory should come together."""
    writer = PlanWriter(path, header)
    numbers = {name: number for number, name in enumerate(header["classes"])}
    directory = b""
    records: list[bytes] = []
    for entry in entries:
        if entry.directory != directory:
            writer.frame(directory, records)
            directory, records = entry.directory, []
        records.append(record(entry, numbers[entry.class_name]))
    writer.frame(directory, records)
    writer.finish()


def sync_directory(path: str) -> None:
    """Put a directory's names on the disk."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _header(file: IO[bytes], path: str) -> dict[str, Any]:
    try:
        header = json.loads(file.readline())
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise StepError(f"{path}: no plan of format {FORMAT}; plan again")
    return header
