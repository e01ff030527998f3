"""How much the processor gets done: the size of a batch, the time to drain, and the time of the next run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from include.capacity.facts import Queue
from include.capacity.figures import fraction, number, whole_up
from include.orders.config import Capacity, Schedule
from include.orders.facts import Backlog
from include.release.texts import plural

LEAST = Fraction(1, 1000)
"""Seconds of an order that takes no time, as in a rehearsal with scaled times."""


@dataclass(frozen=True)
class Pace:
    """What a batch gets done.

    Args:
        processes: of a batch.
        at_a_time: orders in work at once, all processes together.
        fast: seconds that an order takes at least.
        slow: seconds that an order takes at most.
        source: where these figures are from, for people.
        measured: seconds that the orders of late took; None when too few were processed.
    """

    processes: int
    at_a_time: int
    fast: Fraction
    slow: Fraction
    source: str
    measured: Fraction | None = None

    @property
    def seconds(self) -> Fraction:
        """Seconds to reckon with: as measured of late, else those of a slow order."""
        return self.measured if self.measured is not None else self.slow

    @property
    def per_hour(self) -> Fraction:
        """Orders an hour, reckoned so."""
        return self.at_a_time * 3600 / self.seconds

    def drain_seconds(self, orders: int) -> Fraction:
        """Seconds to work off so many orders, all at once at work from now on."""
        return orders * self.seconds / self.at_a_time

    @property
    def text(self) -> str:
        """``4 at a time, 10 to 15 s an order: 960 to 1440 an hour (capacity facts of release-2)``."""
        spread = f"{number(self.at_a_time * 3600 / self.slow)} to {number(self.at_a_time * 3600 / self.fast)} an hour"
        text = f"{self.at_a_time} at a time, {number(self.fast)} to {number(self.slow)} s an order: {spread} ({self.source})"
        if self.measured is None:
            return text
        return f"{text}; of late {number(self.measured)} s an order: {number(self.per_hour, 0)} an hour"


def pace_of(facts: Queue | Capacity, source: str, measured: float | None = None) -> Pace:
    """The pace by the capacity facts of a release, or by what orders.yaml says instead.

    Args:
        facts: ``capacity.queues`` of the release's file, or ``capacity`` of orders.yaml.
        source: where they are from, for people.
        measured: ``Backlog.seconds_per_order``.
    """
    return Pace(
        processes=facts.processes,
        at_a_time=max(1, int(fraction(facts.at_a_time))),
        fast=fraction(facts.seconds_per_order),
        slow=fraction(facts.seconds_per_order_at_most),
        source=source,
        measured=max(Fraction(measured).limit_denominator(1000), LEAST) if measured else None,
    )


def next_run(now: datetime, schedule: Schedule) -> datetime:
    """When the next scheduled batch starts: after ``now``, never at it."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(minutes=schedule.every_minutes)
    return midnight + ((now - midnight) // step + 1) * step


@dataclass(frozen=True)
class Batch:
    """What one batch is to do.

    Args:
        limit: most orders that it takes; 0 when none waits.
        seconds: in which it should have ended; what still runs then is told to stop, and gives back what it has.
        left_over: orders that wait now and do not fit in.
        text: the arithmetic, for people.
    """

    limit: int
    seconds: int
    left_over: int
    text: str


def size_batch(backlog: Backlog, pace: Pace, schedule: Schedule, now: datetime) -> Batch:
    """The batch that ends before the next run.

    What comes while it runs is taken, too, as far as it fits: the limit is the time's, not the backlog's. Right before
    the next run there is no time left: then it is sized for the interval after that.
    """
    due = next_run(now, schedule)
    shortest = timedelta(seconds=float(pace.slow)) + timedelta(minutes=schedule.spare_minutes)
    if due - now < shortest:
        due += timedelta(minutes=schedule.every_minutes)
    seconds = int((due - now).total_seconds()) - schedule.spare_minutes * 60
    rounds = max(1, int(Fraction(seconds) / pace.seconds))
    limit = rounds * pace.at_a_time
    left_over = max(0, backlog.left - limit)
    if not backlog.left:
        return Batch(0, seconds, 0, "No order waits.")
    drain = pace.drain_seconds(backlog.left)
    text = (
        f"{waiting_text(backlog)} {pace.text}. Until {due:%H:%M} UTC, less {plural(schedule.spare_minutes, 'minute')} to spare: "
        f"{seconds} s / {number(pace.seconds)} s = {rounds} rounds of {pace.at_a_time}, at most {limit:,} orders. "
        f"Working off all of them takes {duration(drain)}"
    )
    text += f": {left_over:,} will be left over." if left_over else "."
    return Batch(limit, seconds, left_over, text)


def waiting_text(backlog: Backlog) -> str:
    """The sentence ``1,203 orders wait, 4 are in work, 1 is set aside; the oldest waits 1 h 12 min``."""
    waiting = backlog.waiting
    text = f"{waiting:,} order{' waits' if waiting == 1 else 's wait'}"
    if backlog.in_work:
        text += f", {backlog.in_work:,} {'is' if backlog.in_work == 1 else 'are'} in work"
    if backlog.set_aside:
        text += f", {backlog.set_aside:,} {'is' if backlog.set_aside == 1 else 'are'} set aside"
    if backlog.without_status:
        text += (
            f", {backlog.without_status:,} {'has' if backlog.without_status == 1 else 'have'} no known status"
        )
    if backlog.oldest_seconds is not None:
        text += f"; the oldest waits {duration(backlog.oldest_seconds)}"
        if backlog.without_time:
            text += f", not counting {plural(backlog.without_time, 'order')} without a time that can be read"
    elif backlog.untimed:
        text += "; how long the oldest waits is not known: it has no time that can be read"
    return f"{text}."


def lasted(seconds: float) -> str:
    """How long something took: ``45 s``, ``2 min 7 s``; from an hour on as ``duration``."""
    whole = round(seconds)
    if not 120 <= whole < 3600:
        return duration(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"


def duration(seconds: float | Fraction) -> str:
    """``45 s``, ``12 min``, ``1 h 5 min``, ``3 days 2 h``; rounded up, as it is waited for."""
    if seconds < 120:
        return f"{whole_up(Fraction(seconds))} s"
    minutes = whole_up(Fraction(seconds) / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(whole_up(Fraction(minutes, 60)), 24)
    return f"{days} days {hours} h" if hours else f"{days} days"
