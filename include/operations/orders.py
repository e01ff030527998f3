"""The orders as on-call sees them: what waits, how long, how long it takes to work off, and the last batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.operations.charts import Chart, Limit, draw
from include.orders.config import Orders
from include.orders.sizing import duration
from include.records.looks import Look
from include.records.problems import Entry

SHOWN = timedelta(hours=24)
MISSED = 4
"""So many looks that did not come leave a gap in the curve."""
BATCHES = 8


@dataclass(frozen=True)
class Curve:
    """A figure over time and what it is now. ``upper``: the value at the upper edge of its drawing."""

    title: str
    now: str
    limit: str
    over: bool
    chart: Chart | None
    upper: str = ""


@dataclass(frozen=True)
class Batch:
    """One run of ``order_processor``."""

    at: datetime
    run: str
    outcome: str
    good: bool
    processed: str
    left: str


@dataclass(frozen=True)
class OrdersView:
    """The orders of one environment.

    Attributes:
        state: ``too many``, ``within limits``, ``not known``, ``no data yet``, ``out of date``.
        text: what waits now, and since when that is known.
        facts: further figures, (name, value).
        curves: waiting, oldest, drain time.
    """

    environment: str
    state: str
    text: str
    run: str = ""
    facts: Sequence[tuple[str, str]] = ()
    curves: Sequence[Curve] = ()
    batches: Sequence[Batch] = ()


def orders_view(
    orders: Orders, looks: Sequence[Look], entries: Sequence[Entry], now: datetime, *, unread: bool = False
) -> OrdersView:
    """The orders of the environment that is configured.

    Args:
        orders: the limits.
        looks: what ``order_backlog`` saw there, the oldest first.
        entries: what the runs of ``order_processor`` wrote, the newest first.
        now: the time.
        unread: not all of what was kept could be read.
    """
    mine = [each for each in looks if each.subject == orders.environment]
    batches = [_batch(each) for each in entries if each.environment == orders.environment][:BATCHES]
    if not mine:
        state, text = "no data yet", "Nobody has looked at the orders yet."
        if unread:
            state, text = "not known", "What was seen of the orders cannot be read."
        return OrdersView(orders.environment, state, text, "", (), (), batches)
    last = mine[-1]
    curves = _curves(orders, mine, now)
    every = timedelta(minutes=orders.schedule.look_every_minutes)
    old = now - last.at > every * MISSED
    seen = f"as seen {last.at:%Y-%m-%d %H:%M} UTC"
    if unknown := last.figures.get("unknown"):
        text = f"How many orders wait is not known, {seen}: {unknown}."
        if fix := last.figures.get("fix"):
            text += f" What now: {fix}."
        return OrdersView(orders.environment, "not known", text, last.run, (), curves, batches)
    figures = last.figures
    raised = bool(figures.get("raised"))
    text = f"{_count(figures, 'waiting')} wait, {_count(figures, 'in_work')} in work, {seen}."
    if raised and figures.get("why"):
        text += f" Outstanding orders are too high: {figures['why']}."
    if old:
        text += f" Nobody has looked since, though a look is due every {orders.schedule.look_every_minutes} minutes."
    state = "too many" if raised else "out of date" if old else "within limits"
    return OrdersView(orders.environment, state, text, last.run, _facts(figures), curves, batches)


def _facts(figures: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Set aside", _count(figures, "set_aside")),
        ("Coming in", f"{_count(figures, 'arrived_an_hour')} an hour"),
        ("Getting done", f"{_count(figures, 'done_an_hour')} an hour"),
        ("At most", f"{_count(figures, 'pace_an_hour')} an hour, at present capacity"),
    ]


def _curves(orders: Orders, looks: Sequence[Look], now: datetime) -> list[Curve]:
    alarm = orders.alarm
    interval = float(orders.schedule.every_minutes) if alarm.past_next_run else None
    return [
        _curve("Orders that wait", "waiting", looks, float(alarm.count), _plain, now, orders),
        _curve(
            "The oldest waits", "oldest_minutes", looks, float(alarm.oldest_minutes), _minutes, now, orders
        ),
        _curve("Time to work them off", "drain_minutes", looks, interval, _minutes, now, orders),
    ]


def _curve(
    title: str,
    key: str,
    looks: Sequence[Look],
    limit: float | None,
    say: Any,
    now: datetime,
    orders: Orders,
) -> Curve:
    start = now - SHOWN
    points = [(each.at, _value(each.figures, key)) for each in looks if each.at >= start]
    values = [value for _, value in points if value is not None]
    last = points[-1][1] if points else None
    word = say(last) if last is not None else "not known"
    limits = [Limit(f"limit {say(limit)}", limit)] if limit is not None else []
    of = f"{title} in the last 24 hours"
    text = f"{of}: at most {say(max(values))}, in the end {word}." if values else ""
    text += f" Limit {say(limit)}." if limit is not None and text else ""
    gap = timedelta(minutes=orders.schedule.look_every_minutes) * MISSED
    chart = draw(points, limits, start, now, text, gap=gap)
    over = limit is not None and last is not None and last > limit
    upper = say(chart.high) if chart else ""
    return Curve(title, word, say(limit) if limit is not None else "", over, chart, upper)


def _value(figures: dict[str, Any], key: str) -> float | None:
    """A figure of a look; None where it is not known. When nothing waits the oldest has waited for no time."""
    value = figures.get(key)
    if value is None:
        return None if figures.get("waiting") or "unknown" in figures else 0.0
    return float(value)


def _batch(entry: Entry) -> Batch:
    details = entry.details
    processed, left = details.get("processed"), details.get("left")
    return Batch(
        entry.started,
        entry.run,
        entry.outcome,
        entry.good,
        "not known" if processed is None else f"{processed:,}",
        "not known" if left is None else f"{left:,}",
    )


def _count(figures: dict[str, Any], key: str) -> str:
    value = figures.get(key)
    return f"{value:,.0f}" if isinstance(value, int | float) else "not known"


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def _minutes(value: float) -> str:
    return duration(value * 60) if value else "0 min"
