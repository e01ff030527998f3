"""What a container's processes use, so that one over its memory limit can be ended as the kernel would."""

from __future__ import annotations

import os

_PAGE = os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    # the name in brackets may hold blanks and brackets itself
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def all_pids() -> list[int]:
    """Every process that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(ancestor: int) -> list[int]:
    """All processes below ``ancestor``, without it."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        children.setdefault(_parent(pid), []).append(pid)
    found: list[int] = []
    todo = [ancestor]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def resident(pid: int) -> int:
    """Bytes of memory of a process that no file backs (zero when it has ended)."""
    fields = _read(f"/proc/{pid}/statm").split()
    return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else 0


def over_limit(pids: list[int], limit: int) -> int | None:
    """The largest of ``pids`` when together they use more than ``limit`` bytes, else None."""
    used = {pid: resident(pid) for pid in pids}
    if sum(used.values()) <= limit:
        return None
    return max(used, key=lambda pid: used[pid])
