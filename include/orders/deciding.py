"""What comes after a batch: done, again at once, a restart, or the people who can put it right."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from include.orders.codes import Meaning, OrderErrors, Team
from include.orders.config import Orders
from include.orders.facts import Backlog, BatchEnd, Fact, Judgement
from include.release.texts import plural
from include.shop.shop.release_2.processing.status import MEANINGS

MOST_OF_IT = 0.5
"""Share of an interval."""
Next = Literal["done", "again", "restart", "hand_over"]


class Tried(Fact):
    """What this run has done so far, this batch included."""

    batches: int = Field(default=1, title="Batches, restarts included")
    restarts: int = Field(default=0, title="Of these, restarts after an error")
    processed: int = Field(default=0, title="Orders processed by the batches before this one")


class Decision(Fact):
    """What the run does next, and who has to know."""

    next: Next
    text: str = Field(title="Why, in a sentence or two")
    tell: Team | None = Field(default=None, title="Who can put it right; None when nothing is handed over")
    name: str = Field(default="", title="What is handed over is called")
    meaning: str = Field(default="", title="What it means, and what can be done about it")
    good: bool = Field(
        default=True, title="Whether this batch went as it should; single bad orders are no matter"
    )
    works: bool = Field(
        default=False, title="Orders were processed, and nothing hit all: such a run is the last good one"
    )
    too_much: bool = Field(default=False, title="Orders are left though all batches ran: Ops get a proposal")


def decide(
    judgement: Judgement,
    end: BatchEnd,
    after: Backlog | None,
    tried: Tried,
    orders: Orders,
    known: OrderErrors,
) -> Decision:
    """What comes after a batch.

    Args:
        judgement: what its log means, settled by the database where that could be asked.
        end: how its Job ended.
        after: the backlog after it; None when it could not be read.
        tried: what the run has done.
        orders: the configuration.
        known: what errors mean.
    """
    if end.end == "not started":
        text = f"The batch did not start: {end.reason or 'its pod never ran'}. No order was touched."
        return Decision(next="hand_over", text=text, tell="ops", name="the batch does not start", good=False)
    if end.by_hand:
        return _stopped_by_hand(judgement, end, after)
    if judgement.verdict == "stuck":
        text = f"{judgement.text} A restart would only try it again: set it aside by hand or correct it, then run the batch again."
        meaning = known.of_code(judgement.code)
        return _handed_over(text, "developers", meaning)
    if judgement.verdict == "systemic":
        nothing_left = after is not None and not after.left
        meaning = known.of_code(judgement.code)
        return _failing(judgement.text, meaning, tried, orders, nothing_left=nothing_left)
    if judgement.verdict == "broken":
        return _failing(judgement.text, known.of_fault(judgement.fault or judgement.text), tried, orders)
    if end.end == "failed":
        return _failed(judgement, end, after, tried, orders, known)
    return _left(judgement, end, after, tried, orders)


def out_of_time(
    decision: Decision, late: str, worked_seconds: float, drain_seconds: float, orders: Orders
) -> Decision:
    """The decision to go on at once, where there is no time for it before the next run.

    Orders that are left after a run that worked for most of its interval are too much for it, and so are more than a
    whole interval's. A few that are left by a run by hand in the last minutes are not.

    Args:
        decision: to go on at once.
        late: why that is left to the next run, in a sentence.
        worked_seconds: of all batches of the run.
        drain_seconds: to work off what is left.
        orders: the configuration.
    """
    interval = orders.schedule.every_minutes * 60
    too_much = decision.works and (worked_seconds >= MOST_OF_IT * interval or drain_seconds > interval)
    text = f"{decision.text} {late}"
    return decision.model_copy(update={"next": "done", "text": text, "too_much": too_much})


def _failed(
    judgement: Judgement,
    end: BatchEnd,
    after: Backlog | None,
    tried: Tried,
    orders: Orders,
    known: OrderErrors,
) -> Decision:
    """A batch whose log does not say why it failed; its exit status may."""
    status = MEANINGS.get(end.exit_code, "") if end.exit_code else ""
    last = judgement.last[-1].text if judgement.last else ""
    meaning = known.of_fault(" ".join((status, end.reason, last)))
    said = ": ".join(each for each in (end.reason, status) if each)
    text = f"The batch failed{f' ({said})' if said else ''}. "
    text += f"Its last line: '{last}'." if last else "It logged nothing."
    if after is not None and after.in_work:
        was = "order was" if after.in_work == 1 else "orders were"
        text += f" {after.in_work:,} {was} in work: nobody takes them before their claims end, a few minutes at most."
    return _failing(text, meaning, tried, orders)


def _failing(
    text: str, meaning: Meaning, tried: Tried, orders: Orders, *, nothing_left: bool = False
) -> Decision:
    """A processor that fails at everything."""
    if meaning.restart_helps and not nothing_left and tried.restarts < orders.errors.restarts:
        again = f"{text} It is restarted: it picks up where it left off."
        return Decision(next="restart", text=again, good=False)
    if not meaning.restart_helps:
        why = "A restart does not help against that."
    elif nothing_left:
        why = "A restart would find no order: all that failed are set aside. Open them again when it is put right."
    elif tried.restarts:
        why = f"A restart did not help ({plural(tried.restarts, 'restart')})."
    else:
        why = "No restart is configured."
    return _handed_over(f"{text} {why}", meaning.tell, meaning)


def _handed_over(text: str, tell: Team, meaning: Meaning) -> Decision:
    do = f" To do: {meaning.what_to_do}" if meaning.what_to_do else ""
    said = f"{meaning.meaning}{do}"
    return Decision(next="hand_over", text=text, tell=tell, name=meaning.name, meaning=said, good=False)


def _left(
    judgement: Judgement, end: BatchEnd, after: Backlog | None, tried: Tried, orders: Orders
) -> Decision:
    """A batch that did its work: what is left decides."""
    good, works = judgement.verdict != "undecided", judgement.processed > 0

    def then(what: Next, why: str, *, good: bool = good, too_much: bool = False) -> Decision:
        text = f"{judgement.text} {why}".strip()
        return Decision(next=what, text=text, good=good, works=works, too_much=too_much)

    if after is None:
        return then("done", "What is left is not known: the database could not be asked.")
    ready = after.waiting - after.backing_off
    if judgement.verdict == "undecided" and after.waiting and _may_go_on(tried, orders):
        return then("again", "")
    if ready <= 0:
        return then("done", "No order is left that can be processed now.")
    left = f"{ready:,} {'order is' if ready == 1 else 'orders are'} left"
    if judgement.verdict == "clean" and not works and end.end != "complete":
        if end.end == "timeout" and not _processed_by_others(after, end):
            return _idle(
                f"The batch worked until its time was over and processed no order. {left.capitalize()}."
            )
        return then("done", f"But {left}: another batch would not process them either.", good=False)
    if _may_go_on(tried, orders):
        return then("again", f"But {left}.")
    if not works and not tried.processed and not _processed_by_others(after, end):
        many = plural(tried.batches, "batch", "batches")
        return _idle(
            f"{many.capitalize()} ended as if all was well and processed no order. {left.capitalize()}."
        )
    batches = plural(tried.batches, "batch", "batches")
    return then("done", f"But {left} after {batches}; they wait for the next run.", too_much=True)


def _stopped_by_hand(judgement: Judgement, end: BatchEnd, after: Backlog | None) -> Decision:
    """Whoever stops a batch wants none: another one at once would be against that."""
    left = f" {plural(after.left, 'order')} left." if after is not None and after.left else ""
    reason = end.reason[:1].upper() + end.reason[1:]
    text = f"{judgement.text} {reason}, so this run starts no other batch; the next run goes on.{left}"
    good = judgement.verdict in ("clean", "poison")
    return Decision(next="done", text=text, good=good, works=good and judgement.processed > 0)


def _processed_by_others(after: Backlog, end: BatchEnd) -> bool:
    """Whether an order was processed meanwhile, such as by the Deployment's own batch."""
    return after.last_done is not None and after.last_done >= after.at - timedelta(seconds=end.seconds)


def _idle(text: str) -> Decision:
    """A processor that seems to work and processes nothing."""
    meaning = (
        "The processor names no error and processes no order. To do: see whether the processor's DATABASE_URL and the Airflow "
        "connection (database in include/config/orders.yaml) lead to the same database, and what its log says instead."
    )
    return Decision(
        next="hand_over",
        text=text,
        tell="developers",
        name="no order is processed",
        meaning=meaning,
        good=False,
    )


def _may_go_on(tried: Tried, orders: Orders) -> bool:
    """Restarts are counted by themselves."""
    return tried.batches - tried.restarts <= orders.schedule.again
