"""Reads container logs as ``GET .../pods/NAME/log`` gives them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_POLL = 0.05
_CHUNK = 64 * 1024
_FALLBACK_LINES = 80
_FALLBACK_BYTES = 2048


@dataclass(frozen=True)
class LogOptions:
    """What of a log is wanted. ``since`` is a moment; a missing value is no limit."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None

    @classmethod
    def made(
        cls,
        *,
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        since_time: datetime | str | None = None,
        timestamps: bool = False,
        limit_bytes: int | None = None,
    ) -> LogOptions:
        """Options from those of the request."""
        since: datetime | None = None
        if since_seconds is not None:
            since = datetime.now(UTC) - timedelta(seconds=since_seconds)
        elif isinstance(since_time, str):
            since = datetime.fromisoformat(since_time.replace("Z", "+00:00"))
        elif since_time is not None:
            since = since_time
        return cls(follow, tail_lines, since, timestamps, limit_bytes)


@dataclass(frozen=True)
class _Entry:
    time: str
    whole: bool
    text: bytes

    @property
    def moment(self) -> datetime:
        # Python counts in microseconds; the file in nanoseconds
        return datetime.fromisoformat(self.time[:26] + "+00:00")


def _parse(line: bytes) -> _Entry | None:
    parts = line.split(b" ", 3)
    if len(parts) < 4:
        return None
    return _Entry(parts[0].decode(), parts[2] == b"F", parts[3])


class _Writer:
    """Turns entries into the bytes that a client gets."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._within = False

    @property
    def full(self) -> bool:
        return self._left is not None and self._left <= 0

    def bytes(self, entry: _Entry) -> bytes:
        if self._options.since is not None and entry.moment < self._options.since:
            return b""
        out = entry.text + (b"\n" if entry.whole else b"")
        if self._options.timestamps and not self._within:
            out = entry.time.encode() + b" " + out
        self._within = not entry.whole
        if self._left is not None:
            out = out[: self._left]
            self._left -= len(out)
        return out


async def stream(path: Path, options: LogOptions, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log's bytes; with ``follow`` until the container has ended and everything is read.

    Args:
        path: the log file; a missing one is empty.
        options: what is wanted.
        running: whether more may still come.
    """
    writer = _Writer(options)
    if not path.exists():
        return
    with path.open("rb") as file:
        if options.tail_lines is not None:
            file.seek(_tail_offset(path, options.tail_lines))
        rest = b""
        while not writer.full:
            alive = running()
            data = file.read(_CHUNK)
            *lines, rest = (rest + data).split(b"\n")
            out = b"".join(writer.bytes(entry) for line in lines if (entry := _parse(line)))
            if out:
                yield out
            if data:
                await asyncio.sleep(0)
            elif options.follow and alive:
                await asyncio.sleep(_POLL)
            else:
                return


def _tail_offset(path: Path, count: int) -> int:
    """Where the last ``count`` lines begin."""
    size = path.stat().st_size
    if count <= 0:
        return size
    with path.open("rb") as file:
        position, newlines = size, 0
        while position > 0:
            step = min(_CHUNK, position)
            position -= step
            file.seek(position)
            block = file.read(step)
            at = len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                newlines += 1
                if newlines > count:
                    return position + at + 1
    return 0


def _entries(path: Path, offset: int) -> Iterator[_Entry]:
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            entry = _parse(line.rstrip(b"\n"))
            if entry:
                yield entry


def last_output(path: Path) -> str:
    """The end of a log for a termination message: at most 80 lines and 2048 bytes."""
    if not path.exists():
        return ""
    entries = deque(_entries(path, _tail_offset(path, _FALLBACK_LINES)), maxlen=_FALLBACK_LINES)
    text = b"".join(entry.text + (b"\n" if entry.whole else b"") for entry in entries)
    return text[-_FALLBACK_BYTES:].decode(errors="replace")
