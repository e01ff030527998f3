"""What tests of order processing share: the configuration as shipped, logs, and a backlog."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.orders.facts import Backlog, BatchEnd, Judgement, Since
from include.orders.judging import Judge, Stop
from include.orders.loading import read_errors, read_orders
from include.orders.messages import Where
from include.orders.sizing import Pace
from include.release.environments import Environment
from include.release.loading import Sources

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SAMPLE = (Path(__file__).parent / "order_processing.log").read_text().splitlines()
"""The log of the on-call scenario: a good run, then one that fails from order 4 on."""
COMPLETE = BatchEnd(end="complete", seconds=240)


def orders(**changes: Any) -> Orders:
    found, _ = read_orders(Sources.from_environment())
    return found.model_copy(update=changes)


def place() -> Environment:
    return read_orders(Sources.from_environment())[1]


def known() -> OrderErrors:
    return read_errors(Sources.from_environment())


def where(run: str = "order_processor/scheduled") -> Where:
    return Where(place(), run, {"Task log": "http://airflow.example/run"})


def judged(lines: Iterable[str], at_a_time: int = 4, **errors: Any) -> tuple[Judgement, Stop | None, int]:
    """The judgement, why the batch was stopped, and after how many lines."""
    judge = Judge(orders().errors.model_copy(update=errors), known(), at_a_time)
    for number, line in enumerate(lines, start=1):
        if stop := judge.feed(line):
            return judge.judgement(), stop, number
    return judge.judgement(), None, 0


def good(*numbers: int) -> list[str]:
    return [line for each in numbers for line in (f"Processing Order {each}", "Order Processed")]


def bad(*numbers: int, code: str = "12", times: int = 1) -> list[str]:
    error = f"Error Processing Order. Error #{code}"
    return [line for each in numbers for line in (f"Processing Order {each}", *[error] * times)]


def pace(measured: float | None = None) -> Pace:
    """The capacity facts of release 2."""
    exact = None if measured is None else Fraction(measured)
    return Pace(2, 4, Fraction(10), Fraction(15), "capacity facts of release-2", exact)


def backlog(waiting: int = 0, at: datetime = NOW, minutes: float = 0, **more: Any) -> Backlog:
    """``minutes`` is how long the oldest waits."""
    oldest = at - timedelta(minutes=minutes) if waiting else None
    return Backlog(**({"at": at, "waiting": waiting, "oldest": oldest} | more))


def since(**more: Any) -> Since:
    return Since(**({"good_run": "order_processor/0900", "good_at": NOW - timedelta(hours=1)} | more))
