"""What an archive holds: which bytes of which file, and their checksum. One JSON object a line, compressed as the archive is.

    {"format": 1, "archive": "2026/11/....tar.zst", "class": ..., "run": ..., "created": ...}   the first line
    {"path": ..., "ino": ..., "size": 912, "mtime_ns": ..., "mode": ..., "at": 512, "sha256": ...}  a line for each file
    {"entries": ..., "bytes": ..., "stored": ..., "sha256": ..., "first": ..., "last": ...}         the last line

``at`` is where a file's bytes begin in the (uncompressed) archive, whose length is ``stored`` in the last line; the
checksum there is that of the compressed archive: ``sha256sum`` tells it too. Of a file of which only a part was archived, ``start`` and ``end`` say which
bytes. A path that is no UTF-8 is ``path_base64``. A manifest without its last line is not whole; it never has its final name.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from . import codecs
from .entries import ARCHIVE_DELETE
from .layout import ARCHIVES, MANIFESTS, Layout
from .problems import StepError
from .tar import Segments

FORMAT = 1
MARK = ".jsonl"
"""In the name of every manifest, before the suffix of its codec."""
# A line of an ordinary file, as ``ArchiveWriter.ordinary`` writes it; json takes three times as long, and reads all the others.
_ORDINARY = re.compile(
    rb'\{"path":"([^"\\]*)","ino":(\d+),"size":(\d+),"mtime_ns":(\d+),"mode":(\d+),"at":(\d+),'
    rb'"sha256":"([0-9a-f]{64})"\}'
)
_ENDS = tuple(MARK + suffix for suffix in codecs.SUFFIXES.values())
_FLUSH = 1 << 16
_LAST = 4096
"""The last line has fewer bytes."""


class Record(NamedTuple):
    """One file's bytes in an archive. Sizes and places in bytes."""

    path: bytes
    ino: int
    size: int
    mtime_ns: int
    nlink: int
    mode: int
    action: str
    start: int
    end: int
    at: int
    sha256: str
    """Of the bytes that were stored: of a file with holes, of its segments."""
    segments: Segments | None = None
    """Where the bytes belong that were stored (offset from ``start``, length); None: all of them, one after the other."""
    link: bytes = b""
    """An earlier path of the same file, which has the bytes."""

    @property
    def stored(self) -> int:
        """Bytes in the archive."""
        if self.link:
            return 0
        if self.segments is None:
            return self.end - self.start
        return sum(count for _, count in self.segments)


@dataclass(frozen=True)
class Place:
    """Where an archive and its manifest lie; ``name`` is their path below ``archives`` and ``manifests``."""

    layout: Layout
    name: str
    base: str = ""
    """The directory that has those two; empty: where new ones go."""

    @property
    def archive(self) -> str:
        """The archive's absolute path."""
        return os.path.join(self.base or self.layout.archive_base, ARCHIVES, self.name)

    @property
    def on_the_volume(self) -> bool:
        """Whether it takes the volume's own space."""
        return (self.base or self.layout.archive_base) == self.layout.state

    @property
    def manifest(self) -> str:
        """The manifest's absolute path."""
        suffix = codecs.SUFFIXES[codecs.codec_of(self.name)]
        return os.path.join(self.base or self.layout.archive_base, MANIFESTS, stem(self.name) + MARK + suffix)


def find(layout: Layout, name: str) -> Place:
    """The archive of a name, wherever it lies; where new ones go when it is nowhere."""
    places = [Place(layout, name, base) for base in layout.archive_bases]
    return next(
        (each for each in places if os.path.lexists(each.archive) or os.path.lexists(each.manifest)),
        places[0],
    )


def stem(name: str) -> str:
    """An archive's name without ``.tar.zst`` or ``.tar.gz``."""
    return name.rpartition(".tar.")[0] or name


