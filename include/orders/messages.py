"""What people are told: the alert, the proposal to Ops, what is handed over to the developers, orders that were set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.orders.alarm import Alert
from include.orders.codes import OrderErrors, Team
from include.orders.config import Orders
from include.orders.deciding import Decision
from include.orders.facts import Backlog, CodeCount, ErrorSeen, Judgement, Kept, LogLine, Since
from include.orders.noting import Finding
from include.orders.proposal import Proposal
from include.orders.reading import NO_CODE
from include.orders.sizing import Pace, duration, waiting_text
from include.records.problems import OpenProblem
from include.release.environments import Environment
from include.release.policies import Channel
from include.release.problems import Problem
from include.release.telling import Message
from include.release.texts import moment, plural

BACKLOG = "backlog"
CAPACITY = "capacity"
DATABASE = "database"
PROCESSOR = "processor"
NOT_RUN = "not-run"
ERROR = "error-"
ASIDE = "set-aside-"
ALERT = "Outstanding orders too high"
MOST_NAMED = 20


@dataclass(frozen=True)
class Where:
    """Who says it.

    Args:
        place: the environment.
        run: ``dag_id/run_id``.
        links: what can be opened, by what it is.
    """

    place: Environment
    run: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """Where a problem began.

    Args:
        judgement: of the batch whose log has its first lines.
        job: that batch's Job; empty when it needs no name.
    """

    judgement: Judgement
    job: str = ""


def channels(orders: Orders, place: Environment, team: Team) -> list[Channel]:
    """Whom to tell of something that a team can put right."""
    found = {"on_call": orders.tell.on_call, "ops": orders.tell.ops, "developers": orders.tell.developers}[
        team
    ]
    return place.tell if found is None else found


def backlog_finding(
    backlog: Backlog,
    alert: Alert,
    pace: Pace | None,
    next_at: datetime,
    known: Sequence[str],
    where: Where,
    earlier: Sequence[str] = (),
) -> Finding:
    """'Outstanding orders too high'.

    Args:
        backlog: what waits.
        alert: why that is too much.
        pace: what the processor gets done; None when nobody says.
        next_at: when the next batch starts.
        known: titles of the open problems that the orders wait for (``holding_up``).
        where: who says it.
        earlier: titles of those that do not hold up every order (``passed_by``).
    """
    rates = (
        f"In the last {duration(backlog.window_minutes * 60)} {backlog.arrived:,} came in and {backlog.done:,} were processed"
        + ("" if backlog.last_done is None else f", the last one {moment(backlog.last_done.isoformat())}")
        + "."
    )
    if known:
        what = f"Known already: {'; '.join(known)}. That comes first: the orders wait for it."
    elif backlog.in_work:
        none = "" if earlier else " and no error is known"
        what = f"A batch is at work{none}: it has more to do than it gets done. Ops get a proposal when it has ended."
    elif backlog.done:
        what = f"{'' if earlier else 'No error is known. '}The next batch starts {next_at:%H:%M} UTC; order_processor run by hand starts one now."
    else:
        what = (
            f"No order was processed in that time, and no error is known: look at the last runs of order_processor, "
            f"then run it by hand. The next batch starts {next_at:%H:%M} UTC."
        )
    if earlier and not known:
        what = (
            f"Open still: {'; '.join(earlier)}. It does not hold up every order: the last one was processed after people were told "
            f"of it. {what}"
        )
    return Finding(
        key=BACKLOG,
        tell="on_call",
        outcome="alert",
        title=f"{ALERT} in {where.place.name}",
        text=f"{waiting_text(backlog)} Too high: {alert.text}. {rates} {what}",
        size=max(1, backlog.waiting),
        details={
            "At present capacity": f"{duration(alert.drain_seconds)} to work off; {pace.text}"
            if pace is not None
            else "not known: no release that can be read has capacity facts, nor has orders.yaml",
            "Runbook": "docs/orders.md",
            "Run": where.run,
        },
        links=dict(where.links),
    )


def holding_up(open_problems: Iterable[OpenProblem], last_done: datetime | None = None) -> list[str]:
    """Titles of the open problems that orders wait for: those that are set aside hold up no other.

    Nor does a problem every order, when one was processed after people were told of it.
    """
    return [
        each.title for each in _in_the_way(open_problems) if last_done is None or last_done <= each.updated
    ]


def passed_by(open_problems: Iterable[OpenProblem], last_done: datetime | None) -> list[str]:
    """Titles of those that are open still, while an order was processed after people were told of them."""
    return [each.title for each in _in_the_way(open_problems) if last_done and last_done > each.updated]


def _in_the_way(open_problems: Iterable[OpenProblem]) -> list[OpenProblem]:
    return [each for each in open_problems if not each.key.split("/", 2)[-1].startswith(ASIDE)]


def backlog_over(backlog: Backlog) -> str:
    """How it is known that outstanding orders are no longer too high."""
    return f"Outstanding orders are back to normal. {waiting_text(backlog)}"


def proposal_finding(proposal: Proposal, backlog: Backlog, tried: int, where: Where) -> Finding:
    """The proposal to Ops: one message with the numbers, however many runs see the same.

    Args:
        proposal: what would help.
        backlog: what was left.
        tried: batches that the run started one after the other.
        where: who says it.
    """
    started = plural(tried, "batch", "batches")
    lines = "\n".join(f"- {line}" for line in proposal.arithmetic)
    return Finding(
        key=CAPACITY,
        tell="ops",
        outcome="proposal",
        title=f"order processing in {where.place.name}: {proposal.what}",
        text=f"{proposal.text} After {started} in a row {_uncapital(waiting_text(backlog))}\n{lines}",
        # A load around a limit, or a backlog that comes and goes, is the same proposal all day.
        daily=True,
        details={"Where to change it": _where_to_change(proposal), "Run": where.run},
        links=dict(where.links),
        facts={"every_minutes": proposal.every_minutes, "at_a_time": proposal.at_a_time},
    )


def handover_finding(
    decision: Decision,
    judgement: Judgement,
    kept: Kept | None,
    since: Since,
    known: OrderErrors,
    where: Where,
    evidence: Evidence | None = None,
    after: Backlog | None = None,
) -> Finding:
    """What is handed over: code, first occurrence, orders hit, the excerpt around it, what changed since it worked.

    Args:
        decision: why it is handed over, and to whom.
        judgement: what the log means.
        kept: what the database keeps of errors since the batch began; None when it was not asked.
        since: what changed since the last good run.
        known: what codes mean, for a decision that does not say what it is called.
        where: who says it.
        evidence: the run's batch in which it began; by default the one that is judged.
        after: the backlog at the run's end; None when it is not known.
    """
    code = judgement.code
    began = evidence or Evidence(judgement)
    seen = began.judgement.error(code) if code else None
    name = decision.name or known.of_code(code).name
    named = f"error #{code}, {name}" if code and code != NO_CODE else name
    lines = (*seen.before, seen.first, *seen.after) if seen else began.judgement.last
    parts = [
        decision.text,
        f"Meaning: {decision.meaning}" if decision.meaning else "",
        since_text(since),
        excerpt_text(lines, seen.first.number if seen else 0, began.judgement, began.job),
    ]
    return Finding(
        key=f"{ERROR}{code}" if code else PROCESSOR,
        tell=decision.tell or "developers",
        outcome="handed over",
        title=f"order processing in {where.place.name}: {named}",
        text="\n".join(each for each in parts if each),
        size=max(1, _hits(code, seen, kept)),
        state=judgement.verdict,
        details={
            "First occurrence": _first(code, seen, kept),
            "Orders hit": orders_text(code, judgement.error(code) if code else None, kept),
            "Processed in this batch": str(judgement.processed),
            "Backlog": waiting_text(after) if after is not None else "",
            "Build": since.build,
            "Strange": "; ".join(judgement.odd),
            "When it is put right": "trigger order_processor, or leave it to its next run",
            "Runbook": "docs/orders.md",
            "Run": where.run,
        },
        links=dict(where.links),
        facts={"code": code, "verdict": judgement.verdict},
    )


def unreadable_finding(problem: Problem, where: Where) -> Finding:
    """The orders cannot be asked for."""
    return Finding(
        key=DATABASE,
        tell="on_call",
        outcome="alert",
        title=f"outstanding orders in {where.place.name} are not known",
        text=f"The database cannot be asked. Found: {problem.found}. Expected: {problem.expected}. To do: {problem.fix}.",
        details={"Where": problem.where, "Run": where.run},
        links=dict(where.links),
    )


def not_run_finding(reason: str, state: str, backlog: Backlog | None, where: Where) -> Finding:
    """No batch was run although orders wait.

    Args:
        reason: why, in a sentence or two.
        state: what makes it another case.
        backlog: what waits; None when that is not known.
        where: who says it.
    """
    waits = waiting_text(backlog) if backlog is not None else "How many orders wait is not known."
    return Finding(
        key=NOT_RUN,
        tell="on_call",
        outcome="alert",
        title=f"no batch of orders was run in {where.place.name}",
        text=f"{_sentence(reason)} {waits} The next run tries again by itself; this alert ends when a batch has run.",
        state=state,
        details={"Run": where.run, "Runbook": "docs/orders.md"},
        links=dict(where.links),
    )


def refused_message(text: str, asker: str, reason: str, where: Where) -> Message:
    """A request that was refused, for on-call: who asked, and what was wrong with it.

    Args:
        text: all that was wrong.
        asker: who triggered the run.
        reason: what they gave as one; empty when nothing.
        where: who says it.
    """
    # What begins with the path of a file keeps its letters.
    paragraph = f"Not as asked: {text.rstrip('.')}. No batch was started. Put that right and trigger it anew. Runs by schedule go on."
    details = {"Asked for by": asker, "Reason": reason, "Run": where.run}
    title = f"order processing in {where.place.name}"
    return Message("refused", title, paragraph, details, dict(where.links))


def since_text(since: Since) -> str:
    """What changed since the last good run."""
    if since.unknown:
        return f"What changed since the last good run is not known: {since.unknown}."
    if not since.good_run:
        head = "No good run is on record yet."
        return f"{head} {_changes_text(since)}" if since.changes else head
    good = f" ({moment(since.good_at.isoformat())})" if since.good_at else ""
    if not since.changes:
        return f"Nothing was released or rolled back since the last good run, {since.good_run}{good}."
    return f"Changed since the last good run, {since.good_run}{good}: {_changes_text(since)}"


def excerpt_text(lines: Sequence[LogLine], first: int, judgement: Judgement, job: str = "") -> str:
    """The lines of the log, numbered; the first error is marked. ``job`` names whose log it is."""
    of = f" of Job {job}" if job else ""
    if not lines:
        return f"The log{of} is empty."
    width = len(str(lines[-1].number))
    shown = "\n".join(
        f"{'>' if each.number == first else ' '} {each.number:>{width}}  {each.text}" for each in lines
    )
    more = (
        ""
        if judgement.sure
        else " Several orders were in work at once: an error line may be another order's."
    )
    return f"Log{of}, {plural(judgement.lines, 'line')} in all:{more}\n{shown}"


def orders_text(code: str, seen: ErrorSeen | None, kept: Kept | None) -> str:
    """Which orders a code hit, and how many; the database's count where it has one."""
    hits = _hits(code, seen, kept)
    if not hits:
        return ""
    in_database = [each.order for each in kept.failing if each.code == code] if kept else []
    orders = sorted(seen.orders if seen and seen.orders else in_database)
    more = " and more" if hits > len(orders[:MOST_NAMED]) or (seen and seen.more_orders) else ""
    named = f": {', '.join(str(each) for each in orders[:MOST_NAMED])}{more}" if orders else ""
    lines = f"; {plural(seen.times, 'error line')} in the last batch's log" if seen else ""
    by = " by the database" if _counted(code, kept) else ""
    return f"{plural(hits, 'order')}{by}{named}{lines}"


