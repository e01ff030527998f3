"""What a run of order processing came to: what is wrong, what is over, and what it writes into the on-call log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import AwareDatetime

from include.orders.alarm import alert_of
from include.orders.aside import aside_findings
from include.orders.backlog import lacks_tables
from include.orders.codes import OrderErrors
from include.orders.concluding import NOT_MINE, over
from include.orders.config import Orders
from include.orders.entry import RunFacts, Tour
from include.orders.facts import Backlog, ChangeFact, Fact, Failing, Judgement, Kept, Since
from include.orders.messages import (
    ERROR,
    PROCESSOR,
    Evidence,
    Where,
    handover_finding,
    not_run_finding,
    proposal_finding,
    unreadable_finding,
)
from include.orders.noting import Finding
from include.orders.proposal import proposal_of
from include.orders.ran import Ran
from include.orders.reading import NO_CODE
from include.orders.sizing import Pace
from include.records.models import Change
from include.records.problems import Entry, OpenProblem
from include.release.problems import Problem

WORDS = {"held": "gave way to a release", "waited": "waited for a release"}


class Outcome(Fact):
    """What the tasks of a run have found out. It passes through XCom as JSON.

    Args:
        started: when the run began.
        before: the backlog at its beginning; None when it could not be read.
        unreadable: why not: where, what was found, what was expected, and what to do.
        ran: its batches.
        kept: what the database keeps of errors since the first of them.
        aside: the orders that are set aside now; None when that is not known.
        after: the backlog at the end; None when it could not be read.
        refused: why no batch was to run, such as a processor that is scaled to zero.
        trouble: why the batches could not be run or followed to their end.
        not_asked_for: what was wrong with the request of who triggered the run; that is between the two.
        asked: who triggered it by hand, and why; empty when its schedule did.
        reopened: what became of the orders that were to be opened again.
        dry_run: nothing was to be started.
    """

    started: AwareDatetime
    before: Backlog | None = None
    unreadable: dict[str, str] | None = None
    ran: tuple[Ran, ...] = ()
    kept: Kept | None = None
    aside: tuple[Failing, ...] | None = None
    after: Backlog | None = None
    refused: str = ""
    trouble: str = ""
    not_asked_for: str = ""
    asked: str = ""
    reopened: str = ""
    dry_run: bool = False

    @property
    def last(self) -> Ran | None:
        """The last batch that was one: the others gave way to a release."""
        return next((each for each in reversed(self.ran) if each.counts), None)

    @property
    def processed(self) -> int:
        """Orders processed by all batches of the run."""
        return sum(each.ended.judgement.processed for each in self.ran)

    @property
    def works(self) -> bool:
        """Whether orders were processed and nothing hit all of them: such a run is the last good one."""
        return not self.trouble and self.last is not None and self.last.decision.works

    @property
    def handed_over(self) -> bool:
        """Whether people have to put something right before orders are processed again."""
        return bool(self.trouble) or (self.last is not None and self.last.decision.next == "hand_over")

    @property
    def not_run(self) -> str:
        """Why no batch was run though orders wait, or may wait; empty when one was, or none waits."""
        backlog = self.after or self.before
        if self.last is not None or (backlog is not None and not backlog.left):
            return ""
        waited = [each.decision.text for each in self.ran if each.ended.how == "waited"]
        return self.refused or (waited[-1] if waited else "")

    @property
    def word(self) -> str:
        """What became of the run, in a word or two."""
        if self.trouble or self.not_asked_for:
            return "trouble" if self.trouble else "refused"
        if self.refused:
            return "not run"
        if self.dry_run:
            return "dry run, nothing was started"
        if self.last is None:
            return WORDS[self.ran[-1].ended.how] if self.ran else "nothing to do"
        if self.last.decision.next == "hand_over":
            return "handed over"
        if self.last.decision.too_much:
            return "orders left"
        return "processed" if self.processed else "none processed"


def problem_of(found: dict[str, str]) -> Problem:
    """What was handed on of why the orders could not be asked for."""
    return Problem(found["where"], "", found["found"], found["expected"], found["fix"])


def handed_on(problem: Problem) -> dict[str, str]:
    """The same, for XCom."""
    return {"where": problem.where, "found": problem.found, "expected": problem.expected, "fix": problem.fix}


def since_of(good: Entry | None, changes: Iterable[Change], build: str) -> Since:
    """What changed since the last good run, oldest first.

    Args:
        good: the last good run; None when none is on record: then the last change counts.
        changes: of the application in its environment, the newest first.
        build: image that the batch ran.
    """
    known = [each for each in changes if good is None or (each.ended or each.started) > good.started]
    if good is None:
        known = known[:1]
    return Since(
        good_run=good.run if good else "",
        good_at=good.ended if good else None,
        changes=tuple(_fact(each) for each in reversed(known)),
        build=build,
    )


def not_yet(outcome: Outcome, since: Since) -> bool:
    """Whether the database has no orders as the release that brings them has not gone out yet: no batch ran, ever."""
    missing = outcome.unreadable is not None and lacks_tables(outcome.unreadable["found"])
    return missing and not outcome.ran and not since.good_run and not since.unknown


def findings_of(
    outcome: Outcome, since: Since, orders: Orders, known: OrderErrors, pace: Pace | None, where: Where
) -> list[Finding]:
    """What is wrong now, as people are told; each is one problem, however many runs see it.

    Args:
        outcome: of the run.
        since: what changed since the last good run.
        orders: the configuration.
        known: what errors mean.
        pace: what the processor gets done; None when nobody says.
        where: who says it.
    """
    found = []
    last = outcome.last
    waits_for_release = not_yet(outcome, since)
    if outcome.trouble:
        found.append(_trouble(outcome, where))
    elif last is not None and last.decision.next == "hand_over":
        judgement = last.ended.judgement
        evidence = evidence_of(outcome.ran, judgement)
        found.append(
            handover_finding(
                last.decision, judgement, outcome.kept, since, known, where, evidence, outcome.after
            )
        )
    elif last is not None and last.decision.too_much and outcome.after is not None and pace is not None:
        proposal = proposal_of(outcome.after, pace, orders)
        batches = len([each for each in outcome.ran if each.counts])
        found.append(proposal_finding(proposal, outcome.after, batches, where))
    elif (reason := outcome.not_run) and not waits_for_release:
        found.append(not_run_finding(reason, outcome.word, outcome.after or outcome.before, where))
    if outcome.aside:
        # Orders that were set aside by an error which hits all of them are part of that problem.
        handed = {each.key.removeprefix(ERROR) for each in found if each.key.startswith(ERROR)}
        others = [each for each in outcome.aside if (each.code or NO_CODE) not in handed]
        found += aside_findings(others, known, where, outcome.kept)
    if outcome.after is None and outcome.unreadable is not None and not waits_for_release:
        found.append(unreadable_finding(problem_of(outcome.unreadable), where))
    return found


def evidence_of(ran: Sequence[Ran], judgement: Judgement) -> Evidence:
    """The batch of a run whose log has the beginning: the first one with the code, or that could not work."""
    for each in ran:
        found = each.ended.judgement
        same = (
            found.error(judgement.code) is not None if judgement.code else found.verdict == judgement.verdict
        )
        if each.counts and same:
            return Evidence(found, each.job)
    return Evidence(judgement)


def over_now(
    outcome: Outcome, open_problems: Sequence[OpenProblem], found: Sequence[Finding]
) -> list[tuple[OpenProblem, str]]:
    """Open problems that are over, and how that is known. The look at the backlog keeps its own."""
    keys = [each.key for each in found]
    judgement = outcome.last.ended.judgement if outcome.last else None
    pairs = [
        (each, over(each, keys, judgement=judgement, aside=outcome.aside, after=outcome.after))
        for each in open_problems
        if each.key.split("/", 2)[-1] not in NOT_MINE
    ]
    return [(each, text) for each, text in pairs if text]


def run_facts(
    outcome: Outcome,
    orders: Orders,
    pace: Pace | None,
    *,
    raised: bool,
    found: Sequence[Finding],
    told: Sequence[str],
    resolved: Sequence[str],
) -> RunFacts:
    """For the entry of the on-call log. ``raised``: outstanding orders were too high already."""
    before = outcome.before
    alert = alert_of(before, pace, orders, raised=raised) if before is not None else None
    waited = [each.decision.text for each in outcome.ran if each.ended.how == "waited"]
    return RunFacts(
        at=outcome.started,
        before=before,
        alert=alert,
        tours=[Tour(each.ended.end, each.ended.judgement, each.decision) for each in outcome.ran if each.job],
        after=outcome.after,
        found=found,
        told=told,
        resolved=resolved,
        unreadable=outcome.unreadable["found"] if outcome.unreadable and before is None else "",
        refused=outcome.refused or (waited[-1] if waited else ""),
        trouble=outcome.trouble,
        not_asked_for=outcome.not_asked_for,
        asked=outcome.asked,
        reopened=outcome.reopened,
        dry_run=outcome.dry_run,
    )


def entry_file(environment: str, run_id: str, at: datetime) -> str:
    """Where the entry lies, below the documents: ``production/on-call-log/2026-11/order_processor-21-1200-....md``."""
    safe = "".join(each if each.isalnum() or each in "._-" else "_" for each in run_id)
    return f"{environment}/on-call-log/{at:%Y-%m}/order_processor-{at:%d-%H%M}-{safe}.md"


def _trouble(outcome: Outcome, where: Where) -> Finding:
    done = " ".join(
        f"Batch {each.number} before that: {each.ended.judgement.text}" for each in outcome.ran if each.counts
    )
    return Finding(
        key=PROCESSOR,
        tell="on_call",
        outcome="alert",
        title=f"order processing in {where.place.name} could not be run",
        text=f"{outcome.trouble} {done}{' ' if done else ''}What is left waits. A batch that was begun and has not ended goes "
        "on in the cluster; the next run finds it.",
        state="trouble",
        details={"Run": where.run, "Runbook": "docs/orders.md"},
        links=dict(where.links),
    )


def _fact(change: Change) -> ChangeFact:
    return ChangeFact(
        at=change.ended or change.started,
        kind=change.kind,
        name=change.release,
        outcome=change.outcome,
        by=change.user,
        summary=change.summary,
    )
