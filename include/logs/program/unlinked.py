"""Files that somebody has deleted and somebody else still has open: their space has not come back.

Nothing on the volume names them any more; ``/proc`` does, as far as this process may look.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Set

from .tally import BLOCK

MOST = 10


def unlinked(dev: int, proc: str = "/proc") -> List[Dict[str, Any]]:
    """Those on a device, largest first: path (as it was), bytes, by (``name (pid)``). At most MOST."""
    found: List[Dict[str, Any]] = []
    seen: Set[int] = set()
    for pid in filter(str.isdigit, _names(proc)):
        for number in _names(f"{proc}/{pid}/fd"):
            link = f"{proc}/{pid}/fd/{number}"
            try:
                there = os.stat(link)
                if there.st_dev != dev or there.st_nlink or there.st_ino in seen or not there.st_blocks:
                    continue
                path = os.readlink(link).replace(" (deleted)", "")
            except OSError:
                continue
            seen.add(there.st_ino)
            found.append(
                {"path": path, "bytes": there.st_blocks * BLOCK, "by": f"{_name(proc, pid)} ({pid})"}
            )
    return sorted(found, key=lambda item: -int(item["bytes"]))[:MOST]


def _names(path: str) -> List[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _name(proc: str, pid: str) -> str:
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "process"
