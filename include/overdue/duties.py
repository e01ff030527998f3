"""What runs by itself, and by when: each procedure's own configuration says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.logs.choosing import right_retention
from include.logs.due import cleanup_duty, duty_of_a_wrong_file
from include.logs.loading import read_right_volumes
from include.orders.loading import read_orders
from include.overdue.judging import Duty
from include.overdue.ticks import Every
from include.release.loading import Sources
from include.release.problems import RejectedError

ORDERS = "include/config/orders.yaml"


@dataclass(frozen=True)
class Duties:
    """The procedures that are expected to run, and the files that say nothing usable."""

    duties: list[Duty]
    problems: list[str]


def duties(sources: Sources) -> Duties:
    """Every procedure with a schedule. A file that cannot be read hides only its own; its problem is among those."""
    found: list[Duty] = []
    problems: list[str] = []
    for read in (_logs, _orders):
        try:
            duties_of, problem = read(sources)
        except RejectedError as error:
            duties_of, problem = [], str(error)
        found += duties_of
        problems += [problem] if problem else []
    return Duties(found, problems)


def _logs(sources: Sources) -> tuple[list[Duty], str]:
    try:
        return [cleanup_duty(right_retention(sources))], read_right_volumes(sources).text
    except RejectedError as error:
        # Its runs clean nothing up then: that is what people have to be told.
        return [duty_of_a_wrong_file(sources)], str(error)


def _orders(sources: Sources) -> tuple[list[Duty], str]:
    orders, place = read_orders(sources)
    schedule = orders.schedule
    tell = place.tell if orders.tell.on_call is None else orders.tell.on_call
    start = timedelta(minutes=schedule.start_within_minutes)
    found = [
        Duty(
            "order_processor",
            "the batches of orders",
            Every(schedule.every_minutes),
            timedelta(minutes=schedule.finish_within_minutes),
            tell,
            ORDERS,
            start,
            "read_backlog",
        ),
        Duty(
            "order_backlog",
            "the look at the orders that wait",
            Every(schedule.look_every_minutes),
            start + timedelta(minutes=schedule.look_every_minutes),
            tell,
            ORDERS,
            start,
            "look",
        ),
    ]
    return found, ""
