"""Payments of a guard: held when its button is pressed, settled, and released after the re-arm.

Pressing comes first and holding second: a shop may be unwell when its payment service is, and scaling to zero must
not wait for it. What the shop sends in between finds nobody and stays queued under its key; what was on its way when
the button was pressed is settled by its key, once the gateway can be asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from typing_extensions import override

from include.payments.keeper import Outcome, PaymentKeeper
from include.payments.opening import open_payments
from include.payments.shop import ShopError
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.pressed import is_pressed
from include.restarts.guards import Guard, Payments
from include.restarts.loading import read_guard
from include.restarts.press import read_note
from plugins.hooks.cluster import ClusterHook
from plugins.operators.base import readable_errors, say
from plugins.operators.failure import rejection, remember
from plugins.operators.locking import run_name


class PaymentsOperator(BaseOperator):
    """One step with the payments of a guard; skipped, with a text, when the guard has none.

    Every step may be run again at any time: a run holds, settles and releases once. A shop that does not answer is
    asked again by itself, for about ten minutes.

    Args:
        guard: name of the guard.
        reason: why; a hold's reason is what customers are told. By default what the press or the form says.
    """

    ui_color = "#e8f0e4"
    template_fields = ("reason",)

    def __init__(self, *, guard: str, reason: str = "", **kwargs: Any) -> None:
        patient = {"retries": 12, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True}
        super().__init__(**{**patient, "max_retry_delay": timedelta(minutes=1), **kwargs})
        self.guard = guard
        self.reason = reason

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns what became of it: result, text, counts per state, undecided, run."""
        with readable_errors(self):
            guard, place, _ = read_guard(Sources.from_environment(), self.guard)
            if guard.payments is None:
                text = (
                    f"Guard {guard.name} has no payments in guards.yaml: nothing to hold, settle or release"
                )
                say(self, text)
                raise AirflowSkipException(text)
            cluster = ClusterHook(place.connection).get_conn()
            keeper = open_payments(guard, cluster, place.namespace)
            assert keeper is not None
            dry_run = guard.dry_run or bool(context["params"].get("dry_run"))
            try:
                if dry_run:
                    outcome = self.would(keeper, guard.payments)
                else:
                    outcome = self.step(keeper, guard, cluster, place.namespace, context)
            except ShopError as error:
                if not error.transient:
                    raise
                remember(rejection(error), "trouble")
                say(self, str(error), error=True)
                raise AirflowException(f"The shop does not answer for now: {rejection(error)}") from None
            say(self, outcome.text)
            return outcome.to_dict()

    def step(
        self, keeper: PaymentKeeper, guard: Guard, cluster: Cluster, namespace: str, context: Context
    ) -> Outcome:
        """What the task does."""
        raise NotImplementedError

    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """What it would do."""
        raise NotImplementedError


class HoldPaymentsOperator(PaymentsOperator):
    """Holds payments: those that wait, and new ones. Nothing is held when the button is not pressed (any more)."""

    @override
    def step(
        self, keeper: PaymentKeeper, guard: Guard, cluster: Cluster, namespace: str, context: Context
    ) -> Outcome:
        """A task of an old run that somebody clears after the re-arm holds nothing."""
        note = read_note(cluster.get("Deployment", namespace, guard.deployment))
        if note is None:
            return _not_pressed(guard, context)
        reason = self.reason or note.reason or f"{guard.title}: scaled to zero"
        return keeper.hold(reason, run_name(context))

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """What it would do."""
        return keeper.plan("hold")


class SettlePaymentsOperator(PaymentsOperator):
    """Settles the payments that this run holds, as the guard says: roll back, or keep for replay."""

    @override
    def step(
        self, keeper: PaymentKeeper, guard: Guard, cluster: Cluster, namespace: str, context: Context
    ) -> Outcome:
        """Settle, once per run."""
        assert guard.payments is not None
        if not is_pressed(cluster.get("Deployment", namespace, guard.deployment)):
            return _not_pressed(guard, context)
        return keeper.settle(guard.payments.settle, run_name(context), self.reason)

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """What it would do."""
        return keeper.plan("settle", payments.settle)


class ReleasePaymentsOperator(PaymentsOperator):
    """Ends the guard's hold, whichever run began it, and looks on while the gateway decides what may have arrived.

    Args:
        settle_within_seconds: how long to look on; the shop goes on by itself after that.
    """

    def __init__(
        self, *, guard: str, reason: str = "", settle_within_seconds: float = 20, **kwargs: Any
    ) -> None:
        super().__init__(guard=guard, reason=reason, **kwargs)
        self.settle_within_seconds = settle_within_seconds

    @override
    def step(
        self, keeper: PaymentKeeper, guard: Guard, cluster: Cluster, namespace: str, context: Context
    ) -> Outcome:
        """Release, then wait a little."""
        reason = self.reason or str(context["params"].get("reason") or "")
        released = keeper.release(reason, run_name(context))
        if not released.undecided:
            return released
        say(self, released.text)
        after = keeper.wait_settled(self.settle_within_seconds)
        text = f"{released.text.splitlines()[0]}\n{after.text}"
        return Outcome(released.result, text, released.run, after.counts, after.undecided)

    @override
    def would(self, keeper: PaymentKeeper, payments: Payments) -> Outcome:
        """What it would do."""
        return keeper.plan("release")


def _not_pressed(guard: Guard, context: Context) -> Outcome:
    text = f"The button of {guard.deployment} is not pressed (any more): payments are left alone."
    return Outcome("nothing", text, run_name(context))
