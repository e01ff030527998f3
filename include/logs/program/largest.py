"""The largest files: the plan notes which those are of each class, and later some of them are gone, or take less."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Dict, List, Sequence

from .layout import Layout
from .request import Request
from .summary import shown
from .tally import BLOCK, Tally

NAME = "largest.json"
MOST = 10


def keep(layout: Layout, tallies: Sequence[Tally]) -> None:
    """Note them, for the step that looks at the space. Raises OSError."""
    found = [[os.fsdecode(path), tally.name] for tally in tallies for _, path in tally.largest]
    with open(os.path.join(layout.run, NAME), "w", encoding="ascii") as file:
        json.dump(found, file)


def now(request: Request) -> List[Dict[str, Any]]:
    """Those of them that are there still, by what they take now. None where nothing was planned."""
    found = []
    with suppress(OSError, ValueError):
        with open(os.path.join(request.layout.run, NAME), encoding="ascii") as file:
            noted = json.load(file)
        for path, name in noted:
            with suppress(OSError):
                found.append((os.lstat(os.path.join(request.root, path)).st_blocks * BLOCK, path, name))
    found.sort(reverse=True)
    return [
        {"path": shown(os.fsencode(path)), "bytes": taken, "class": name}
        for taken, path, name in found[:MOST]
        if taken
    ]
