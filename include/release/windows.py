"""When a release may start: open hours of the week and freezes, in the environment's time zone.

Hours are what the clock on the wall there shows: on the night when it is put forward, hours that do not exist are not
open; when it is put back, an hour that comes twice is open twice. Where a freeze's own time comes twice or not at all,
the freeze is the longer one: it wins over everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.release.environments import Environment
from include.release.policies import ChangeWindow, Freeze, OpenHours
from include.release.problems import Problem
from include.release.yamlfile import Document, Keys, path_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60
YEARS = range(2000, 3000)
QUARTER = timedelta(minutes=15)


def refused_now(environment: Environment, now: datetime) -> Problem | None:
    """None when a release may start in this environment now; else why not, and when it may."""
    window = environment.window
    frozen = _freeze_at(window, now)
    if frozen is None and _in_hours(window, now):
        return None
    found = f"it is {_shown(now, window)}"
    if frozen is not None:
        found += f", in the freeze until {_shown(_end(frozen, window), window)} ({frozen.reason})"
    opens = next_open(window, now)
    after = (
        f"wait until {_shown(opens, window)}, the next open time" if opens else "no open time comes after it"
    )
    return Problem(
        "include/config/environments.yaml",
        f"{environment.name}.window",
        found,
        f"a time inside the window: {in_words(window)}",
        f"{after}; in an emergency, who may approve there may give a reason as the param outside_window. "
        "Dry runs and rollbacks may start at any time",
    )


def next_open(window: ChangeWindow, now: datetime) -> datetime | None:
    """The first time from ``now`` on at which a release may start; None when none comes."""
    for moment in sorted(_candidates(window, now)):
        if moment >= now and is_open(window, moment):
            return moment
    return None


def is_open(window: ChangeWindow, now: datetime) -> bool:
    """Whether a release may start at a time."""
    return _freeze_at(window, now) is None and _in_hours(window, now)


def in_words(window: ChangeWindow) -> str:
    """The open hours: ``mon, tue 09:00 to 16:00 (Europe/Berlin)``."""
    hours = "; ".join(f"{', '.join(each.days)} {each.start} to {each.end}" for each in window.open)
    return f"{hours or 'always'}{', outside the freezes' if window.freezes else ''} ({window.time_zone})"


def window_problems(window: ChangeWindow, document: Document, keys: Keys) -> list[Problem]:
    """What is wrong with a window beyond its fields' types, each with file and line."""

    def problem(at: Keys, found: str, expected: str, fix: str = "") -> Problem:
        return Problem(document.where((*keys, *at)), path_text((*keys, *at)), found, expected, fix)

    problems = []
    if not known_zone(window.time_zone):
        expected, fix = "a name of the IANA time zone database", "write it as Europe/Berlin or UTC"
        problems.append(problem(("time_zone",), window.time_zone, expected, fix))
    for index, hours in enumerate(window.open):
        if hours.start == hours.end:
            expected, fix = "an end that differs from the start", 'write "24:00" for the end of the day'
            problems.append(problem(("open", index, "end"), f"{hours.start} to {hours.end}", expected, fix))
    for first, second in _overlaps(window.open):
        found = f"hours that overlap those of open[{first}]"
        problems.append(problem(("open", second), found, "each hour of the week once", "join the two"))
    for index, freeze in enumerate(window.freezes):
        problems += [
            problem(("freezes", index, *at), *rest) for at, *rest in _freeze_findings(freeze, window)
        ]
    return problems


def _freeze_findings(freeze: Freeze, window: ChangeWindow) -> Iterator[tuple[Keys, str, str, str]]:
    """Which key, what was found, what was expected, the fix."""
    for name, when in (("start", freeze.start), ("end", freeze.end)):
        shown = f"{when:%Y-%m-%dT%H:%M}"
        if when.tzinfo is not None:
            expected = f"a time as the clock in {window.time_zone} shows it"
            yield (name,), when.isoformat(), expected, f"leave the offset out: {shown}"
        if when.year not in YEARS:
            yield (name,), shown, f"a year from {YEARS[0]} to {YEARS[-1]}", ""
    start, end = freeze.start.replace(tzinfo=None), freeze.end.replace(tzinfo=None)
    if end <= start:
        expected = f"a time after the start, {start:%Y-%m-%dT%H:%M}"
        yield ("end",), f"{end:%Y-%m-%dT%H:%M}", expected, "are the two swapped?"


