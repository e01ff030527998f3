"""The on-call log entry of a run, in the form of the team's log: time, alert, troubleshooting, resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from include.orders.alarm import Alert
from include.orders.codes import Team
from include.orders.deciding import Decision
from include.orders.facts import Backlog, BatchEnd, Judgement
from include.orders.messages import ALERT
from include.orders.noting import Finding
from include.orders.sizing import lasted, waiting_text

TEAMS: dict[Team, str] = {"developers": "the developers", "ops": "Ops", "on_call": "whoever is on call"}
_ENDS = {
    "complete": "ran to its end",
    "failed": "failed",
    "stopped": "was stopped",
    "timeout": "reached the end of its time and gave back what it had not begun",
    "not started": "did not start",
}
NO_ALERT = "Order processing, no alert"
WRONG_REQUEST = "Order processing, a request that was refused"


@dataclass(frozen=True)
class Tour:
    """One batch of a run: how it ended, what its log means, and what came of it."""

    end: BatchEnd
    judgement: Judgement | None
    decision: Decision


@dataclass(frozen=True)
class RunFacts:
    """What a run saw and did.

    Args:
        at: when it began.
        before: the backlog at its beginning; None when it could not be read (``unreadable`` says why).
        alert: whether that was too much; None when it was not judged.
        tours: its batches, in order.
        after: the backlog at its end; None when it could not be read.
        found: what is wrong, as people are told.
        told: keys of those that somebody was told of by this run.
        resolved: what is over since this run, a sentence each.
        unreadable: why the backlog could not be read.
        refused: why no batch ran, such as a release that goes on.
        trouble: why the batches could not be run, or followed to their end.
        not_asked_for: what was wrong with the request of who triggered the run.
        asked: who triggered it by hand, and why; empty when its schedule did.
        reopened: what became of the orders that were to be opened again.
        dry_run: nothing was started and nobody told.
    """

    at: datetime
    before: Backlog | None
    alert: Alert | None
    tours: Sequence[Tour] = ()
    after: Backlog | None = None
    found: Sequence[Finding] = ()
    told: Sequence[str] = ()
    resolved: Sequence[str] = ()
    unreadable: str = ""
    refused: str = ""
    trouble: str = ""
    not_asked_for: str = ""
    asked: str = ""
    reopened: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class LogEntry:
    """An entry of the on-call log.

    Args:
        at: when.
        alert: what was raised.
        troubleshooting: what was looked at and found.
        resolution: what was done and who has it now.
    """

    at: datetime
    alert: str
    troubleshooting: Sequence[str] = field(default=())
    resolution: Sequence[str] = field(default=())

    def text(self, time_zone: str = "UTC") -> str:
        """As the log has it, in Markdown; the day stands before the time, which names its zone: ``11:00 CET``."""
        local = self.at.astimezone(ZoneInfo(time_zone))
        parts = [f"{local:%Y-%m-%d %H:%M %Z} -- *{self.alert}*"]
        for name, lines in (("Troubleshooting", self.troubleshooting), ("Resolution", self.resolution)):
            items = "\n".join(f"- {' '.join(each.split())}" for each in lines)
            parts.append(f"{name}\n\n{items or '- Nothing to be done'}")
        return "\n\n".join(parts) + "\n"


def entry_of(run: RunFacts) -> LogEntry:
    """What a run writes into the log."""
    return LogEntry(run.at, _alert(run), _troubleshooting(run), _resolution(run))


def _alert(run: RunFacts) -> str:
    if run.not_asked_for:
        return WRONG_REQUEST
    if run.alert is not None and run.alert.raised:
        return ALERT
    handed = [each.title for each in run.found if each.outcome in ("handed over", "alert")]
    if handed:
        return handed[0][:1].upper() + handed[0][1:]
    aside = [each.title for each in run.found if each.outcome == "set aside"]
    return f"Orders set aside: {aside[0]}" if aside else NO_ALERT


def _troubleshooting(run: RunFacts) -> list[str]:
    lines = [f"Run by hand: {_sentence(run.asked)}"] if run.asked else []
    if run.not_asked_for:
        lines.append(f"The request was refused: {_sentence(run.not_asked_for)}")
    # A request that was refused asked nothing before: what waits is known from the end.
    waits = run.before or (run.after if run.not_asked_for else None)
    if waits is not None:
        lines.append(f"Checked the backlog: {_lower(waiting_text(waits))}")
    elif run.unreadable:
        lines.append(f"Checked the backlog: it could not be read ({run.unreadable}).")
    if run.alert is not None and run.alert.reasons:
        lines.append(f"That is too much: {run.alert.text}.")
    if run.refused:
        lines.append(f"No batch was started: {_sentence(run.refused)}")
    if run.trouble:
        lines.append(f"The run did not get to its end: {_sentence(run.trouble)}")
    for number, tour in enumerate(run.tours, start=1):
        which = f"Batch {number}" if len(run.tours) > 1 else "The batch"
        said = tour.judgement.text if tour.judgement is not None else ""
        reason = f" ({tour.end.reason})" if tour.end.reason and tour.end.reason != said else ""
        lines.append(f"{which} {_ENDS[tour.end.end]} after {lasted(tour.end.seconds)}{reason}.")
        if tour.judgement is not None:
            lines.append(f"Checked its log: {tour.judgement.text}")
            lines.extend(f"The log was strange: {each}." for each in tour.judgement.odd)
    return lines


def _resolution(run: RunFacts) -> list[str]:
    lines = [f"Asked for orders to be opened again: {_sentence(run.reopened)}"] if run.reopened else []
    lines += _restarts(run)
    if run.not_asked_for:
        lines.append(
            "No batch was started. Who asked for it: put the request right and trigger it anew. Runs by schedule go on."
        )
    if run.dry_run:
        lines.append(
            "Dry run: no batch was started, and nobody is told. What waits is left for the next run."
        )
    for each in run.found:
        team = TEAMS[each.tell]
        if run.dry_run:
            lines.append(f"{team[:1].upper()}{team[1:]} would hear, if they do not know it: {each.title}.")
        elif each.key in run.told:
            lines.append(f"Told {team}: {each.title}. {each.text.splitlines()[0]}")
        else:
            lines.append(
                f"Known already, not told again: {each.title} ({team} {'has' if each.tell == 'on_call' else 'have'} it)."
            )
    lines.extend(run.resolved)
    if run.after is not None and run.tours:
        lines.append(f"In the end: {_lower(waiting_text(run.after))}")
    return lines


def _restarts(run: RunFacts) -> list[str]:
    lines = []
    restarts = sum(tour.decision.next == "restart" for tour in run.tours)
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        lines.append(f"Restarted the order processor {times}, which is safe: it picks up where it left off.")
    again = sum(tour.decision.next == "again" for tour in run.tours)
    if again:
        lines.append(f"Ran it again at once {'' if again == 1 else f'{again} times '}for what was left.")
    return lines


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
