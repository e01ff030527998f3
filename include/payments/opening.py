"""From a guard's configuration to the keeper of its payments."""

from __future__ import annotations

from include.payments.command import CommandShop
from include.payments.journal import JournalStore
from include.payments.keeper import PaymentKeeper
from include.payments.over_http import UPCOMMERCE, HttpShop
from include.payments.shop import Shop, Step
from include.release.kube import Cluster
from include.restarts.guards import Guard, Payments

STEPS: tuple[Step, ...] = ("hold", "roll_back", "release", "state")


def open_payments(guard: Guard, cluster: Cluster, namespace: str) -> PaymentKeeper | None:
    """The keeper of a guard's payments; None when it has no payments to look after."""
    if guard.payments is None:
        return None
    shop = shop_of(guard.payments, cluster, namespace, guard.name)
    return PaymentKeeper(shop, JournalStore(cluster, namespace, guard.name), guard.name)


def shop_of(payments: Payments, cluster: Cluster, namespace: str, by: str) -> Shop:
    """The shop that is configured."""
    given = {step: value for step in STEPS if (value := getattr(payments, step)) is not None}
    if payments.kind == "command":
        commands = {step: [value] if isinstance(value, str) else list(value) for step, value in given.items()}
        return CommandShop(
            cluster, namespace, str(payments.deployment), commands, by=by, timeout=payments.timeout_seconds
        )
    paths = (
        UPCOMMERCE if payments.kind == "upcommerce" else {step: str(value) for step, value in given.items()}
    )
    return HttpShop(
        cluster,
        namespace,
        str(payments.service),
        int(payments.port or 0),
        paths,
        by=by,
        timeout=payments.timeout_seconds,
        counts=payments.kind == "upcommerce",
    )
