"""What can be set from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.demo.options import ROOT, DemoError

HOME = ROOT / ".test" / "bench-cleanup"


@dataclass(frozen=True)
class Options:
    """How to measure.

    Args:
        files: small files in each tree.
        large: large files in each tree.
        large_mb: the size of each of them.
        rounds: how often each tool is measured.
        million: files of the measurement of memory, all in one directory; 0 leaves it out.
        cold: whether the page cache is dropped before each measurement (root only); else everything is in memory.
        home: where the trees are; its file system is what is measured.
    """

    files: int = 200_000
    large: int = 4
    large_mb: int = 64
    rounds: int = 3
    million: int = 1_000_000
    cold: bool = False
    home: Path = HOME


def read(environ: Mapping[str, str]) -> Options:
    """Options from FILES, ROUNDS, MILLION, COLD and HOME_DIR. Raises DemoError."""
    own = Options()
    home = environ.get("BENCH_DIR", "").strip()
    return Options(
        files=_number("FILES", environ, 1000, 10_000_000, own.files),
        rounds=_number("ROUNDS", environ, 1, 100, own.rounds),
        million=_number("MILLION", environ, 0, 10_000_000, own.million),
        cold=environ.get("COLD", "").strip() not in ("", "0"),
        home=Path(home).expanduser().resolve() / "bench-cleanup" if home else own.home,
    )


def _number(name: str, environ: Mapping[str, str], least: int, most: int, default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise DemoError(
            f"{name}={text}: expected a whole number from {least} to {most}, such as {name}={default}"
        )
    return int(text)
