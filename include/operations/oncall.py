"""The on-call log: an entry as a run wrote it, in its four parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"(?P<time>.+?) -- \*(?P<alert>.+)\*")
TROUBLESHOOTING, RESOLUTION = "Troubleshooting", "Resolution"


@dataclass(frozen=True)
class Parts:
    """Time, alert, troubleshooting and resolution."""

    time: str
    alert: str
    troubleshooting: tuple[str, ...]
    resolution: tuple[str, ...]


def parts_of(text: str) -> Parts | None:
    """The parts of an entry; None when it is written in another form, and is best shown as it is."""
    blocks = [block.strip() for block in text.strip().split("\n\n")]
    head = _HEAD.fullmatch(blocks[0])
    if head is None or blocks[1::2] != [TROUBLESHOOTING, RESOLUTION] or len(blocks) != 5:
        return None
    items = [tuple(line.removeprefix("- ") for line in block.splitlines()) for block in blocks[2::2]]
    return Parts(head["time"], head["alert"], *items)
