"""The container's log: ``<time> <stream> <F|P> <text>`` per line, the format of the container runtimes' log files."""

from __future__ import annotations

import os
import time

_LONGEST = 16 * 1024
"""A line longer than this is written in parts (tag P), as containerd does."""


def stamp() -> str:
    """The time now, UTC with nanoseconds."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


class LogFile:
    """Takes what a container writes on its two streams and keeps it line by line in one file."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._open: dict[str, bytes] = {}

    def feed(self, stream: str, data: bytes) -> None:
        """Adds output of ``stdout`` or ``stderr``."""
        now = stamp()
        *lines, rest = (self._open.get(stream, b"") + data).split(b"\n")
        # containerd ends a line at \r\n as well as at \n.
        out = [_entry(now, stream, line.removesuffix(b"\r")) for line in lines]
        while len(rest) >= _LONGEST:
            out.append(_part(now, stream, rest[:_LONGEST]))
            rest = rest[_LONGEST:]
        self._open[stream] = rest
        if out:
            self._write(b"".join(out))

    def close(self) -> None:
        """Writes what did not end in a newline."""
        now = stamp()
        self._write(b"".join(_part(now, stream, rest) for stream, rest in self._open.items() if rest))
        os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]


def _part(now: str, stream: str, text: bytes) -> bytes:
    return f"{now} {stream} P ".encode() + text + b"\n"


def _entry(now: str, stream: str, line: bytes) -> bytes:
    parts = []
    while len(line) > _LONGEST:
        parts.append(_part(now, stream, line[:_LONGEST]))
        line = line[_LONGEST:]
    return b"".join(parts) + f"{now} {stream} F ".encode() + line + b"\n"
