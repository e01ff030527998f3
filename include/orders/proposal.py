"""What Ops can change when batches do not keep up: run it more often, or more at a time, with the arithmetic."""

from __future__ import annotations

from fractions import Fraction

from include.capacity.figures import number, whole_up
from include.orders.config import Orders
from include.orders.facts import Backlog, Fact
from include.orders.sizing import Pace, duration

LOAD = Fraction(4, 5)
"""Share of the hour that the processor may be at work: the rest is room for an hour with more orders."""
DAY_HOURS = 24
_STEPS = (60, 30, 20, 15, 10, 5)


class Proposal(Fact):
    """What Ops are asked to change.

    Args:
        what: more often, more at a time, a one-time backlog, or nothing that these would help.
        text: the proposal in a sentence.
        arithmetic: the steps to it, one line each.
        every_minutes: proposed interval; None when it may stay.
        processes: proposed number of processes; None when it may stay.
        at_a_time: proposed orders at a time; None when it may stay.
    """

    what: str
    text: str
    arithmetic: tuple[str, ...]
    every_minutes: int | None = None
    processes: int | None = None
    at_a_time: int | None = None


def proposal_of(backlog: Backlog, pace: Pace, orders: Orders) -> Proposal:
    """What would help, by the orders that came in the window and those that wait."""
    comes, does = Fraction(backlog.arrived_an_hour).limit_denominator(1000), pace.per_hour
    load = comes / does
    basis = pace.source if pace.measured is None else f"{pace.source}, but the seconds as measured of late"
    lines = [
        f"Come in: {number(comes, 0)} orders an hour ({backlog.arrived:,} in the last {duration(backlog.window_minutes * 60)}).",
        f"Gets done: {pace.at_a_time} at a time x 3600 s / {number(pace.seconds)} s = {number(does, 0)} an hour when it works "
        f"all the time ({basis}).",
        f"Load: {number(comes, 0)} / {number(does, 0)} = {number(load * 100, 0)} %.",
    ]
    share = _share(orders.schedule.every_minutes, orders)
    if load > LOAD or load >= share:
        minutes = orders.schedule.every_minutes
        has = (
            f"a batch has {minutes - orders.schedule.spare_minutes} of {minutes} minutes"
            if load <= LOAD
            else ""
        )
        return _more_at_a_time(comes, load, pace, min(LOAD, share), lines, has)
    return _more_often(backlog, load, pace, orders, lines)


def _share(every: int, orders: Orders) -> Fraction:
    """Share of an interval that a batch has: it is to end some minutes before the next one."""
    return Fraction(every - orders.schedule.spare_minutes, every)


def _more_at_a_time(
    comes: Fraction, load: Fraction, pace: Pace, share: Fraction, lines: list[str], has: str
) -> Proposal:
    need = comes * pace.seconds / 3600 / share
    each = Fraction(pace.at_a_time, pace.processes)
    processes = max(whole_up(need / each), pace.processes + 1)
    at_a_time = int(processes * each)
    lines.append(
        f"At a time: {number(comes, 0)} an hour x {number(pace.seconds)} s / 3600 s / {number(share * 100)} % = {number(need)}, "
        f"so {processes} processes with {number(each)} each: {at_a_time}."
    )
    times = Fraction(processes, pace.processes)
    lines.append(
        f"CPU: {processes} / {pace.processes} processes = {number(times, 2)} times the CPU and memory of today's container, or "
        f"{whole_up(times)} batches of today's size."
    )
    busy = (
        "all the time and would still fall behind" if load > 1 else f"{number(load * 100, 0)} % of the time"
    )
    text = (
        f"More at a time: {processes} processes with {at_a_time} orders at a time instead of {pace.processes} with "
        f"{pace.at_a_time}. Running it more often does not help: {has or f'it would be at work {busy}'}."
    )
    return Proposal(
        what="more at a time", text=text, arithmetic=tuple(lines), processes=processes, at_a_time=at_a_time
    )


def _more_often(backlog: Backlog, load: Fraction, pace: Pace, orders: Orders, lines: list[str]) -> Proposal:
    now, limit = orders.schedule.every_minutes, orders.alarm.oldest_minutes
    comes = load * pace.per_hour
    # What comes in an interval waits up to that interval, then for its share of the batch that takes interval x load.
    lines.append(
        f"Longest wait at {now} min: {now} min until the run + {now} min x {number(load * 100, 0)} % in it = "
        f"{number(now * (1 + load), 0)} min; the limit is {limit} min."
    )
    wanted = [each for each in _STEPS if each < now and load < _share(each, orders)]
    fits = [each for each in wanted if each * (1 + load) <= limit and comes * each / 60 <= orders.alarm.count]
    if now * (1 + load) > limit or comes * now / 60 > orders.alarm.count:
        every = fits[0] if fits else wanted[-1] if wanted else now
        if every < now:
            lines.append(
                f"At {every} min: {number(comes * every / 60, 0)} orders a run, longest wait {number(every * (1 + load), 0)} min."
            )
            text = f"Run it more often: every {every} minutes instead of every {now}."
            return Proposal(what="more often", text=text, arithmetic=tuple(lines), every_minutes=every)
    share = _share(now, orders)
    spare = pace.per_hour * share - comes
    catch_up = duration(Fraction(backlog.left) / spare * 3600)
    lines.append(
        f"To catch up: {backlog.left:,} orders / ({number(pace.per_hour, 0)} x {now - orders.schedule.spare_minutes} of {now} min "
        f"- {number(comes, 0)}) an hour = {catch_up}."
    )
    # Twice as many, or as many as work it off in a day.
    each = Fraction(pace.at_a_time, pace.processes)
    need = (Fraction(backlog.left) / DAY_HOURS + comes) * pace.seconds / 3600 / share
    processes = max(2 * pace.processes, whole_up(need / each))
    faster = pace.per_hour * processes / pace.processes
    sooner = duration(Fraction(backlog.left) / (faster * share - comes) * 3600)
    text = (
        f"A one-time backlog: what comes in is {number(load * 100, 0)} % of what the processor gets done, so nothing has to change "
        f"for good. Runs every {now} minutes work it off in {catch_up}; with {processes} processes and "
        f"{int(processes * each)} at a time until then, in {sooner}."
    )
    return Proposal(what="a one-time backlog", text=text, arithmetic=tuple(lines))
