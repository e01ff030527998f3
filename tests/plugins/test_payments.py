"""The payment tasks with the real shop, payment service and gateway on the stand-in cluster."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.payments.keeper import PaymentKeeper
from include.payments.opening import open_payments
from include.release.kube import Cluster
from include.release.loading import Sources
from include.restarts.loading import read_guard
from plugins.operators.payments import HoldPaymentsOperator, ReleasePaymentsOperator, SettlePaymentsOperator
from tests.plugins.upcommerce import UpCommerce, wait_for
from tests.standin import Standin


@pytest.fixture(scope="module")
def shop(cluster: Standin) -> Iterator[UpCommerce]:
    client = cluster.connect()
    town = UpCommerce(client, f"pay-{uuid.uuid4().hex[:8]}")
    yield town
    client.delete("Namespace", "", town.namespace)


@pytest.fixture
def guard(
    shop: UpCommerce, cluster: Standin, project: Path, connection: Callable[[Path], None]
) -> Callable[..., None]:
    """Points the guard ``swype`` at the shop, with words of its configuration replaced."""
    connection(cluster.kubeconfig)
    places = project / "config" / "environments.yaml"
    places.write_text(places.read_text().replace("namespace: sre", f"namespace: {shop.namespace}"))
    path = project / "config" / "guards.yaml"

    def change(*pairs: tuple[str, str]) -> None:
        text = path.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)

    return change


def context(dag_id: str, run_id: str = "run-1", **params: Any) -> Any:
    return {"params": params, "dag_run": SimpleNamespace(dag_id=dag_id, run_id=run_id)}


def run(operator: type, dag_id: str = "swype_guard", run_id: str = "run-1", **params: Any) -> dict[str, Any]:
    task = operator(task_id="payments", guard="swype")
    found: dict[str, Any] = task.execute(context(dag_id, run_id, **params))
    return found


def killed_everywhere(cluster: Standin, step: Callable[[PaymentKeeper], object]) -> int:
    """Run a step in processes that are killed before their first call to the cluster, after it, before the second, ...

    Returns how many were killed before one came to the end.
    """
    for calls in range(1, 100):
        child = os.fork()
        if not child:
            try:
                step(_dying_keeper(cluster.connect(), calls))
                os._exit(0)
            except BaseException:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return calls - 1
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError("it never came to an end")


def _dying_keeper(client: Cluster, steps: int) -> PaymentKeeper:
    left = [steps]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    ask = client._once

    def once(method: str, path: str, **options: Any) -> Any:
        step()
        try:
            return ask(method, path, **options)
        finally:
            step()

    client._once = once  # type: ignore[method-assign]
    guard, place, _ = read_guard(Sources.from_environment(), "swype")
    keeper = open_payments(guard, client, place.namespace)
    assert keeper is not None
    return keeper


def test_payments_in_every_state_are_settled_once_whatever_is_killed(
    shop: UpCommerce, guard: Callable[..., None], cluster: Standin
) -> None:
    # One payment in every state in which the button can find it.
    shop.order("paid", 1000)
    wait_for(lambda: shop.state("paid") == "paid", "it is paid")
    shop.order("too-much", 2_000_000)
    wait_for(lambda: shop.state("too-much") == "rolled_back", "it is declined")
    shop.mode("lost")
    shop.order("charged-answer-lost", 200)
    wait_for(lambda: "charged-answer-lost" in shop.charges(), "it is charged")
    shop.mode("500")
    wait_for(lambda: shop.state("charged-answer-lost") == "in_flight", "nobody knows that")
    shop.ready("swype-app")  # it had died of the lost answer
    shop.order("not-charged", 300)
    wait_for(lambda: shop.state("not-charged") == "in_flight", "its outcome is unknown")
    shop.press()
    shop.order("queued", 400)
    wait_for(lambda: "queued" in shop.counts(), "it finds nobody")
    assert shop.counts() == {"paid": 1, "rolled_back": 1, "in_flight": 2, "queued": 1}

    why = "Swype cannot reach the gateway"
    assert killed_everywhere(cluster, lambda keeper: keeper.hold(why, "swype_guard/run-1")) > 4
    held = run(HoldPaymentsOperator)
    assert held["result"] == "held"
    assert [each["by"] for each in shop.call("GET", "/queue")["holds"]] == ["swype"]
    settle = killed_everywhere(cluster, lambda keeper: keeper.settle("roll_back", "swype_guard/run-1"))
    assert settle > 4
    settled = run(SettlePaymentsOperator)
    assert (settled["result"], settled["undecided"]) == ("settled", 2)
    # The customers' complaint: what was queued is rolled back, and they are told why.
    assert shop.state("queued") == "rolled_back"
    assert [each["reason"] for each in shop.call("GET", "/payments")["payments"]][4] == why
    assert settled["text"].splitlines()[1:] == [
        "Of these payments: 1 rolled back (400 cents), 2 rolling back (500 cents).",
        "state         payments  cents",
        "rolling back  2         500",
        "paid          1         1000",
        "rolled back   2         2000400",
        "2 payments may have reached the gateway before the button was pressed. Nobody can ask it while the payment "
        "service is at zero. Each is settled by its key once it can be asked: paid if it was charged, rolled back if "
        "not. Nothing has to be done by hand.",
    ]

    shop.order("late", 500)
    assert shop.state("late") == "held"

    shop.mode("ok")
    shop.rearm()
    released = run(ReleasePaymentsOperator, "swype_rearm", reason="the gateway is back")
    assert (released["result"], released["undecided"]) == ("released", 0)
    expected = {
        "paid": "paid",
        "too-much": "rolled_back",
        "charged-answer-lost": "paid",
        "not-charged": "rolled_back",
        "queued": "rolled_back",
        "late": "paid",
    }
    wait_for(lambda: shop.states() == expected, "all are settled")
    assert shop.charges() == ["charged-answer-lost", "late", "paid"]
    # On-call clears everything once more.
    assert [run(each)["result"] for each in (HoldPaymentsOperator, SettlePaymentsOperator)] == ["nothing"] * 2
    assert run(ReleasePaymentsOperator, "swype_rearm", reason="again")["result"] == "nothing"
    assert (shop.states(), len(shop.charges())) == (expected, 3)