def _counted(code: str, kept: Kept | None) -> CodeCount | None:
    return next((each for each in kept.codes if each.code == code), None) if kept and code else None


def _hits(code: str, seen: ErrorSeen | None, kept: Kept | None) -> int:
    counted = _counted(code, kept)
    in_database = max(counted.orders, counted.alike) if counted else 0
    return max(in_database, len(seen.orders) if seen else 0)


def _first(code: str, seen: ErrorSeen | None, kept: Kept | None) -> str:
    counted = _counted(code, kept)
    parts = [moment(counted.first_at.isoformat())] if counted and counted.first_at else []
    if seen is not None:
        order = f" (order {seen.orders[0]})" if seen.orders else ""
        parts.append(f"line {seen.first.number} of the log{order}")
    return ", ".join(parts)


def _where_to_change(proposal: Proposal) -> str:
    if proposal.every_minutes:
        return "schedule.every_minutes in include/config/orders.yaml"
    return (
        "ORDER_PROCESSES and ORDER_CONCURRENCY in the release's file, with capacity.queues there, which sizes the container; then "
        "release it"
    )


def _changes_text(since: Since) -> str:
    parts = []
    for each in since.changes:
        by = f" by {each.by}" if each.by else ""
        summary = f": {each.summary}" if each.summary else ""
        parts.append(f"{moment(each.at.isoformat())} {each.kind} {each.name} ({each.outcome}){by}{summary}")
    return _sentence("; ".join(parts))


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]
