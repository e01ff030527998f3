"""Restarts whose cause may still be found: an event or a log can come after the status that shows the restart."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.restarts.facts import Restart
from include.restarts.view import View, container_statuses

DOUBT_SECONDS = 2.0
RECENT = timedelta(seconds=60)

Key = tuple[str, str, int]


@dataclass(frozen=True)
class _Doubt:
    until: float
    shown: tuple[int, str]
    """The container's status when the restart was seen: a later end must not be taken for its cause."""


class Doubts:
    """Restarts of the last seconds whose cause is unknown as yet."""

    def __init__(self, seconds: float = DOUBT_SECONDS) -> None:
        self._seconds = seconds
        self._doubts: dict[Key, _Doubt] = {}

    def any(self) -> bool:
        """Whether there are such."""
        now = time.monotonic()
        self._doubts = {key: each for key, each in self._doubts.items() if each.until > now}
        return bool(self._doubts)

    def among(self, restarts: Iterable[Restart], view: View, but: set[Key]) -> list[Restart]:
        """Those to look at again, without those named in ``but``."""
        if not self.any():
            return []
        return [
            each
            for each in restarts
            if each.key in self._doubts
            and each.key not in but
            and _shown(view, each) == self._doubts[each.key].shown
        ]

    def note(self, restarts: Iterable[Restart], view: View) -> None:
        """Take what was found out: an unknown cause of a restart of just now is doubtful for a while."""
        for each in restarts:
            recent = datetime.now(UTC) - each.at < RECENT
            shown = _shown(view, each)
            if each.cause == "unknown" and each.seen and recent and shown is not None:
                self._doubts.setdefault(each.key, _Doubt(time.monotonic() + self._seconds, shown))
            else:
                self._doubts.pop(each.key, None)


def _shown(view: View, restart: Restart) -> tuple[int, str] | None:
    """Count and state of the restart's container."""
    pod = view.pod(restart.pod_uid)
    for _, status in container_statuses(pod or {}):
        if status.get("name") == restart.container:
            state = next(iter(status.get("state") or {}), "")
            return int(status.get("restartCount") or 0), state
    return None
