"""What one look at a container can prove about the times of its restarts."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.restarts.ended import Ends
from include.restarts.view import Object, moment_of

CLOCKS_DIFFER = timedelta(seconds=60)
"""A node's time that is further ahead of ours than this is wrong."""
LATE = timedelta(minutes=2)
"""So much older than the look before an end can be that did not show then (the kubelet reports with a delay)."""


class Sight:
    """One look.

    Args:
        pod: the pod.
        looked_at: when it was looked at before; None when this is the first look.
        ends: what the container's status says.
        now: the time of this look.
        window_minutes: the watch's window.
    """

    def __init__(
        self, pod: Object, looked_at: datetime | None, ends: Ends, now: datetime, window_minutes: float
    ) -> None:
        born = moment_of(pod["metadata"].get("creationTimestamp"))
        self._now, self._window, self._born = now, timedelta(minutes=window_minutes), born
        self._old = looked_at is None and born is not None and now - born > self._window
        since = looked_at or born
        self.since = min(since, now) if since else None
        """What nobody saw happened after this."""
        self._led, self._before = ends.led_at, ends.before_led
        self.last = self._sane(self._led)
        """When the restart that was counted last happened."""
        self.earlier = min(self._sane(self._before), self.last)
        """The latest time at which the restarts before it can have happened."""
        self.pending = self._sane(moment_of((ends.pending or {}).get("finishedAt")))
        """When the process ended that is not started again yet."""

    def proves_last(self) -> bool:
        """Whether the last restart belongs into the ledger: of an old pod that was never looked at, only if in the window."""
        return not self._old or (self._led is not None and self._recent(self.last))

    def proves_earlier(self, next_to_last: bool) -> bool:
        """The same for one before it. Of an old pod only the next to last one's time is known."""
        known = next_to_last and self._before is not None
        return not self._old or (known and self._recent(self.earlier))

    def _recent(self, at: datetime) -> bool:
        return self._now - at <= self._window

    def _sane(self, at: datetime | None) -> datetime:
        """The node's time when it can be right, else the time of this look."""
        if at is None or at > self._now + CLOCKS_DIFFER:
            return self._now
        too_early = not self._old and self.since is not None and at < self.since - LATE
        if too_early:
            return self._now
        return at if self._born is None or self._born > self._now else max(at, self._born)
