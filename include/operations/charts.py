"""A curve over time with limits, as numbers for a drawing of 100 by 100 that is stretched to its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SIDE = 100
ROOM = 1.1
"""The drawing is higher than the highest value, so that the curve does not stick to its edge."""


@dataclass(frozen=True)
class Limit:
    """A value that the curve should not cross. ``kind``: bad beyond it, or only not what is aimed at."""

    name: str
    value: float
    kind: Literal["bad", "aim"] = "bad"


@dataclass(frozen=True)
class Line:
    """A limit in the drawing."""

    limit: Limit
    y: float


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        paths: the curve as SVG paths: a new one after a time in which nothing is known.
        dots: paths of no length: values with nothing known around them, and the last one.
        lines: the limits.
        start: time at its left edge.
        end: time at its right edge.
        high: value at its upper edge; the lower one is 0.
        text: what it shows, for whoever does not see it.
    """

    paths: tuple[str, ...]
    dots: tuple[str, ...]
    lines: tuple[Line, ...]
    start: datetime
    end: datetime
    high: float
    text: str


def draw(
    points: Sequence[tuple[datetime, float | None]],
    limits: Sequence[Limit],
    start: datetime,
    end: datetime,
    text: str,
    *,
    high: float | None = None,
    gap: timedelta | None = None,
) -> Chart | None:
    """Draw a curve; None when there is no value to draw.

    Args:
        points: time and value, in order; None where the value is not known.
        limits: lines across the drawing.
        start: left edge.
        end: right edge.
        text: what it shows.
        high: value at the upper edge; by default a little above what is drawn.
        gap: values further apart are not joined.
    """
    seen = [(at, value) for at, value in points if start <= at <= end]
    values = [value for _, value in seen if value is not None]
    if not values:
        return None
    top = high if high is not None else (max([*values, *(each.value for each in limits)]) * ROOM or 1.0)
    span = max((end - start).total_seconds(), 1.0)

    def place(at: datetime, value: float) -> str:
        x = (at - start).total_seconds() / span * SIDE
        return f"{x:.2f} {_height(value, top):.2f}"

    parts = _parts(seen, gap)
    paths = tuple("M" + " L".join(place(*each) for each in part) for part in parts if len(part) > 1)
    alone = [part[0] for part in parts if len(part) == 1 and part is not parts[-1]]
    dots = tuple(f"M{place(*each)} h0" for each in [*alone, parts[-1][-1]])
    lines = tuple(Line(each, round(_height(each.value, top), 2)) for each in limits)
    return Chart(paths, dots, lines, start, end, top, text)


def _height(value: float, top: float) -> float:
    """From above, as drawings are measured; what is beyond an edge is at the edge."""
    return SIDE - min(max(value / top, 0), 1) * SIDE


def _parts(
    points: Sequence[tuple[datetime, float | None]], gap: timedelta | None
) -> list[list[tuple[datetime, float]]]:
    """The values that belong together."""
    parts: list[list[tuple[datetime, float]]] = []
    joined = False
    for at, value in points:
        if value is None:
            joined = False
            continue
        if not joined or (gap is not None and at - parts[-1][-1][0] > gap):
            parts.append([])
        parts[-1].append((at, value))
        joined = True
    return parts