class ManifestWriter:
    """Writes a manifest to a descriptor. Raises OSError; ``abort`` when it is not to be finished."""

    def __init__(self, descriptor: int, header: dict[str, Any], codec: str = codecs.GZIP) -> None:
        self._descriptor = descriptor
        self._sink = codecs.sink(
            codec, descriptor, quick=True
        )  # checksums take all of the time for hardly a gain
        self._lines: list[str] = []
        self._size = 0
        self.entries = self.bytes = self.stored = self.last = 0
        self.first = 1 << 63
        self._line(json.dumps({"format": FORMAT, **header}) + "\n")

    def add(self, record: Record) -> None:
        """One more file."""
        (path, ino, size, mtime_ns, nlink, mode, action, start, end, at, sha256, segments, link) = record
        more = ""
        if nlink != 1:
            more += f',"nlink":{nlink}'
        if action != ARCHIVE_DELETE or start or end != size:
            more += f',"action":"{action}","start":{start},"end":{end}'
        if segments is not None:
            more += f',"segments":{json.dumps(segments)}'
        if link:
            more += f",{_path('link', link)}"
        self._line(
            f'{{{_path("path", path)},"ino":{ino},"size":{size},"mtime_ns":{mtime_ns},"mode":{mode},"at":{at},'
            f'"sha256":"{sha256}"{more}}}\n'
        )
        self.entries += 1
        self.bytes += end - start
        if mtime_ns < self.first:
            self.first = mtime_ns
        if mtime_ns > self.last:
            self.last = mtime_ns

    def lines(self, lines: list[str], size: int, first: int, last: int) -> None:
        """More whole files, written as ``add`` does; their bytes in all, the first and the last time of change."""
        self._lines += lines
        self._flush()
        self.entries += len(lines)
        self.bytes += size
        self.first, self.last = min(self.first, first), max(self.last, last)

    def _line(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        self._sink.write("".join(self._lines).encode())
        self._lines, self._size = [], 0

    def abort(self) -> None:
        """Give up: nothing is left running."""
        self._sink.abort()

    def finish(self, stored: int, sha256: str) -> dict[str, Any]:
        """The last line (``stored``, ``sha256`` of the archive), and everything onto the disk. Returns it. Raises OSError."""
        last = {
            "entries": self.entries,
            "bytes": self.bytes,
            "stored": stored,
            "sha256": sha256,
            "first": self.first / 1e9 if self.entries else 0,
            "last": self.last / 1e9,
        }
        self._line(json.dumps(last) + "\n")
        self._flush()
        self._sink.close()
        os.fsync(self._descriptor)
        return last


class Manifest:
    """A written manifest. Raises StepError when it cannot be read or is none."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.end: dict[str, Any] | None = None
        """The last line, once all records were read."""
        try:
            with contextlib.closing(self._lines()) as lines:
                self.header = self._object(next(lines, b""))
        except (OSError, codecs.DamagedError) as error:
            raise StepError(f"{path} cannot be read: {error}") from error
        if self.header.get("format") != FORMAT:
            raise StepError(f"{path} is no manifest of format {FORMAT}")

    @property
    def archive(self) -> str:
        """The archive's path below ``archives``."""
        return str(self.header["archive"])

    @property
    def class_name(self) -> str:
        """The class of all its files."""
        return str(self.header["class"])

    def __iter__(self) -> Iterator[Record]:
        count = 0
        ordinary = _ORDINARY.fullmatch
        with contextlib.closing(self._lines()) as lines:
            try:
                next(lines, b"")
                for line in lines:
                    plain = ordinary(line)
                    if plain:
                        count += 1
                        yield _from_match(plain)
                        continue
                    values = json.loads(line)
                    if "entries" in values:
                        # To the end: only there does the codec compare its checksum.
                        if values["entries"] != count or next(lines, b""):
                            break
                        self.end = values
                        return
                    count += 1
                    yield _record(values)
            except (OSError, ValueError, KeyError, TypeError, codecs.DamagedError) as error:
                raise StepError(f"{self.path} cannot be read after {count} files: {error}") from error
        raise StepError(f"{self.path} is not whole: it ends after {count} files")

    def last_line(self) -> dict[str, Any]:
        """The last line, after everything before it was read and counted, not understood. Raises StepError."""
        lines, rest = 0, b""
        with contextlib.closing(self._source()) as source:
            try:
                for piece in source.pieces():
                    data = bytes(piece)
                    lines += data.count(b"\n")
                    rest = (rest + data)[-_LAST:]
            except (OSError, codecs.DamagedError) as error:
                raise StepError(f"{self.path} cannot be read: {error}") from error
        found = self._object(rest.rstrip(b"\n").rpartition(b"\n")[2])
        if not rest.endswith(b"\n") or found.get("entries") != lines - 2:
            raise StepError(f"{self.path} is not whole: it ends after {lines} lines")
        return found

    def _lines(self) -> Generator[bytes, None, None]:
        """The lines, without their ends."""
        rest = b""
        with contextlib.closing(self._source()) as source:
            for piece in source.pieces():
                *lines, rest = (rest + bytes(piece)).split(b"\n")
                yield from lines
        if rest:
            yield rest

    def _source(self) -> codecs.Source:
        try:
            return codecs.source(codecs.codec_of(self.path), self.path)
        except OSError as error:
            raise StepError(f"{self.path} cannot be opened: {error.strerror}") from error

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}


def _record(values: dict[str, Any]) -> Record:
    path = values.get("path")
    segments = values.get("segments")
    link = values.get("link")
    return Record(
        path.encode() if path is not None else base64.b64decode(values["path_base64"]),
        values["ino"],
        values["size"],
        values["mtime_ns"],
        values.get("nlink", 1),
        values["mode"],
        values.get("action", ARCHIVE_DELETE),
        values.get("start", 0),
        values.get("end", values["size"]),
        values["at"],
        values["sha256"],
        None if segments is None else [(offset, count) for offset, count in segments],
        link.encode() if link else base64.b64decode(values.get("link_base64", "")),
    )


def _from_match(found: re.Match[bytes]) -> Record:
    path, ino, size, mtime_ns, mode, at, sha256 = found.groups()
    length = int(size)
    return Record(
        path,
        int(ino),
        length,
        int(mtime_ns),
        1,
        int(mode),
        ARCHIVE_DELETE,
        0,
        length,
        int(at),
        sha256.decode(),
    )


def _path(key: str, path: bytes) -> str:
    try:
        return f'"{key}":{encode_basestring(path.decode())}'
    except UnicodeDecodeError:
        return f'"{key}_base64":"{base64.b64encode(path).decode()}"'


def all_manifests(layout: Layout) -> Iterator[tuple[str, str]]:
    """The directory that has it and the absolute path, of every manifest; of each directory the oldest month first."""
    for base in layout.archive_bases:
        for folder, folders, names in os.walk(os.path.join(base, MANIFESTS)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(_ENDS):
                    yield base, os.path.join(folder, name)
