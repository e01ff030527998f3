"""How long a Job waits before it tries again: longer after each failure in a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.cluster.controllers import pods
from include.cluster.registry.clock import now
from include.cluster.settings import Settings

Object = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """Failures since the last success, and when the last of them was."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: list[Object], failed: list[Object]) -> Record:
        """The record with newly finished pods taken into account."""
        ends = sorted(
            [(pods.finished_at(pod), True) for pod in succeeded]
            + [(pods.finished_at(pod), False) for pod in failed],
            key=lambda end: end[0],
        )
        record = self
        for moment, success in ends:
            record = Record() if success else Record(record.failures + 1, moment)
        return record

    def wait(self, settings: Settings) -> float:
        """Seconds until the next pod may be made."""
        if self.last is None:
            return 0.0
        return wait(self.failures, self.last, settings)


def wait(failures: int, last: datetime, settings: Settings) -> float:
    """Seconds that are left of the back-off after so many failures, the last of them at ``last``."""
    if failures <= 0:
        return 0.0
    delay = min(settings.job_backoff_initial * 2 ** min(failures - 1, 20), settings.job_backoff_max)
    return max((last + timedelta(seconds=delay) - now()).total_seconds(), 0.0)