def known_zone(name: str) -> bool:
    """Whether the time zone database has it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory of the database is an OSError
        return False
    return True


def _overlaps(hours: list[OpenHours]) -> Iterator[tuple[int, int]]:
    """Pairs of entries that have an hour of the week in common."""
    spans = sorted(
        (start % WEEK + turn, end - start, index)
        for index, each in enumerate(hours)
        for start, end in _spans(each)
        for turn in (0, WEEK)  # Sunday night runs into Monday
    )
    found = {(min(a[2], b[2]), max(a[2], b[2])) for a, b in pairwise(spans) if a[0] + a[1] > b[0]}
    yield from sorted(found)


def _spans(hours: OpenHours) -> Iterator[tuple[int, int]]:
    """Minutes of the week from Monday 00:00, start and end; the end of a night lies after it."""
    start, end = _minutes(hours.start), _minutes(hours.end)
    for name in dict.fromkeys(hours.days):
        day = DAYS.index(name) * DAY
        yield day + start, day + (end if end > start else end + DAY)


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _in_hours(window: ChangeWindow, now: datetime) -> bool:
    if not window.open:
        return True
    wall = now.astimezone(ZoneInfo(window.time_zone))
    minute = wall.weekday() * DAY + wall.hour * 60 + wall.minute
    return any(
        start <= minute < end or start <= minute + WEEK < end
        for each in window.open
        for start, end in _spans(each)
    )


def _freeze_at(window: ChangeWindow, now: datetime) -> Freeze | None:
    """The freeze that a time is in; of several the one that ends last."""
    found = [each for each in window.freezes if _start(each, window) <= now < _end(each, window)]
    return max(found, key=lambda each: each.end, default=None)


def _start(freeze: Freeze, window: ChangeWindow) -> datetime:
    return min(_readings(freeze.start, window))


def _end(freeze: Freeze, window: ChangeWindow) -> datetime:
    return max(_readings(freeze.end, window))


def _readings(wall: datetime, window: ChangeWindow) -> list[datetime]:
    """The times in UTC that a time on the wall can mean; two of them when the clock is changed."""
    zone = ZoneInfo(window.time_zone)
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


def _candidates(window: ChangeWindow, now: datetime) -> set[datetime]:
    """Times at which it can begin to be open: now, ends of freezes, starts of hours in the week after each."""
    begins = {now.astimezone(UTC), *(end for each in window.freezes if (end := _end(each, window)) > now)}
    found = set(begins)
    zone = ZoneInfo(window.time_zone)
    for begin in begins:
        first = begin.astimezone(zone).date()
        for day in (first + timedelta(days=days) for days in range(9)):
            for each in window.open:
                found.update(_readings(datetime.combine(day, time.fromisoformat(each.start)), window))
            found.update(_changes_of_clock(day, window))
    return found


def _changes_of_clock(day: date, window: ChangeWindow) -> Iterator[datetime]:
    """The quarters of an hour of a day on which the clock is changed, which is done at one of them."""
    start, end = (
        min(_readings(datetime.combine(day + timedelta(days=days), time()), window)) for days in (0, 1)
    )
    if end - start != timedelta(days=1):
        yield from (start + QUARTER * count for count in range((end - start) // QUARTER))


def _shown(moment: datetime, window: ChangeWindow) -> str:
    """A time as people there read it: ``Mon 2026-11-23 09:00 CET``."""
    return f"{moment.astimezone(ZoneInfo(window.time_zone)):%a %Y-%m-%d %H:%M %Z}"
