"""Trees of logs to clean up: the same content for every tool and round, written anew each time."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from multiprocessing import Process
from pathlib import Path

PER_DIRECTORY = 1000
OLD = 1_700_000_000
"""When every file was last changed: long enough ago for any retention."""
_WORDS = [
    "order",
    "payment",
    "cart",
    "catalog",
    "session",
    "gateway",
    "timeout",
    "retry",
    "accepted",
    "refused",
    "worker",
    "plant",
    "invoice",
]


def text(seed: int, size: int) -> bytes:
    """So many bytes of log lines."""
    chance = random.Random(seed)
    lines, length = [], 0
    while length < size:
        line = (
            f"2026-11-{chance.randrange(1, 31):02d}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:"
            f"{chance.randrange(60):02d}.{chance.randrange(1000):03d}Z {chance.choice(('INFO', 'INFO', 'WARN'))} "
            f"[{chance.randrange(1 << 32):08x}] {chance.choice(_WORDS)} {chance.randrange(10**7)} "
            f"{chance.choice(_WORDS)} in {chance.randrange(5000)} ms\n"
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:size]


def make(
    root: Path,
    files: int,
    large: int = 0,
    large_mb: int = 0,
    per_directory: int = PER_DIRECTORY,
    most: int = 6000,
) -> None:
    """Write a tree of small files (200 bytes to ``most``) and a few large ones, and sync."""
    root.mkdir(parents=True)
    source = text(1, 1 << 20)
    groups = [range(first, min(first + per_directory, files)) for first in range(0, files, per_directory)]
    makers = [Process(target=_small, args=(root, source, groups[part::2], most)) for part in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
        if maker.exitcode:
            raise OSError(f"the tree could not be written to {root}")
    for number in range(large):
        _large(root / f"app-{number}.log", number, large_mb << 20)
    os.sync()


def _small(root: Path, source: bytes, groups: list[range], most: int) -> None:
    for group in groups:
        folder = root / f"worker-{group.start // PER_DIRECTORY:04d}"
        folder.mkdir()
        descriptor = os.open(folder, os.O_RDONLY)
        for number in group:
            size = 200 + number * 7919 % (most - 200)
            start = number * 104_729 % (len(source) - size)
            file = os.open(f"task-{number:07d}.log", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=descriptor)
            os.write(file, source[start : start + size])
            os.utime(file, (OLD, OLD))
            os.close(file)
        os.close(descriptor)


def _large(path: Path, seed: int, size: int) -> None:
    piece = text(100 + seed, 8 << 20)
    with path.open("wb") as file:
        for number in range(size // len(piece)):
            file.write(piece.replace(b"2026-11", b"2026-%02d" % (1 + number % 12)))
    os.utime(path, (OLD, OLD))


def remove(path: Path) -> None:
    """Remove a tree, quickly."""
    if path.exists():
        subprocess.run(["find", path, "-delete"], check=False)
        shutil.rmtree(path, ignore_errors=True)


def settle(root: Path, cold: bool) -> None:
    """Everything on the disk, and the page cache alike for every tool: dropped, or with everything in it."""
    os.sync()
    if cold:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
        return
    subprocess.run(f"tar -cf - -C '{root}' . | cat >/dev/null", shell=True, check=True)
