"""When the volume is full at the present rate, from what its own runs measured.

Two rates are told apart. What is written: the growth between the end of one run and the beginning of the next,
in which no clean-up freed anything. And what remains: how the level after the clean-ups moves.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .history import AFTER, BEFORE, Point
from .request import DAY

RECENT_DAYS = 14
"""The present rate is that of so many days."""
SHORTEST_S = 3600
"""Two points nearer to one another say nothing of a rate."""


class Rate(NamedTuple):
    """Bytes a day, from so many intervals or points."""

    per_day: float
    samples: int


def written(points: Sequence[Point], now: float) -> Optional[Rate]:
    """What is written: the median growth per day between a run's end and the next one's beginning.

    The median passes over an interval in which somebody deleted by hand, or a single outburst.
    """
    found: List[float] = []
    for earlier, later in _pairs(_recent(points, now)):
        if later.when == BEFORE and earlier.run != later.run and later.at - earlier.at >= SHORTEST_S:
            found.append((later.used - earlier.used) / (later.at - earlier.at) * DAY)
    return Rate(median(found), len(found)) if found else None


def remains(points: Sequence[Point], now: float) -> Optional[Rate]:
    """How the level after the clean-ups moves a day: the median slope of all pairs (Theil-Sen), from 3 points on."""
    after = [point for point in _recent(points, now) if point.when == AFTER]
    slopes = [
        (later.used - earlier.used) / (later.at - earlier.at) * DAY
        for number, earlier in enumerate(after)
        for later in after[number + 1 :]
        if later.at - earlier.at >= SHORTEST_S
    ]
    return Rate(median(slopes), len(after)) if len(after) >= 3 and slopes else None


def full_in_days(free: int, rate: Optional[Rate]) -> Optional[float]:
    """Days until ``free`` bytes are used up; None where the rate is unknown or nothing grows."""
    return max(free, 0) / rate.per_day if rate and rate.per_day > 0 else None


def facts(points: Sequence[Point], now: float, free: int) -> Dict[str, Any]:
    """The forecast as an answer has it, for so many free bytes. Moments are ISO 8601 in UTC, null when not known."""
    gross, net = written(points, now), remains(points, now)
    found: Dict[str, Any] = {}
    for name, rate in (("written", gross), ("remains", net)):
        days = full_in_days(free, rate)
        found[name] = {
            "bytes_per_day": round(rate.per_day) if rate else None,
            "samples": rate.samples if rate else 0,
            "full_in_days": round(days, 1) if days is not None else None,
            "full_at": _moment(now, days),
        }
    return found


def _recent(points: Sequence[Point], now: float) -> List[Point]:
    """Those of the last days, in order, and all of one size of volume: an enlarged one starts anew."""
    size = points[-1].size if points else 0
    recent = (p for p in points if now - RECENT_DAYS * DAY <= p.at <= now + DAY and p.size == size)
    return sorted(recent, key=lambda point: point.at)


def _pairs(points: Sequence[Point]) -> List[Tuple[Point, Point]]:
    return list(zip(points, points[1:]))  # noqa: RUF007 - pairwise() came with Python 3.10


def median(values: Sequence[float]) -> float:
    """The middle one, or between the two in the middle; the module statistics takes longer to load than to use."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _moment(now: float, days: Optional[float]) -> Optional[str]:
    if days is None or days > 36500:
        return None
    return datetime.fromtimestamp(now + days * DAY, timezone.utc).isoformat(timespec="minutes")
