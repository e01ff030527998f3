"""Copies that a restore has put among the logs: a hold on the file that they were holds them, too.

Where copies were asked for is noted on the volume before anything is written there.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import List, Sequence, Tuple

from . import history
from .layout import Layout

NOTES = "restored.jsonl"
RESTORED = "restored"
"""Where copies go that were asked for without a place, within the clean-up's own directory."""
BLOCK = 512
_MOMENT = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z"
_SEVERAL = (f".{_MOMENT}", f".{_MOMENT}-*")
"""What a restore adds to the names of several files of one path."""


def note_copies(layout: Layout, to: str) -> None:
    """Files are restored to this directory below the root. Raises OSError."""
    if to not in copied_to(layout):
        history.append(os.path.join(layout.state, NOTES), [{"to": to}])


def copied_to(layout: Layout) -> List[str]:
    """Where files of this volume were ever restored to: directories below the root."""
    try:
        with open(os.path.join(layout.state, NOTES), encoding="ascii") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(str(json.loads(line)["to"]))
        except (ValueError, KeyError, TypeError):  # cut off by a crash
            continue
    return list(dict.fromkeys(found))


def apart(layout: Layout) -> Tuple[int, int]:
    """Files and bytes of what was restored to the clean-up's own directory, which no class ever takes away."""
    files = space = 0
    for folder, _, names in os.walk(os.path.join(layout.state, RESTORED)):
        for name in names:
            with suppress(OSError):
                space += os.lstat(os.path.join(folder, name)).st_blocks * BLOCK
                files += 1
    return files, space


def with_copies(globs: Sequence[str], places: Sequence[str]) -> List[str]:
    """The globs of a hold, and those of the copies of what they match."""
    found = list(globs)
    for place in places:
        below = "" if place == "." else re.sub(r"([*?\[])", r"[\1]", place) + "/"
        for glob in globs:
            found += [below + glob, *(below + glob + more for more in _SEVERAL)]
    return found
