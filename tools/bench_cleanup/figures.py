"""The arithmetic and the last line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tools.bench_cleanup.memory import Peak
from tools.bench_cleanup.tools import (
    BARE,
    EQUAL,
    EQUAL_WHOLE,
    FIND,
    GZIP,
    OURS_DELETE,
    OURS_GZIP,
    OURS_WHOLE,
    OURS_ZSTD,
    TMPREAPER,
)

RATIOS = {
    "delete_ratio_find": (OURS_DELETE, FIND),
    "delete_ratio_tmpreaper": (OURS_DELETE, TMPREAPER),
    "archive_ratio_equal_work": (OURS_ZSTD, EQUAL),
    "archive_ratio_bare": (OURS_ZSTD, BARE),
    "archive_gzip_ratio": (OURS_GZIP, GZIP),
    "archive_and_delete_ratio": (OURS_WHOLE, EQUAL_WHOLE),
}
"""Ours over theirs, by key."""
AIMS = {"delete_ratio_find": 1.15, "archive_ratio_equal_work": 1.0, "rss_mb_million_files": 100}


@dataclass
class Figures:
    """What was measured: seconds by tool, a figure for each round; bytes of the archives; peaks of the million files."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    archive_bytes: dict[str, int] = field(default_factory=dict)
    peaks: list[Peak] = field(default_factory=list)

    def results(self) -> dict[str, float | None]:
        """The keys of the last line; None for what was not measured."""
        found: dict[str, float | None] = {key: ratio(self.seconds, *pair) for key, pair in RATIOS.items()}
        most = max((peak.mb for peak in self.peaks), default=None)
        return {**found, "rss_mb_million_files": None if most is None else round(most, 1)}


def ratio(seconds: Mapping[str, Sequence[float]], ours: str, theirs: str) -> float | None:
    """Median over median, None when one of them was not measured."""
    if not seconds.get(ours) or not seconds.get(theirs):
        return None
    return round(median(seconds[ours]) / median(seconds[theirs]), 3)


def misses(results: Mapping[str, float | None]) -> list[str]:
    """Aims that were not reached."""
    return [
        f"{key} is {results[key]}, the aim is at most {aim}"
        for key, aim in AIMS.items()
        if (results.get(key) or 0) > aim
    ]


def line(results: Mapping[str, float | None]) -> str:
    """The last line."""
    return json.dumps(dict(results))
