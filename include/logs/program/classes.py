"""Which class a file belongs to, when its time is over, and what holds it."""

from __future__ import annotations

import os
import time
from typing import Callable, List, Match, Optional, Sequence, Tuple

from .copies import copied_to, with_copies
from .entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, DELETE, LETTERS, PUNCH
from .globs import Directories, compiled
from .request import DAY, Hold, LogClass, Request

NEVER = -(2**63)
"""A moment before every file's."""
NS = 10**9
FUTURE_S = 300
"""A file that was changed so much later than now has a date that says nothing."""


class Policy:
    """The classes and holds of a request, ready for many files. Moments are nanoseconds since 1970."""

    def __init__(self, request: Request) -> None:
        self.classes: Tuple[LogClass, ...] = request.classes
        self.holds: Tuple[Hold, ...] = request.holds
        self.directories = Directories([found.globs for found in self.classes])
        self._copied = copied_to(request.layout) if self.holds else []
        self.held = self.matcher(self.holds)
        self.held_directories = Directories(self._globs(self.holds))
        now = request.now()
        self.cutoffs: List[int] = [_before(now, found.keep_days) for found in self.classes]
        """A file last changed before this has had its live time."""
        least = [_least_days(found) for found in self.classes]
        self.latest = int((time.time() + FUTURE_S) * NS)
        """By the clock: a log that is written to was changed after the run was asked for, and that protects nothing."""
        self.size_cutoffs: List[int] = [_before(now, days) if days else self.latest for days in least]
        """Size takes only what was last changed before this."""

    def matcher(self, holds: Sequence[Hold]) -> Optional[Callable[[str], Optional[Match[str]]]]:
        """Tells whether one of some holds is about a path, its ``lastindex`` which; None when there are none."""
        return compiled(self._globs(holds)).match if holds else None

    def _globs(self, holds: Sequence[Hold]) -> List[List[str]]:
        return [with_copies(rotated(hold.globs), self._copied) for hold in holds]

    def holder(self, path: bytes) -> Optional[Hold]:
        """The hold on a path; None when there is none."""
        found = self.held(os.fsdecode(path)) if self.held else None
        return self.holds[found.lastindex - 1] if found and found.lastindex else None

    def whole(self, number: int) -> str:
        """What happens to a whole file of the class."""
        return ARCHIVE_DELETE if self.classes[number].archive else DELETE

    def part(self, number: int) -> str:
        """What happens to a part of a file that is written to."""
        found = self.classes[number]
        return ARCHIVE_PUNCH if found.archive else PUNCH

    def heads(self) -> List[str]:
        """How a record of a whole file begins, class by class."""
        return [f"{LETTERS[self.whole(number)]}{number} " for number in range(len(self.classes))]


def rotated(globs: Sequence[str]) -> List[str]:
    """The globs of a hold, and the names that a rotation gives to what they match: ``app.log.1``, ``app.log-20261121.gz``."""
    more = [glob + end for glob in globs if not glob.endswith("*") for end in (".[0-9]*", "-[0-9]*")]
    return [*globs, *more]


def _least_days(found: LogClass) -> float:
    """Days that size takes nothing from: an archive keeps the rest of the compliance minimum, a deletion can't."""
    if not found.archive:
        return found.minimum_days
    if found.archive_keep_days is None:
        return 0
    return max(found.minimum_days - found.archive_keep_days, 0)


def _before(now: float, days: Optional[float]) -> int:
    return NEVER if days is None else int((now - days * DAY) * NS)
