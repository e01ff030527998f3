"""The policy frees too little: what is missing, and what in the policy would have to change, and to what.

Computed for people to decide on; nothing here shortens a retention.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .forecast import remains, written
from .history import History
from .layout import Layout
from .request import LogClass, Request
from .usage import Usage

ASSUMED_RATIO = 0.2
"""What an archive takes of what was archived, until the volume's own archives tell."""
GROUNDS = "grounds.json"
LIVE = {"keep_days", "keep_size"}
GIB = 1 << 30
REQUEST_DAYS = 90
"""The storage to be asked for lasts so many days."""
STEP = 1 << 20
"""A size that is proposed is one that people write: whole MiB."""
WORTH = 0.05
"""A setting that frees less of what is missing is nothing to decide on, where all together are not enough."""


@dataclass(frozen=True)
class Ground:
    """What is known of a class after the plan: bytes by age in whole days."""

    found: LogClass
    live: Dict[int, int]
    archives: Dict[int, int]


class Change(NamedTuple):
    """A setting of a class, and what another value would free (bytes). ``least`` is as low as Compliance lets it."""

    class_name: str
    setting: str
    now: Optional[float]
    to: float
    frees: int
    least: float

    def facts(self, missing: int) -> Dict[str, Any]:
        """As the answer has it."""
        return {
            "class": self.class_name,
            "setting": self.setting,
            "from": self.now,
            "to": self.to,
            "frees": self.frees,
            "least": self.least,
            "enough": self.frees >= missing,
        }


def changes(grounds: Sequence[Ground], missing: int, ratio: float) -> List[Change]:
    """For each setting the mildest value that frees what is missing, or, where none does, the lowest allowed.

    ``ratio`` is what an archive on this volume takes of the bytes archived; 0 where archives lie elsewhere.
    The ones that are enough come first, and of those the class that loses the fewest days.
    """
    found: List[Change] = []
    for ground in grounds:
        kept = 1 - ratio if ground.found.archive else 1.0
        found += _by_age(
            ground, "keep_days", ground.found.keep_days, ground.live, _least_live(ground.found), missing, kept
        )
        if ground.found.keep_size is not None:
            found += _by_size(ground, missing, kept)
        if ground.archives:
            least = max(ground.found.minimum_days - (ground.found.keep_days or 0), 0)
            days = ground.found.archive_keep_days
            found += _by_age(ground, "archive_keep_days", days, ground.archives, least, missing, 1.0)
    return sorted(
        found, key=lambda change: (change.frees < missing, -change.frees if change.frees < missing else 0)
    )


def together(found: Sequence[Change], missing: int) -> Tuple[List[Change], bool]:
    """Where no single setting is enough: those that are together, the most effective first; and whether they are."""
    chosen: List[Change] = []
    freed = 0
    for change in sorted(found, key=lambda change: -change.frees):
        if any(c.class_name == change.class_name and {c.setting, change.setting} <= LIVE for c in chosen):
            continue  # age and size would free the same bytes
        if freed >= missing:
            break
        chosen.append(change)
        freed += change.frees
    if freed >= missing:
        return chosen, True
    return [change for change in chosen if change.frees >= missing * WORTH], False


def storage(space: Usage, target_percent: float, per_day: Optional[float]) -> int:
    """Bytes to add to the volume so that the target is met, and still is after REQUEST_DAYS: in whole GiB, of a smaller volume MiB."""
    share = 1 - target_percent / 100
    needed = space.used + max(per_day or 0, 0) * REQUEST_DAYS
    now = space.used + space.free
    unit = GIB if now >= GIB else STEP
    return max(math.ceil((needed / share - now) / unit), 0) * unit


def facts(
    grounds: Sequence[Ground], space: Usage, target_percent: float, ratio: float, per_day: Optional[float]
) -> Dict[str, Any]:
    """What would have to change to reach the target from ``space``, as the answer has it."""
    missing = space.missing(target_percent)
    found = changes(grounds, missing, ratio)
    alone = [change for change in found if change.frees >= missing]
    several, enough = ([], True) if alone else together(found, missing)
    return {
        "missing": missing,
        "settings": [change.facts(missing) for change in (alone or several)[:10]],
        "together": [change.facts(missing) for change in several],
        "policy_can": bool(alone) or enough,
        "archive_ratio": ratio,
        "add_storage": storage(space, target_percent, per_day),
        "add_storage_days": REQUEST_DAYS if per_day is not None else None,
        "archives": sum(sum(ground.archives.values()) for ground in grounds) if ratio else 0,
    }


def missed(
    request: Request, past: History, grounds: Sequence[Ground], space: Usage
) -> Optional[Dict[str, Any]]:
    """The facts where the floor is missed, None where it is met."""
    if space.free_percent >= request.floor_percent:
        return None
    now = time.time()
    ratio = past.ratio(ASSUMED_RATIO) if not request.archive_to else 0.0
    rate = remains(past.points, now) or written(past.points, now)
    return facts(grounds, space, request.target_percent, ratio, rate.per_day if rate else None)


def keep(layout: Layout, grounds: Sequence[Ground]) -> None:
    """Keep what the plan saw, for the step that measures what came of it."""
    found = {ground.found.name: [ground.live, ground.archives] for ground in grounds}
    with open(os.path.join(layout.run, GROUNDS), "w", encoding="utf-8") as file:
        json.dump(found, file)


def kept_grounds(request: Request) -> List[Ground]:
    """What the plan saw. Raises OSError, ValueError."""
    with open(os.path.join(request.layout.run, GROUNDS), encoding="utf-8") as file:
        values = json.load(file)
    return [Ground(found, *map(_numbers, values.get(found.name, ({}, {})))) for found in request.classes]


def _numbers(ages: Dict[str, int]) -> Dict[int, int]:
    return {int(days): space for days, space in ages.items()}


def _least_live(found: LogClass) -> float:
    """The fewest days a class may be live: at least one, so that the day's log can be read where it is."""
    archived = math.inf if found.archive_keep_days is None else found.archive_keep_days
    return max(1.0, found.minimum_days - archived if found.archive else found.minimum_days)


def _by_age(
    ground: Ground,
    setting: str,
    now: Optional[float],
    ages: Dict[int, int],
    least: float,
    missing: int,
    kept: float,
) -> List[Change]:
    lowest = math.ceil(least)
    goes = freed = 0
    best: Optional[Tuple[int, int]] = None
    for days in sorted(ages, reverse=True):
        if days < lowest or freed >= missing:
            break
        goes += max(ages[days], 0)
        freed = round(goes * kept)
        best = (days, freed)
    if best is None or not best[1] or (now is not None and best[0] >= now):
        return []
    return [Change(ground.found.name, setting, now, best[0], best[1], lowest)]


def _by_size(ground: Ground, missing: int, kept: float) -> List[Change]:
    """The largest size that frees what is missing, or else the smallest allowed: whole MiB, and no less than a day brings.

    None where all that is live was written today, as far as is known: then nobody knows what a day brings.
    """
    total, now = sum(ground.live.values()), ground.found.keep_size
    protected = math.ceil(_least_live(ground.found))
    least = sum(space for days, space in ground.live.items() if days < protected)
    least = max(math.ceil(least / STEP), 1) * STEP
    to = max((total - math.ceil(missing / kept)) // STEP * STEP, least)
    frees = int((total - to) * kept)
    if frees <= 0 or (now is not None and to >= now):
        return []
    return [Change(ground.found.name, "keep_size", now, to, frees, least)]
