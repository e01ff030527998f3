"""How much space a volume has, and how much of it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Set

from .problems import StepError
from .request import Request
from .tally import BLOCK
from .walking import open_directory, open_root


@dataclass(frozen=True)
class Usage:
    """Sizes in bytes. ``free`` is what an ordinary process may still write; below 0 where a directory has outgrown
    its configured size.
    """

    size: int
    used: int
    free: int
    inodes_free_percent: float = 100.0
    """100 where the file system does not count them."""

    @property
    def free_percent(self) -> float:
        """Of what ordinary processes may use, as ``df`` counts it."""
        return 100.0 * max(self.free, 0) / max(self.used + self.free, 1)

    def missing(self, percent: float) -> int:
        """What has to be freed until so many percent are free; 0 when they are."""
        return max(int((self.used + self.free) * percent / 100 - self.free + 0.999), 0)

    def after(self, freed: int) -> Usage:
        """The space when so many bytes were freed (or, below 0, used)."""
        return Usage(self.size, self.used - freed, self.free + freed, self.inodes_free_percent)

    def facts(self, request: Request) -> Dict[str, Any]:
        """As the answers have it."""
        return {
            "size": self.size,
            "used": self.used,
            "free": max(self.free, 0),
            "free_percent": round(self.free_percent, 2),
            "floor_percent": request.floor_percent,
            "target_percent": request.target_percent,
            "below_floor": self.free_percent < request.floor_percent,
            "to_floor": self.missing(request.floor_percent),
            "to_target": self.missing(request.target_percent),
            "inodes_free_percent": round(self.inodes_free_percent, 2),
        }


def usage(request: Request) -> Usage:
    """The volume's space now. With a configured size, what the directory's files take is counted."""
    found = usage_of(request.root)
    if request.size is None:
        return found
    used = taken(request.root)
    return Usage(request.size, used, min(request.size - used, found.free), found.inodes_free_percent)


def usage_of(path: str) -> Usage:
    """The space of the file system that has a directory."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise StepError(f"{path}: its space cannot be read: {error.strerror}") from error
    size = found.f_blocks * found.f_frsize
    inodes = 100.0 * found.f_favail / found.f_files if found.f_files else 100.0
    return Usage(size, size - found.f_bfree * found.f_frsize, found.f_bavail * found.f_frsize, inodes)


def taken(root: str) -> int:
    """The bytes that everything below a directory takes; a file with several links counts once."""
    total = 0
    linked: Set[int] = set()
    left = [b""]
    top = open_root(root)
    try:
        dev = os.fstat(top).st_dev
        while left:
            path = left.pop()
            total += _directory(top, path, dev, left, linked)
    finally:
        os.close(top)
    return total


def _directory(top: int, path: bytes, dev: int, left: list[bytes], linked: Set[int]) -> int:
    try:
        descriptor = open_directory(top, path)
    except OSError:
        return 0
    total = 0
    try:
        if os.fstat(descriptor).st_dev != dev:
            return 0
        with os.scandir(descriptor) as listing:
            for entry in listing:
                try:
                    seen = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        name = os.fsencode(entry.name)
                        left.append(path + b"/" + name if path else name)
                except OSError:
                    continue
                if seen.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                    if seen.st_ino in linked:
                        continue
                    linked.add(seen.st_ino)
                total += seen.st_blocks
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return total * BLOCK
