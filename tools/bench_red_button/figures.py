"""The arithmetic: percentiles, where the time goes, and the last line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tools.bench_red_button.timeline import PARTS

AIM_P95 = 2.0
"""Seconds, with 100 guards."""


@dataclass(frozen=True)
class Press:
    """One press. Times are in seconds.

    Args:
        guard: which.
        seconds: from the status write that crosses the threshold to zero replicas being seen.
        parts: the same by part, as far as it is known.
    """

    guard: str
    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What the idle triggerer takes: memory in MB (its processes together), and per cent of a core, with others' CPU."""

    rss_mb: float
    cpu: float
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """One measurement: so many guards. ``reason`` says why there is none."""

    guards: int
    presses: Sequence[Press] = ()
    lost: int = 0
    extra: int = 0
    idle: Usage | None = None
    armed_after: float = 0.0
    reason: str = ""

    def percentile(self, rank: float) -> float | None:
        """A percentile of the seconds; None when nothing was measured."""
        return percentile([each.seconds for each in self.presses], rank) if self.presses else None

    def to_json(self) -> dict[str, Any]:
        """What the last line says of it."""
        found: dict[str, Any] = {f"p{rank}_s": rounded(self.percentile(rank)) for rank in (50, 95, 99)}
        if self.reason:
            found["reason"] = self.reason
        else:
            found["presses"] = len(self.presses)
        return found


@dataclass(frozen=True)
class Cut:
    """Presses while the watch is cut: expected and made, and why there are none."""

    expected: int = 0
    made: int = 0
    cuts: int = 0
    restarts: int = 0
    slowest: float = 0.0
    reason: str = ""


def percentile(values: Sequence[float], rank: float) -> float:
    """The value below which ``rank`` per cent lie, between two values in proportion. Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * rank / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def rounded(value: float | None) -> float | None:
    """To milliseconds."""
    return None if value is None else round(value, 3)


def split(presses: Sequence[Press]) -> list[tuple[str, float, float]]:
    """(part, median, 95th percentile) in seconds, in the order in which they come."""
    found = []
    for part in PARTS:
        values = [each.parts[part] for each in presses if part in each.parts]
        if values:
            found.append((part, median(values), percentile(values, 95)))
    return found


def misses(sizes: Sequence[Size], cut: Cut) -> list[str]:
    """What is not as it should be, in words."""
    found = []
    for size in sizes:
        p95 = size.percentile(95)
        if p95 is not None and size.guards <= 100 and p95 > AIM_P95:
            found.append(f"p95 with {size.guards} guards is {p95:.2f} s, more than {AIM_P95:.0f} s")
        if size.lost or size.extra:
            found.append(
                f"with {size.guards} guards {size.lost} presses were lost and {size.extra} were too many"
            )
    if cut.made != cut.expected:
        found.append(f"with the watch cut {cut.expected} presses were expected and {cut.made} made")
    return found


def line(sizes: Sequence[Size], cut: Cut) -> str:
    """One JSON object on one line."""
    found: dict[str, Any] = {f"guards_{each.guards}": each.to_json() for each in sizes}
    idle = [each.idle for each in sizes if each.idle]
    found["triggerer_rss_mb"] = round(idle[-1].rss_mb, 1) if idle else None
    found["presses_expected"] = None if cut.reason else cut.expected
    found["presses_made"] = None if cut.reason else cut.made
    if cut.reason:
        found["presses_reason"] = cut.reason
    return json.dumps(found)
