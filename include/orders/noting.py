"""One message per problem: told when it is first seen, when it has become much larger, as a reminder, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from include.orders.codes import Team
from include.orders.config import Messages
from include.orders.facts import Fact
from include.records.problems import OpenProblem
from include.release.policies import Told
from include.release.telling import Message
from include.release.texts import moment, noted_time

BACK = "back"
"""Detail of a problem: since when it is back, while people believe that it is over."""
SEVERAL = 3
"""What runs see in turns with its end is one problem: so many intervals of theirs are no time."""
LARGER = 2
"""A problem that has grown to so many times what people were told is told anew."""


class Finding(Fact):
    """Something that is wrong now.

    Args:
        key: what tells it from others; the same from run to run: ``backlog``, ``error-12``.
        tell: who can put it right.
        outcome: what the message begins with.
        title: what it is, in a line.
        text: what is known; may have several lines.
        size: how large it is, such as the number of orders.
        state: what makes it another case of the same problem, such as the verdict; told anew when it changes.
        daily: a matter of days: between a first message and the end of it nobody hears more than one a day.
    """

    key: str
    tell: Team
    outcome: Told
    title: str
    text: str
    size: int = 1
    state: str = ""
    details: dict[str, str] = {}
    links: dict[str, str] = {}
    daily: bool = False
    facts: dict[str, Any] = Field(default={}, title="Kept with the problem, for the next run")

    def message(self) -> Message:
        """As people are told."""
        return Message(self.outcome, self.title, self.text, self.details, self.links)


Why = Literal["first", "changed", "reminder", "silent", "resolved"]


_HEADS: dict[tuple[Why, bool], str] = {
    ("changed", False): "Update",
    ("reminder", False): "Still there",
    ("changed", True): "It is back",
    ("reminder", True): "It comes and goes",
}


@dataclass(frozen=True)
class Noted:
    """What is kept of a problem, and what people are told of it now.

    Args:
        problem: to be saved after the message went out: if the run dies between, it is told twice rather than never.
        message: None when there is nothing new.
        tell: whom.
        why: first, changed, reminder, resolved; silent when nobody is told.
    """

    problem: OpenProblem
    message: Message | None
    tell: Team
    why: Why


def problem_key(environment: str, key: str) -> str:
    """``orders/production/error-12``."""
    return f"orders/{environment}/{key}"


def note(
    finding: Finding,
    kept: OpenProblem | None,
    *,
    procedure: str,
    environment: str,
    run: str,
    now: datetime,
    rules: Messages,
    seen_every: int = 5,
) -> Noted:
    """Note what is wrong, and say whether people are told.

    Args:
        finding: what is wrong now.
        kept: what the records have under its key, open or resolved.
        procedure: DAG that keeps it.
        environment: where.
        run: ``dag_id/run_id``.
        now: the time.
        rules: how often people are told.
        seen_every: minutes from one run that would see it to the next.
    """
    pace = _Pace.of(finding, rules, seen_every)
    came_back = _since_back(kept, now, pace.quiet)
    if kept is None or (kept.resolved is not None and came_back is None):
        problem = _problem(
            finding, procedure, environment, run, opened=now, updated=now, updates=0, told=_told(finding)
        )
        return Noted(problem, finding.message(), finding.tell, "first")
    why: Why
    if came_back is not None:
        long = now - kept.updated >= pace.remind
        why = "changed" if now - came_back >= pace.stays else "reminder" if long else "silent"
    else:
        why = _why(finding, kept, now, pace)
    if why == "silent":
        told = {name: kept.details.get(name) for name in ("size", "state")}
        told |= {BACK: came_back.isoformat()} if came_back else {}
    else:
        told = _told(finding)
    problem = _problem(
        finding,
        # Who sees it after it came back is who will see that it is over.
        kept.procedure if kept.resolved is None else procedure,
        environment,
        kept.run,
        opened=kept.opened,
        updated=kept.updated if why == "silent" else now,
        updates=kept.updates + (why != "silent"),
        told=told,
    )
    if why == "silent":
        return Noted(problem, None, finding.tell, "silent")
    message = finding.message()
    head = _HEADS[why, came_back is not None]
    since = f"{head}, since {moment(kept.opened.isoformat())}. "
    message = Message(
        message.outcome, message.title, since + message.paragraph, message.details, message.links
    )
    return Noted(problem, message, finding.tell, why)


def resolve(kept: OpenProblem, text: str, *, run: str, now: datetime) -> Noted:
    """Note that a problem is over, and tell those who were told of it.

    Not when it had come back and nobody was told of that: for people it was over before.

    Args:
        kept: the open problem.
        text: how it is known that it is over.
        run: ``dag_id/run_id`` that saw it.
        now: the time.
    """
    problem = kept.model_copy(update={"resolved": now, "text": text})
    if kept.details.get(BACK):
        return Noted(problem, None, team_of(kept), "silent")
    since = f"Seen first {moment(kept.opened.isoformat())}."
    message = Message("resolved", kept.title, f"{text} {since}", {"Run": run}, {})
    return Noted(problem, message, team_of(kept), "resolved")


def team_of(kept: OpenProblem) -> Team:
    """Whom a problem was told."""
    found = kept.details.get("tell")
    return found if found in ("developers", "ops", "on_call") else "on_call"


def _since_back(kept: OpenProblem | None, now: datetime, quiet: timedelta) -> datetime | None:
    """Since when a problem is back of which people were told that it is over; None when it is not."""
    if kept is None:
        return None
    if kept.resolved is not None:
        return now if now - kept.resolved < quiet else None
    return noted_time(str(kept.details.get(BACK) or ""))


@dataclass(frozen=True)
class _Pace:
    """How fast people hear of a problem.

    Args:
        quiet: at most one update in this time, and what is over and back within it is the same problem.
        stays: what is back is told when it has stayed for so long.
        remind: a problem that lasts is said again after so long.
    """

    quiet: timedelta
    stays: timedelta
    remind: timedelta

    @classmethod
    def of(cls, finding: Finding, rules: Messages, seen_every: int) -> _Pace:
        remind = timedelta(hours=rules.remind_hours)
        if finding.daily:
            return cls(remind, remind, remind)
        # No two runs are exactly an interval apart.
        stays = max(rules.update_minutes, seen_every) - seen_every / 10
        return cls(
            timedelta(minutes=max(rules.update_minutes, SEVERAL * seen_every)),
            timedelta(minutes=stays),
            remind,
        )


def _why(finding: Finding, kept: OpenProblem, now: datetime, pace: _Pace) -> Why:
    age = now - kept.updated
    if age >= pace.remind:
        return "reminder"
    changed = finding.state != kept.details.get("state", "") or finding.size >= LARGER * int(
        kept.details.get("size") or 1
    )
    return "changed" if changed and age >= pace.quiet else "silent"


def _told(finding: Finding) -> dict[str, Any]:
    return {"size": finding.size, "state": finding.state}


def _problem(
    finding: Finding,
    procedure: str,
    environment: str,
    run: str,
    *,
    opened: datetime,
    updated: datetime,
    updates: int,
    told: dict[str, Any],
) -> OpenProblem:
    return OpenProblem(
        key=problem_key(environment, finding.key),
        procedure=procedure,
        environment=environment,
        title=finding.title,
        text=finding.text,
        opened=opened,
        updated=updated,
        run=run,
        updates=updates,
        details={**finding.facts, **told, "tell": finding.tell},
    )
