"""What a step takes in memory: its processes together, as often as one can look."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.02
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Peak:
    """The most that a step took (MB of 10^6 bytes; shared pages count in every process that has them), and how long it took."""

    command: str
    mb: float
    seconds: float


def watched(command: str, process: subprocess.Popen[bytes]) -> Peak:
    """Look at a process and its children until it ends."""
    begun, most = time.monotonic(), 0
    while process.poll() is None:
        most = max(most, sum(_resident(pid) for pid in _family(process.pid)))
        time.sleep(EVERY_S)
    return Peak(command, most / 1e6, time.monotonic() - begun)


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
