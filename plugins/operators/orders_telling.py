"""Telling of problems of order processing: each once, whichever run sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow.sdk import BaseOperator, Context

from include.orders.messages import channels
from include.orders.noting import Finding, Noted, note, problem_key, resolve
from include.records.problems import OpenProblem
from plugins.notifiers.telling import tell_all
from plugins.operators.base import say
from plugins.operators.orders_base import Office, started_at


@dataclass
class Told:
    """Keys of the problems that somebody was told of now, what is over, and which channels could not be told."""

    told: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def tell_findings(
    operator: BaseOperator,
    office: Office,
    context: Context,
    found: Sequence[Finding],
    over: Sequence[tuple[OpenProblem, str]],
    *,
    procedure: str,
) -> Told:
    """Tell of what is wrong and of what is over, and keep that. A channel that fails is tried again by a retry.

    Args:
        operator: the task.
        office: what it works with.
        context: its context.
        found: what is wrong now.
        over: open problems that are over, and how that is known.
        procedure: DAG that keeps them.
    """
    # The time of the run, the same for every try: what a killed try has told is not told twice.
    result, now = Told(), started_at(context)
    office.told.hand_on()
    for each in found:
        noted = note(
            each,
            office.told.problem(problem_key(office.place.name, each.key)),
            procedure=procedure,
            environment=office.place.name,
            run=office.run,
            now=now,
            rules=office.orders.messages,
            seen_every=office.seen_every(procedure),
        )
        if noted.message is None:
            say(operator, f"{each.title}: people know it already, and nothing about it is new")
        if _tell(operator, office, context, noted, result) and noted.message is not None:
            result.told.append(each.key)
    for problem, text in over:
        noted = resolve(problem, text, run=office.run, now=now)
        if _tell(operator, office, context, noted, result):
            result.resolved.append(f"Over: {problem.title}. {text}")
    return result


def _tell(operator: BaseOperator, office: Office, context: Context, noted: Noted, result: Told) -> bool:
    """Whether it went out, or nobody wants to hear of it; what could not go out is not kept as told."""
    problem = noted.problem
    if noted.message is not None:
        say(operator, noted.message.plain())
        place = office.place.model_copy(update={"tell": channels(office.orders, office.place, noted.tell)})
        over = f"#{problem.resolved.isoformat()}" if problem.resolved else ""
        news = f"{problem.key}@{problem.opened.isoformat()}#{problem.updates}{over}"
        sent = tell_all(operator, noted.message, place, context, news=news, logged=True)
        result.failed += sent["failed"]
        if sent["failed"] and not sent["told"] and not sent["before"]:
            return False
    office.told.save(problem)
    return True
