"""What comes after a batch: done, again at once, a restart, or the people who can put it right."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.orders.codes import Meaning, OrderErrors, Team
from include.orders.config import Orders
from include.orders.facts import Backlog, BatchEnd, Fact, Judgement
from include.release.texts import plural

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
    good: bool = Field(default=True, title="Whether this batch went as it should")
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
        return Decision(next="hand_over", text=text, tell="ops", good=False)
    if judgement.verdict == "stuck":
        text = f"{judgement.text} A restart would only try it again: set it aside by hand or correct it, then run the batch again."
        return Decision(next="hand_over", text=text, tell="developers", good=False)
    if judgement.verdict == "systemic":
        return _failing(judgement.text, known.of_code(judgement.code), tried, orders)
    if judgement.verdict == "broken":
        return _failing(judgement.text, known.of_fault(judgement.fault or judgement.text), tried, orders)
    if end.end == "failed":
        said = f" ({end.reason})" if end.reason else ""
        last = f" Its last line: {judgement.last[-1].text}" if judgement.last else " It logged nothing."
        return _failing(f"The batch failed{said} without saying why.{last}", known.unknown, tried, orders)
    return _left(judgement, end, after, tried, orders)


def _failing(text: str, meaning: Meaning, tried: Tried, orders: Orders) -> Decision:
    """A processor that fails at everything."""
    if meaning.restart_helps and tried.restarts < orders.errors.restarts:
        again = f"{text} It is restarted: it picks up where it left off."
        return Decision(next="restart", text=again, good=False)
    if tried.restarts:
        why = f"A restart did not help ({plural(tried.restarts, 'restart')})."
    elif not meaning.restart_helps:
        why = "A restart does not help against that."
    else:
        why = "No restart is configured."
    return Decision(next="hand_over", text=f"{text} {why}", tell=meaning.tell, good=False)


def _left(
    judgement: Judgement, end: BatchEnd, after: Backlog | None, tried: Tried, orders: Orders
) -> Decision:
    """A batch that did its work: what is left decides."""
    good = judgement.verdict == "clean"
    if after is None:
        text = f"{judgement.text} What is left is not known: the database could not be asked."
        return Decision(next="done", text=text, good=False)
    ready = after.waiting - after.backing_off
    if judgement.verdict == "undecided" and (ready > 0 or after.backing_off) and _may_go_on(tried, orders):
        return Decision(next="again", text=judgement.text, good=good)
    if ready <= 0:
        return Decision(
            next="done", text=f"{judgement.text} No order is left that can be processed now.", good=good
        )
    left = f"{ready:,} {'order is' if ready == 1 else 'orders are'} left"
    if not judgement.processed and end.end != "complete":
        text = f"{judgement.text} {left[:1].upper()}{left[1:]}, but this batch processed none: another one would not either."
        return Decision(next="done", text=text, good=False, too_much=False)
    if _may_go_on(tried, orders):
        return Decision(
            next="again", text=f"{judgement.text} {left}: the next batch starts at once.", good=good
        )
    text = f"{judgement.text} {left} after {plural(tried.batches, 'batch', 'batches')}; they wait for the next run."
    return Decision(next="done", text=text, good=good, too_much=True)


def _may_go_on(tried: Tried, orders: Orders) -> bool:
    """Restarts are counted by themselves."""
    return tried.batches - tried.restarts <= orders.schedule.again
