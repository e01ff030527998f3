"""Cutting what a container writes into lines, however long one is."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are kept; what follows in it is left out."""
LEFT_OUT = " [the rest of this line is left out]"


class LogLines:
    """Takes a log's bytes as they come and gives its lines; a line that never ends takes no more memory than others."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that end in a chunk."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._take()
        self._add(rest)

    def end(self) -> Iterator[str]:
        """What stands after the last line end, if anything does."""
        if self._rest:
            yield self._take()

    def _add(self, part: bytes) -> None:
        room = LONGEST_LINE - len(self._rest)
        self._cut = self._cut or len(part) > room
        self._rest += part[: max(room, 0)]

    def _take(self) -> str:
        line = self._rest.decode("utf-8", "replace") + (LEFT_OUT if self._cut else "")
        self._rest.clear()
        self._cut = False
        return line
