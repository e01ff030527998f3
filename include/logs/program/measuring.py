"""The command ``measure``: the space before anything is changed, and when it will be used up.

The answer: what usage says (size, used, free, free_percent, to_floor, to_target, ...) and ``forecast``.
"""

from __future__ import annotations

import time
from typing import Any, Dict

from . import forecast, history
from .request import Request
from .summary import say, sized
from .usage import Usage, usage


def run(request: Request) -> Dict[str, Any]:
    """Measure. Returns the answer."""
    space = usage(request)
    path = request.layout.history
    if not request.dry_run:
        history.append(path, [history.point_line(_point(request, space))])
    facts = space.facts(request)
    facts["forecast"] = forecast.facts(history.read(path).points, time.time(), space.free)
    say(in_words(request, facts))
    return facts


def in_words(request: Request, facts: Dict[str, Any]) -> str:
    """The space, as people read it."""
    lines = [
        f"Volume {request.volume}: {sized(facts['free'])} of {sized(facts['size'])} free, "
        f"{facts['free_percent']:.1f} % (floor {facts['floor_percent']:g} %, target {facts['target_percent']:g} %)."
    ]
    if facts["inodes_free_percent"] < request.floor_percent:
        lines.append(f"Only {facts['inodes_free_percent']:.1f} % of its inodes are free: too many files.")
    return "\n".join([*lines, outlook(facts["forecast"])])


def outlook(found: Dict[str, Any]) -> str:
    """The forecast, as people read it."""
    gross, net = found["written"], found["remains"]
    if gross["bytes_per_day"] is None and net["bytes_per_day"] is None:
        return "No rate yet: that takes a second run."
    parts = []
    if gross["bytes_per_day"] is not None:
        rate = f"{sized(gross['bytes_per_day'])} a day are written"
        full = f"; full {_when(gross)} if nothing is freed" if gross["full_at"] else ""
        parts.append(rate + full)
    if net["bytes_per_day"] is not None:
        rate = f"{sized(net['bytes_per_day'])} a day remain after the clean-ups"
        parts.append(
            rate + (f"; full {_when(net)} at this rate" if net["full_at"] else "; it does not fill up")
        )
    return ". ".join(part[0].upper() + part[1:] for part in parts) + "."


def _when(found: Dict[str, Any]) -> str:
    return f"in {found['full_in_days']:g} days ({found['full_at'][:10]})"


def _point(request: Request, space: Usage) -> history.Point:
    return history.Point(
        time.time(), request.run, history.BEFORE, space.used, space.size, space.free, classes={}, cleaned=[]
    )
