"""The log volumes as on-call sees them: free space over time, when it is used up, what the last clean-up did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.logs.messages import number
from include.logs.program.measuring import outlook
from include.logs.program.summary import sized
from include.logs.retention import LogRetention, Volume
from include.logs.salvaging import Wrong
from include.operations.charts import Chart, Limit, draw
from include.operations.procedures import Holder
from include.records.looks import Look
from include.release.texts import noted_time, plural

SHOWN = timedelta(days=30)
HISTORY = 14
"""Clean-ups that are listed."""


@dataclass(frozen=True)
class CleanedUp:
    """One clean-up of a volume, for a table."""

    at: datetime
    run: str
    state: str
    free: str
    freed: str
    archived: str
    text: str


@dataclass(frozen=True)
class VolumeView:
    """One volume.

    Attributes:
        state: ``enough space``, ``below target``, ``below floor``, ``no data yet``, ``not known``, ``not right``.
        free: how much is free, in words; empty when no clean-up has measured it.
        full: when it is used up.
        rows: the last clean-ups, newest first.
        holds: legal holds, a line each.
        held: how much they keep.
        archives: what the archives take.
        wrong: what is wrong in the configuration.
    """

    name: str
    title: str
    place: str
    state: str
    free: str = ""
    full: str = ""
    chart: Chart | None = None
    rows: Sequence[CleanedUp] = ()
    holds: Sequence[str] = ()
    held: str = ""
    archives: str = ""
    holder: Holder | None = None
    wrong: str = ""

    @property
    def last(self) -> CleanedUp | None:
        """The last clean-up."""
        return self.rows[0] if self.rows else None

    @property
    def needs(self) -> str:
        """What somebody has to look after; empty when nobody has to."""
        parts = []
        if self.state == "below floor":
            parts.append(f"{self.free} That is below the floor.")
        if self.wrong:
            parts.append(self.wrong)
        elif self.last is not None and self.last.state in ("failed", "refused"):
            parts.append(self.last.text)
        return " ".join(parts)


def volume_views(
    retention: LogRetention | None,
    wrong: Sequence[Wrong],
    looks: Sequence[Look],
    holders: Mapping[str, Holder],
    now: datetime,
    *,
    unread: bool = False,
) -> list[VolumeView]:
    """The volumes of the configuration; of a file that cannot be read, those that were cleaned up.

    Args:
        retention: what is right in the file; None when nothing is.
        wrong: what is not.
        looks: what clean-ups saw, the oldest first.
        holders: who has a volume now.
        now: the time.
        unread: not all of what was kept could be read.
    """
    nothing = "not known" if unread else "no data yet"
    seen: dict[str, list[Look]] = {}
    for each in looks:
        seen.setdefault(each.subject, []).append(each)
    problems: dict[str, str] = {}
    for part in wrong:
        if part.volume:
            problems[part.volume] = f"{problems.get(part.volume, '')} {part.text}".strip()
    configured = {each.name: each for each in retention.volumes} if retention else {}
    names = dict.fromkeys([*configured, *problems, *(() if retention else seen)])
    return [
        _view(
            name,
            configured.get(name),
            retention,
            seen.get(name, []),
            holders.get(name),
            problems.get(name, ""),
            nothing,
            now,
        )
        for name in names
    ]


def _view(
    name: str,
    volume: Volume | None,
    retention: LogRetention | None,
    looks: Sequence[Look],
    holder: Holder | None,
    wrong: str,
    nothing: str,
    now: datetime,
) -> VolumeView:
    seen = next((each for each in reversed(looks) if "free_percent" in each.figures), None)
    measured = seen.figures if seen else None
    planned = next((each.figures for each in reversed(looks) if "archives" in each.figures), None)
    place = _place(volume) if volume else ""
    return VolumeView(
        name,
        volume.title if volume else name,
        place,
        "not right" if wrong else _state(measured) or nothing,
        _free(seen.figures, seen.at) if seen else "",
        _full(measured),
        _chart(name, looks, volume, now),
        [_row(each) for each in reversed(looks[-HISTORY:])],
        _holds(name, retention, planned),
        f"{sized(number(planned, 'held'))} are held" if planned and planned.get("held") else "",
        _archives(planned),
        holder,
        wrong,
    )


def _place(volume: Volume) -> str:
    if volume.environment is None:
        return f"{volume.path} on the worker"
    return f"claim {volume.claim}, {volume.environment}, {volume.path}"


def _state(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return ""
    if figures.get("below_floor"):
        return "below floor"
    if number(figures, "free_percent") < number(figures, "target_percent"):
        return "below target"
    return "enough space"


def _free(figures: Mapping[str, Any], at: datetime) -> str:
    return (
        f"{number(figures, 'free_percent'):.1f} % are free, {sized(number(figures, 'free'))} of "
        f"{sized(number(figures, 'size'))}, as measured {at:%Y-%m-%d %H:%M} UTC."
    )


def _full(figures: Mapping[str, Any] | None) -> str:
    forecast = (figures or {}).get("forecast") or {}
    try:
        return outlook(forecast)
    except (KeyError, TypeError):
        return ""


def _chart(name: str, looks: Sequence[Look], volume: Volume | None, now: datetime) -> Chart | None:
    points: list[tuple[datetime, float | None]] = []
    for each in looks:
        figures = each.figures
        before = noted_time(str(figures.get("started") or ""))
        if before is not None and "free_percent_before" in figures:
            points.append((min(before, each.at), number(figures, "free_percent_before")))
        if "free_percent" in figures:
            points.append((each.at, number(figures, "free_percent")))
    points.sort(key=lambda point: point[0])
    if not points:
        return None
    start = max(now - SHOWN, min(points[0][0], now - timedelta(days=1)))
    newest = looks[-1].figures
    floor = volume.floor_percent if volume else number(newest, "floor_percent")
    target = volume.target_percent if volume else number(newest, "target_percent")
    values = [value for at, value in points if value is not None and at >= start]
    if not values:
        return None
    text = (
        f"Free space of {name} since {start:%Y-%m-%d}: between {min(values):.0f} % and {max(values):.0f} %, "
        f"in the end {values[-1]:.0f} %. Floor {floor:g} %, target {target:g} %."
    )
    limits = [Limit(f"floor {floor:g} %", floor), Limit(f"target {target:g} %", target, "aim")]
    return draw(points, limits, start, now, text, high=100)


def _row(look: Look) -> CleanedUp:
    figures = look.figures
    free = "not measured"
    if "free_percent" in figures:
        free = f"{number(figures, 'free_percent'):.1f} %"
        if "free_percent_before" in figures:
            free = f"{number(figures, 'free_percent_before'):.1f} % to {free}"
    archived, freed = number(figures, "archived"), number(figures, "freed")
    net = number(figures, "net")
    return CleanedUp(
        look.at,
        look.run,
        str(figures.get("state") or "unknown"),
        free,
        sized(freed) + (f", {sized(net)} net of its archives" if net != freed else ""),
        f"{sized(archived)} in {sized(number(figures, 'archived_in'))}" if archived else "nothing",
        str(figures.get("text") or ""),
    )


def _holds(name: str, retention: LogRetention | None, planned: Mapping[str, Any] | None) -> list[str]:
    if retention is None:
        return []
    nothing = (planned or {}).get("holds_of_nothing") or []
    found = []
    for each in retention.holds_of(name):
        text = f"{each.case} ({each.owner}): {', '.join(each.globs[:5])}"
        if len(each.globs) > 5:
            text += f" and {plural(len(each.globs) - 5, 'other')}"
        found.append(text + (", which matched nothing in the last clean-up" if each.case in nothing else ""))
    return found


def _archives(planned: Mapping[str, Any] | None) -> str:
    if planned is None:
        return ""
    size = number(planned, "archives")
    return f"{sized(size)} after the last clean-up" if size else "none"
