"""The order processor's log, line by line: what each line says. A line is cut, and what is no text is made visible.

Cutting bytes into lines, however long one is, is the carrier's (``include.release.log_lines``); this takes its lines.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from include.orders.facts import LogLine

LONGEST = 300
"""Characters of a line that are kept: it is shown to people, and a line of the processor has fewer than 100."""
MOST_READ = 4000
"""Characters of a line that are looked at at all."""

Kind = Literal[
    "start", "begin", "processing", "processed", "error", "detail", "complete", "same", "own", "other"
]

_WORKER = re.compile(r"\[(?P<worker>[^\[\]\s]{1,80})\]")
_ERROR = re.compile(r"Error Processing Order\b.{0,40}?#\s*(?P<code>[A-Za-z0-9._-]{1,20})")
_ERROR_WITHOUT = re.compile(r"Error Processing Order\b")
_PROCESSING = re.compile(r"Processing Order\s+(?P<order>\d{1,18})(?!\d)")
_PROCESSED = re.compile(r"\bOrder Processed\b")
_COMPLETE = re.compile(r"\bAll Orders processed\b")
_START = re.compile(r"^\W*Startup\b")
_BEGIN = re.compile(r"\bStarting to process orders\b")
_OWN = re.compile(r"\border processor: (?P<said>.+)")
_NO_TEXT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
_DETAIL = re.compile(r"^order (?P<order>\d{1,18}): error #?(?P<code>[A-Za-z0-9._-]{1,20}),")
_SAME = re.compile(
    r"^stopped: error #(?P<code>[A-Za-z0-9._-]{1,20}) on (?:\d+ different orders|order \d+ alone)"
)
NO_CODE = "none"


@dataclass(frozen=True)
class Event:
    """What a line says.

    Args:
        order: of ``processing`` and ``detail``: the order's number.
        code: of ``error``, ``detail`` and ``same`` (the processor stopped itself, as all fails alike): without #;
            ``none`` when it names none.
        worker: who wrote it, where lines name their worker (``[name]``); else empty.
        said: of ``own``: what the program says of itself.
        cut: characters were left out.
        garbage: it has characters that are no text.
    """

    kind: Kind
    line: LogLine
    order: int | None = None
    code: str = ""
    worker: str = ""
    said: str = ""
    cut: bool = False
    garbage: bool = False


def read_line(text: str, number: int) -> Event:
    """What a line of the log says. Takes no more time for a line of ten megabytes than for a short one."""
    head = text[:MOST_READ]
    clean = _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", head).rstrip()
    garbage = "\N{REPLACEMENT CHARACTER}" in clean
    cut = len(text.rstrip("\r\n")) > LONGEST if len(text) <= MOST_READ else True
    shown = clean if len(clean) <= LONGEST else clean[:LONGEST] + " [cut]"
    line = LogLine(number=number, text=shown)
    who = _WORKER.search(clean[:200])
    worker = who["worker"] if who else ""
    # What the program says of itself is judged first: it may quote anything.
    if own := _OWN.search(clean):
        return _own(own["said"][:LONGEST], line, cut, garbage)
    if error := _ERROR.search(clean):
        return Event("error", line, code=error["code"], worker=worker, cut=cut, garbage=garbage)
    if _ERROR_WITHOUT.search(clean):
        return Event("error", line, code=NO_CODE, worker=worker, cut=cut, garbage=garbage)
    if found := _PROCESSING.search(clean):
        order = int(found["order"])
        return Event("processing", line, order=order, worker=worker, cut=cut, garbage=garbage)
    kind: Kind = "other"
    for each, pattern in (
        ("complete", _COMPLETE),
        ("processed", _PROCESSED),
        ("begin", _BEGIN),
        ("start", _START),
    ):
        if pattern.search(clean):
            kind = each  # type: ignore[assignment]
            break
    return Event(kind, line, worker=worker, cut=cut, garbage=garbage)


def _own(said: str, line: LogLine, cut: bool, garbage: bool) -> Event:
    """What the program says beside the lines that on-call knows."""
    if found := _DETAIL.search(said):
        order = int(found["order"])
        return Event("detail", line, order=order, code=found["code"], said=said, cut=cut, garbage=garbage)
    if found := _SAME.search(said):
        return Event("same", line, code=found["code"], said=said, cut=cut, garbage=garbage)
    return Event("own", line, said=said, cut=cut, garbage=garbage)


class Excerpt:
    """The lines around the first of something, and nothing else of a log that may never end.

    Args:
        lines: how many before it, and how many after it.
    """

    def __init__(self, lines: int) -> None:
        self._most = lines
        self._before: deque[LogLine] = deque(maxlen=lines)
        self._around: dict[str, tuple[LogLine, tuple[LogLine, ...], list[LogLine]]] = {}

    def add(self, line: LogLine, mark: str = "") -> None:
        """Take the next line; ``mark`` it as one of something, of which the first is kept."""
        for _, _, after in self._around.values():
            if len(after) < self._most:
                after.append(line)
        if mark and mark not in self._around:
            self._around[mark] = (line, tuple(self._before), [])
        self._before.append(line)

    def around(self, mark: str) -> tuple[LogLine, tuple[LogLine, ...], tuple[LogLine, ...]]:
        """The first line with this mark, those before it and those after it. Raises KeyError."""
        line, before, after = self._around[mark]
        return line, before, tuple(after)

    @property
    def last(self) -> tuple[LogLine, ...]:
        """The last lines."""
        return tuple(self._before)
