"""When a procedure's schedule says that it runs: the same object makes the DAG's schedule and judges its runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 24 * 60


@dataclass(frozen=True)
class Daily:
    """Once a day, at a time on the wall of a zone (``04:00``, ``Europe/Berlin``)."""

    clock: str
    zone: str = "UTC"

    @property
    def cron(self) -> str:
        """As a cron expression in ``zone``."""
        hour, minute = self.clock.split(":")
        return f"{int(minute)} {int(hour)} * * *"

    def back_from(self, now: datetime) -> Iterator[datetime]:
        """The ticks up to ``now`` in UTC, newest first.

        Where the clock on the wall skips the time, the tick is as much later; where it shows it twice, the first counts.
        """
        zone = ZoneInfo(self.zone)
        day = now.astimezone(zone).date()
        while True:
            tick = datetime.combine(day, time.fromisoformat(self.clock), zone).astimezone(UTC)
            if tick <= now:
                yield tick
            day -= timedelta(days=1)

    @property
    def words(self) -> str:
        """As a reader knows it."""
        return f"daily at {self.clock} ({self.zone})"


@dataclass(frozen=True)
class Every:
    """Every so many minutes, counted from midnight UTC; ``minutes`` divides a day."""

    minutes: int

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= DAY or DAY % self.minutes:
            raise ValueError(f"minutes that divide a day, such as 5, 60 or 120, not {self.minutes}")

    @property
    def zone(self) -> str:
        """In which texts name times."""
        return "UTC"

    def back_from(self, now: datetime) -> Iterator[datetime]:
        """The ticks up to ``now`` in UTC, newest first."""
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
        moment -= timedelta(minutes=(moment.hour * 60 + moment.minute) % self.minutes)
        while True:
            yield moment
            moment -= timedelta(minutes=self.minutes)

    @property
    def words(self) -> str:
        """As a reader knows it."""
        return "every hour" if self.minutes == 60 else f"every {self.minutes} minutes"


Ticks = Daily | Every


def last_tick(ticks: Ticks, by: datetime) -> datetime:
    """The newest tick up to a time, in UTC."""
    return next(ticks.back_from(by))
