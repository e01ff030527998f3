"""Payments while the button is pressed: held, settled and released, each once per press, and written down.

The press comes first and holding second. A shop may be unwell when its payment service is, and scaling to zero must
not wait for it. What the shop sends in between is refused at once, as nothing listens, and stays queued under its key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from include.payments.journal import Hold, Journal, JournalStore, Released, Settlement
from include.payments.shop import (
    Answer,
    Shop,
    ShopError,
    States,
    counted,
    in_words,
    undecided,
    undecided_text,
    waiting,
)
from include.release.kube import KubeError
from include.release.problems import Problem, RejectedError
from include.release.texts import moment

How = Literal["roll_back", "keep"]
Result = Literal["held", "settled", "released", "nothing"]
POLL_SECONDS = 1.0
LONGEST_REASON = 300


@dataclass(frozen=True)
class Outcome:
    """What a step led to. ``text`` is for the log of on-call, ``summary`` the same in a sentence or two for a message.

    ``undecided``: payments that only the gateway can decide.
    """

    result: Result
    text: str
    run: str = ""
    summary: str = ""
    counts: dict[str, Any] = field(default_factory=dict)
    """Per state: payments and cents."""
    undecided: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As the next task gets it."""
        return asdict(self)


class PaymentKeeper:
    """The payments of one guard. Methods raise ShopError, RejectedError and KubeError.

    ``run`` names what they are held for: a press, by its run and time. It is the key by which the shop and the journal
    know a repeated call.
    """

    def __init__(self, shop: Shop, store: JournalStore, guard: str) -> None:
        self.shop, self.store, self.guard = shop, store, guard

    def hold(self, reason: str, run: str) -> Outcome:
        """Hold payments for a press. Again for the same: nothing new; after its release: nothing at all."""
        begun = Hold(run=run, at=self.store.now(), reason=_short(reason))

        def begin(journal: Journal) -> Journal:
            known = journal.release_of(run) or journal.hold(run)
            return journal if known else journal.with_hold(begun)

        journal = self.store.change(begin)
        if over := journal.release_of(run):
            return _outcome("nothing", run, self._over(over), {})
        hold = journal.hold(run) or begun
        answer = self.shop.hold(hold.reason, run)
        if answer.holding is False:
            ended = Released(run=run, at=self.store.now(), reason="the shop had released it", by="the shop")
            self.store.change(lambda journal: journal.with_release(ended))
            return _outcome("nothing", run, self._over(ended), {})
        if not hold.confirmed:
            hold = hold.model_copy(update={"confirmed": True, "states": answer.states})
            # Released by somebody else since it was held, it stays released.
            journal = self.store.change(lambda now: now if now.release_of(run) else now.with_hold(hold))
            if over := journal.release_of(run):
                return _outcome("nothing", run, self._over(over), {})
        text = f"Payments are held since {moment(hold.at)} for {_press(run)} ({self.shop.where}): those that wait, and new ones."
        short = f"Payments are held. Waiting when they were held: {in_words(waiting(answer.states))}."
        return _outcome("held", run, text, answer.states, short=short)

    def settle(self, how: How, run: str, reason: str = "") -> Outcome:
        """Settle what waits, once for a press that payments are held for.

        Args:
            how: roll_back, or keep for replay after the release.
            run: the press.
            reason: what customers are told; by default the reason of the hold.

        Raises:
            RejectedError: nothing is held for it.
        """
        journal = self.store.read()
        done = journal.settlement(run)
        if over := journal.release_of(run):
            return (
                self._settled(done, self._over(over)) if done and done.confirmed else self._not_any_more(over)
            )
        hold = journal.hold(run)
        if hold is None or not hold.confirmed:
            raise self._not_held(run, journal)
        if done is None:
            done = Settlement(run=run, at=self.store.now(), how=how, reason=_short(reason or hold.reason))
            begun = done
            # Decided again on what is there: the hold may have been released since it was read.
            journal = self.store.change(
                lambda now: now if now.release_of(run) else now.with_settlement(begun)
            )
            if over := journal.release_of(run):
                return self._not_any_more(over)
        # What is done is looked at only; a run rolls back once, whatever has come in since.
        first = done.how == "roll_back" and not done.confirmed
        answer = self.shop.roll_back(done.reason, run) if first else self.shop.state()
        states = answer.settlement(run)
        after = done.model_copy(
            update={"confirmed": True, "states": answer.states if states is None else states}
        )
        self.store.change(lambda journal: journal.with_settlement(after))
        text = f"Settled for {_press(run)} ({self.shop.where}): {_what(after.how)}."
        if after.how != how:
            text += f"\nThe configuration says {how} now; it had begun to be settled before, and that stands."
        if after.how == "roll_back" and states is not None:
            text += f"\nOf these payments: {in_words(states)}."
        if after.how == "roll_back":
            # Without the shop's own list of what was settled, its counts are of all payments.
            which = "all payments" if states is None else "of the same payments"
            short = f"What waited is rolled back; {which} now: {in_words(after.states)}."
        else:
            short = f"What waits is kept for replay, all in all now: {in_words(waiting(answer.states))}."
        return _outcome("settled", run, text, answer.states, states, short=short)

    def presses(self) -> list[str]:
        """The presses that payments of this guard are held for, by the journal and by the shop's own list.

        A shop that holds but cannot count does not keep what the journal names from being released.
        """
        known = [hold.run for hold in self.store.read().holds]
        try:
            answer = self.shop.state()
        except (ShopError, KubeError):
            if not known:
                raise
            return known
        # A hold whose journal somebody deleted is still one of this guard.
        seen = [each.run for each in answer.holds if each.by == self.guard and each.run]
        return list(dict.fromkeys((*known, *seen)))

    def release(self, reason: str, by: str, presses: Sequence[str] | None = None) -> Outcome:
        """End holds; again: nothing new.

        Args:
            reason: why.
            by: the run that ends them.
            presses: what they are for; by default all of the guard's.
        """
        ended = self.presses() if presses is None else presses
        for run in ended:
            self.shop.release(run)
            note = Released(run=run, at=self.store.now(), reason=reason, by=by)
            self.store.change(lambda journal, note=note: journal.with_release(note))  # type: ignore[misc]
        try:
            answer = self.shop.state()
        except (ShopError, KubeError) as error:
            if not ended:
                raise
            text = f"What was held for {_presses(ended)} is released ({self.shop.where}), but it could not be asked how many there are."
            return _outcome("released", by, f"{text}\n{error}", {}, short=text)
        if not ended:
            text = f"Nothing was held for guard {self.guard} ({self.shop.where})."
            return _outcome("nothing", by, text, answer.states)
        short = "Payments flow again."
        text = f"Payments flow again ({self.shop.where}): what was held for {_presses(ended)} is released and sent now."
        if others := [seen for seen in answer.holds if seen.run not in ended]:
            words = "; ".join(f"{each.by} {each.run}".strip() + f": {each.reason}" for each in others)
            short = text = (
                f"The hold for {_presses(ended)} is ended, but the queue is still held by others: {words}."
            )
        return _outcome("released", by, text, answer.states, self._latest(answer), short=short, pressed=False)

    def wait_settled(
        self, seconds: float, released: Outcome, sleep: Callable[[float], None] = time.sleep
    ) -> Outcome:
        """Wait until the gateway has said of every payment that is to be rolled back whether it was charged.

        Returns what was released, with what there is after ``seconds`` at the latest; the shop goes on by itself.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                now = self.state()
            except (ShopError, KubeError):
                return released  # which is done; this only looks on
            if not now.undecided or time.monotonic() >= deadline:
                first = released.text.splitlines()[0]
                short = released.summary.partition(". ")[0].rstrip(".")
                return replace(
                    now,
                    result=released.result,
                    run=released.run,
                    text=f"{first}\n{now.text}",
                    summary=f"{short}. {now.summary}",
                )
            sleep(POLL_SECONDS)

    def state(self) -> Outcome:
        """What is held and settled by now; changes nothing but the counts of settlements in the journal."""
        answer = self.shop.state()
        journal = self.store.read()
        changed = {
            each.run: each.model_copy(update={"states": states})
            for each in journal.settlements
            if each.confirmed
            and (states := answer.settlement(each.run)) is not None
            and states != each.states
        }
        if changed:
            journal = self.store.change(lambda now: _updated(now, changed))
        lines = [
            f"Held for {_press(each.run)} since {moment(each.at)}: {each.reason}" for each in journal.holds
        ]
        lines = lines or ["Nothing is held."]
        if journal.settlements:
            last = journal.settlements[-1]
            lines.append(
                f"Settled for {_press(last.run)} at {moment(last.at)}, {_what(last.how)}: {in_words(last.states)}"
            )
        latest = self._latest(answer)
        short = f"What was rolled back when it was pressed: {in_words(latest)}." if latest else ""
        held = bool(journal.holds)
        result: Result = "held" if held else "nothing"
        return _outcome(result, "", "\n".join(lines), answer.states, latest, short=short, pressed=held)

    def plan(self, step: Literal["hold", "settle", "release"], how: How = "keep") -> Outcome:
        """What a step would do, for a dry run."""
        answer = self.shop.state()
        what = {
            "hold": "payments would be held: those that wait, and new ones",
            "settle": "payments that wait would be "
            + ("rolled back" if how == "roll_back" else "kept for replay"),
            "release": "holds of this guard would be ended, and kept payments sent",
        }[step]
        return _outcome("nothing", "", f"Dry run: {what} ({self.shop.where}).", answer.states)

    def _settled(self, done: Settlement, over: str) -> Outcome:
        text = f"Settled at {moment(done.at)} ({_what(done.how)}): {in_words(done.states)}. {over}"
        return _outcome("settled", done.run, text, {}, done.states)

    def _not_any_more(self, over: Released) -> Outcome:
        return _outcome("nothing", over.run, f"Nothing is settled. {self._over(over)}", {})

    def _latest(self, answer: Answer) -> States | None:
        """What has become of the latest settlements, all together, where the shop tells."""
        waiting = [each.states for each in answer.settlements if undecided(each.states)]
        return waiting[0] if waiting else (answer.settlements[0].states if answer.settlements else None)

    def _over(self, over: Released) -> str:
        return (
            f"The hold for {_press(over.run)} was released at {moment(over.at)} by {over.by}; payments flow again, and "
            "are held once for a press. Nothing has been changed."
        )

    def _not_held(self, run: str, journal: Journal) -> RejectedError:
        held = ", ".join(_press(each.run) for each in journal.holds if each.confirmed) or "no press"
        problem = Problem(
            f"ConfigMap {self.store.name} in namespace {self.store.namespace}",
            "holds",
            f"held for {held}",
            f"a hold for {_press(run)}",
            "clear the task that holds payments, then this one",
            why="payments that are not held would come in while they are settled",
        )
        return RejectedError([problem], subject="the payments", changed="Nothing has been settled.")


def _updated(journal: Journal, changed: dict[str, Settlement]) -> Journal:
    for each in changed.values():
        if journal.settlement(each.run):
            journal = journal.with_settlement(each)
    return journal


def _short(reason: str) -> str:
    """A reason as customers are told it: in one line that a shop will take."""
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def _what(how: str) -> str:
    if how == "roll_back":
        return "what waited is rolled back; new payments wait for the release"
    return "what waits is kept, and sent after the release"


def _press(run: str) -> str:
    """A press as texts name it: by its run. Its time, which makes it a key, is in the journal."""
    return f"the press of run {run.partition('@')[0]}"


def _presses(runs: Sequence[str]) -> str:
    return ", ".join(_press(each) for each in runs)


def _outcome(
    result: Result,
    run: str,
    text: str,
    states: States,
    settled: States | None = None,
    *,
    short: str | None = None,
    pressed: bool = True,
) -> Outcome:
    count = max(undecided(states), undecided(settled))
    note = undecided_text(count, pressed=pressed)
    parts = [text, *([counted(states)] if states else []), *([note] if note else [])]
    summary = " ".join(f"{text if short is None else short} {note}".split())
    counts = {name: each.model_dump() for name, each in (states or settled or {}).items()}
    return Outcome(result, "\n".join(parts), run, summary, counts, count)
