"""Payments of a guard: held when its button is pressed, settled, and released after the re-arm.

Pressing comes first and holding second: a shop may be unwell when its payment service is, and scaling to zero must
not wait for it. What the shop sends in between finds nobody and stays queued under its key; what was on its way when
the button was pressed is settled by its key, once the gateway can be asked.
"""

from __future__ import annotations

import abc
from datetime import timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from typing_extensions import override

from include.payments.keeper import Outcome, PaymentKeeper
from include.payments.opening import open_payments
from include.payments.shop import ShopError
from include.release.pressed import is_pressed
from include.restarts.guards import Payments
from include.restarts.press import PressNote, read_note
from plugins.operators.base import readable_errors, say
from plugins.operators.failure import rejection, remember
from plugins.operators.guarding import GuardOperator, Post, post_of


class PaymentsOperator(GuardOperator):
    """One step with the payments of a guard; skipped, with a text, when the guard has none.

    Every step may be run again at any time: payments are held, settled and released once per press. A shop that does not answer is
    asked again by itself, for about ten minutes.

    Args:
        guard: name of the guard.
        reason: why; that of a hold and a settlement is what customers are told. By default what the guard's payments
            say, and for a release what the form says.
    """

    template_fields = ("reason",)

    def __init__(self, *, guard: str, reason: str = "", **kwargs: Any) -> None:
        patient = {"retries": 12, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True}
        super().__init__(guard=guard, **{**patient, "max_retry_delay": timedelta(minutes=1), **kwargs})
        self.reason = reason

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns what became of it: result, text, summary, counts per state, undecided, run."""
        keeper = open_payments(post.guard, post.cluster, post.namespace)
        if keeper is None or post.guard.payments is None:
            text = (
                f"Guard {post.guard.name} has no payments in guards.yaml: nothing to hold, settle or release"
            )
            say(self, text)
            raise AirflowSkipException(text)
        dry_run = post.guard.dry_run or bool(context["params"].get("dry_run"))
        try:
            outcome = self.would(keeper, post.guard.payments) if dry_run else self.act(keeper, post, context)
        except ShopError as error:
            if not error.transient:
                raise
            remember(rejection(error), "trouble")
            say(self, str(error), error=True)
            raise AirflowException(f"The shop does not answer for now: {rejection(error)}") from None
        say(self, outcome.text)
        return outcome.to_dict()

    @abc.abstractmethod
    def act(self, keeper: PaymentKeeper, post: Post, context: Context) -> Outcome:
        """Do it."""

    @abc.abstractmethod
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """Say what it would do."""


class HoldPaymentsOperator(PaymentsOperator):
    """Holds payments: those that wait, and new ones. Nothing is held when the button is not pressed (any more)."""

    @override
    def act(self, keeper: PaymentKeeper, post: Post, context: Context) -> Outcome:
        """A task of an old run that somebody clears after the re-arm holds nothing."""
        assert post.guard.payments is not None
        note = read_note(_deployment(post))
        if note is None:
            return _left_alone(post, "is not pressed (any more)")
        # Not the note's reason: it has names and log lines that are for on-call only.
        reason = self.reason or post.guard.payments.told
        press = press_of(note, post)
        held = keeper.hold(reason, press)
        if held.result == "held" and not is_pressed(_deployment(post)):
            # Re-armed in between; that run may have found nothing to release.
            keeper.release("the button was re-armed while payments were being held", post.run, [press])
            return _left_alone(post, "is not pressed any more")
        return held

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """Say what it would do."""
        return keeper.plan("hold")


class SettlePaymentsOperator(PaymentsOperator):
    """Settles the payments that this run holds, as the guard says: roll back, or keep for replay."""

    @override
    def act(self, keeper: PaymentKeeper, post: Post, context: Context) -> Outcome:
        """Settle, once per run."""
        assert post.guard.payments is not None
        note = read_note(_deployment(post))
        if note is None:
            return _left_alone(post, "is not pressed (any more)")
        return keeper.settle(post.guard.payments.settle, press_of(note, post), self.reason)

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """Say what it would do."""
        return keeper.plan("settle", payments.settle)


class ReleasePaymentsOperator(PaymentsOperator):
    """Ends the guard's hold, whichever run began it, and looks on while the gateway decides what may have arrived.

    Nothing is released while the button is pressed. What is refused fails at once: somebody watches a re-arm. A dry
    run skips the wait before this task, which says what it would do all the same.

    Args:
        settle_within_seconds: how long to look on; the shop goes on by itself after that.
    """

    ui_color = "#e8f0e4"

    def __init__(
        self, *, guard: str, reason: str = "", settle_within_seconds: float = 20, **kwargs: Any
    ) -> None:
        super().__init__(guard=guard, reason=reason, **{"trigger_rule": "none_failed", **kwargs})
        self.settle_within_seconds = settle_within_seconds

    @override
    def execute(self, context: Context) -> Any:
        """Run the step; its errors are for the reader of the log."""
        with readable_errors(self):
            return self.step(post_of(self.guard, context, to_rearm=True), context)

    @override
    def act(self, keeper: PaymentKeeper, post: Post, context: Context) -> Outcome:
        """Release, then wait a little."""
        # Listed before the button is looked at: what somebody presses and holds from now on stays held.
        presses = keeper.presses()
        if is_pressed(_deployment(post)):
            return _left_alone(post, "is pressed (again); its next re-arm releases them")
        reason = self.reason or str(context["params"].get("reason") or "")
        released = keeper.release(reason, post.run, presses)
        if not released.undecided:
            return released
        say(self, released.text)
        return keeper.wait_settled(self.settle_within_seconds, released)

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """Say what it would do."""
        return keeper.plan("release")


def press_of(note: PressNote, post: Post) -> str:
    """What payments are held and settled for: the press that is there now, by its run and time.

    It may be another run's than the one that holds, or that of a person, which names no run.
    """
    run = note.run or post.run
    return f"{run}@{note.at}" if note.at else run


def _deployment(post: Post) -> dict[str, Any] | None:
    return post.cluster.get("Deployment", post.namespace, post.guard.deployment)


def _left_alone(post: Post, why: str) -> Outcome:
    text = f"The button of {post.guard.deployment} {why}: payments are left as they are."
    return Outcome("nothing", text, post.run, text)
