"""'Outstanding orders too high': when it is raised, and when it is over."""

from __future__ import annotations

from include.orders.config import Orders
from include.orders.facts import Backlog, Fact
from include.orders.sizing import Pace, duration

OVER = 0.8
"""It is over below this share of each limit, so that a backlog at the limit does not raise it again and again."""


class Alert(Fact):
    """Whether outstanding orders are too high.

    Args:
        raised: it is, or it was and is not over yet.
        reasons: each limit that is exceeded.
        drain_seconds: to work off what is left at present capacity.
    """

    raised: bool
    reasons: tuple[str, ...] = ()
    drain_seconds: float = 0

    @property
    def text(self) -> str:
        """The reasons in a phrase, to be said after what waits."""
        return "; ".join(self.reasons)


def alert_of(backlog: Backlog, pace: Pace | None, orders: Orders, *, raised: bool) -> Alert:
    """Judge a backlog.

    The drain time counts for more than a whole interval: such a batch is still at work when the next run is due. A
    smaller backlog in the middle of a batch is what the next run is for.

    Args:
        backlog: what waits.
        pace: what the processor gets done; None when nobody says: then number and age decide.
        orders: the limits.
        raised: it was raised before and has not been over since.
    """
    limits, interval = orders.alarm, orders.schedule.every_minutes * 60
    drain = float(pace.drain_seconds(backlog.left)) if pace is not None else 0
    oldest = backlog.oldest_seconds or 0
    figures: list[tuple[float, float, str]] = [
        (backlog.waiting + backlog.without_status, limits.count, f"more than {limits.count:,} wait"),
        (
            oldest,
            limits.oldest_minutes * 60,
            f"the oldest waits longer than {duration(limits.oldest_minutes * 60)}",
        ),
    ]
    if limits.past_next_run:
        text = f"working them off takes {duration(drain)}, longer than the {duration(interval)} from one run to the next"
        figures.append((drain, interval, text))
    reasons = tuple(text for value, limit, text in figures if value > limit)
    near = any(value > limit * OVER for value, limit, _ in figures)
    return Alert(raised=bool(reasons) or (raised and near), reasons=reasons, drain_seconds=drain)
