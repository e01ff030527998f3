"""The payment tasks with the real shop, payment service and gateway on the stand-in cluster."""

from __future__ import annotations

import json
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
from include.payments.shop import ShopError
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.pressed import NOTE_PRESSED
from include.restarts.loading import read_guard
from plugins.hooks.cluster import ClusterHook
from plugins.operators import payments
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
    shop.order("not-charged", 300)
    # Swype had died of the lost answer; it serves again when the gateway's error comes through.
    wait_for(lambda: "broken on demand" in shop.reason("not-charged"), "its outcome is unknown")
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
    assert shop.reason("queued") == why
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
    assert released["result"] == "released"  # (what the shop has not heard of yet it goes on asking for)
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


TOLD = "the payment service is stopped for a while"
"""What customers are told, unless the guard's payments say something else."""
UPCOMMERCE = "{kind: upcommerce, service: upcommerce-service, port: 5000, settle: roll_back}"


def test_nothing_is_held_or_released_against_the_button(shop: UpCommerce, guard: Callable[..., None]) -> None:
    held = run(HoldPaymentsOperator, run_id="run-2")
    assert held["summary"] == (
        "The button of swype-app is not pressed (any more): payments are left as they are."
    )
    assert run(SettlePaymentsOperator, run_id="run-2")["result"] == "nothing"
    assert shop.call("GET", "/queue")["hold"] is None
    note = '{"run": "swype_guard/run-2", "at": "2026-11-21T09:00:00", "reason": "sre/swype-app: 4 restarts"}'
    shop.cluster.patch(
        "Deployment", shop.namespace, "swype-app", {"metadata": {"annotations": {NOTE_PRESSED: note}}}
    )
    assert run(HoldPaymentsOperator, run_id="run-2")["result"] == "held"
    released = run(ReleasePaymentsOperator, "swype_rearm", reason="an old task, cleared")
    assert released["text"] == (
        "The button of swype-app is pressed (again); its next re-arm releases them: payments are left as they are."
    )
    assert shop.call("GET", "/queue")["hold"] == TOLD
    assert shop.call("GET", "/queue")["holds"][0]["run"] == "swype_guard/run-2@2026-11-21T09:00:00"
    shop.rearm()
    assert run(ReleasePaymentsOperator, "swype_rearm", reason="again")["result"] == "released"
    # The same run is cleared as a whole, watches and presses again: that is another press.
    shop.press(note.replace("09:00", "09:30"))
    assert run(HoldPaymentsOperator, run_id="run-2")["result"] == "held"
    assert shop.call("GET", "/queue")["hold"] == TOLD
    shop.rearm()
    assert run(ReleasePaymentsOperator, "swype_rearm", reason="again")["result"] == "released"


def test_a_press_while_payments_are_released_keeps_them_held(
    shop: UpCommerce, guard: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(run_id: str) -> None:
        note = json.dumps({"run": f"swype_guard/{run_id}", "at": "2026-11-21T09:00:00+00:00"})
        annotations = {"metadata": {"annotations": {NOTE_PRESSED: note}}}
        shop.cluster.patch("Deployment", shop.namespace, "swype-app", annotations)
        assert run(HoldPaymentsOperator, run_id=run_id)["result"] == "held"

    guard(("settle: roll_back}", "settle: roll_back, told: we are back soon}"))
    press("run-5")
    assert shop.call("GET", "/queue")["hold"] == "we are back soon"
    shop.rearm()
    look = payments._deployment
    looks = []

    def pressed_right_after(post: Any) -> Any:
        live = look(post)
        looks.append(live)
        if len(looks) == 1:
            press("run-6")
        return live

    monkeypatch.setattr(payments, "_deployment", pressed_right_after)
    assert run(ReleasePaymentsOperator, "swype_rearm", reason="the gateway is back")["result"] == "released"
    held_for = [each["run"].partition("@")[0] for each in shop.call("GET", "/queue")["holds"]]
    assert held_for == ["swype_guard/run-6"]
    shop.rearm()
    assert run(ReleasePaymentsOperator, "swype_rearm", reason="again")["result"] == "released"
    assert shop.call("GET", "/queue")["hold"] is None


def test_a_guard_without_payments_is_skipped_with_a_text(guard: Callable[..., None]) -> None:
    guard((UPCOMMERCE, "null"))
    with pytest.raises(AirflowSkipException, match=r"Guard swype has no payments in guards\.yaml"):
        run(HoldPaymentsOperator)


def test_a_dry_run_only_says(shop: UpCommerce, guard: Callable[..., None]) -> None:
    guard(("cooldown_minutes: 30", "cooldown_minutes: 30\n    dry_run: true"))
    text = run(HoldPaymentsOperator)["text"]
    assert text.startswith(
        "Dry run: payments would be held: those that wait, and new ones (Service upcommerce"
    )
    assert shop.call("GET", "/queue")["hold"] is None


@pytest.mark.parametrize(
    ("payments", "transient", "words"),
    [
        (UPCOMMERCE.replace("upcommerce-service", "no-such-service"), False,
         ["Service no-such-service:5000 in namespace", "there is no such Service", "correct service: of the guard"]),
        (UPCOMMERCE.replace("5000", "5009"), True, ["GET /queue answered 503: no service port 5009"]),
        (UPCOMMERCE.replace("upcommerce-service", "gateway-service").replace("5000", "5011"), False,
         ["GET /queue answered 404: no such page: /queue", "correct the path, the service or the port in guards.yaml"]),
        ("{kind: http, service: upcommerce-service, port: 5000, settle: keep, hold: /h, release: /r, state: /version}",
         False, ["GET /version answered without it", 'JSON such as {"states": ']),
        ("{kind: http, service: upcommerce-service, port: 5000, settle: keep, hold: /h, release: /r, state: /metrics}",
         False, ["GET /metrics answered no JSON: # TYPE shop_http_requests_total counter"]),
    ],
)  # fmt: skip
def test_a_shop_that_cannot_be_asked_is_told_apart(
    guard: Callable[..., None], payments: str, transient: bool, words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("include.payments.over_http.ATTEMPTS", 1)
    guard((UPCOMMERCE, payments), ("cooldown_minutes: 30", "cooldown_minutes: 30\n    dry_run: true"))
    read, place, _ = read_guard(Sources.from_environment(), "swype")
    keeper = open_payments(read, ClusterHook(place.connection).get_conn(), place.namespace)
    assert keeper is not None
    with pytest.raises(ShopError) as caught:
        keeper.state()
    assert caught.value.transient == transient
    for each in words:
        assert each in str(caught.value), str(caught.value)
    # The task is tried again in any case, by Airflow: somebody may be putting it right.
    with pytest.raises(AirflowException):
        run(HoldPaymentsOperator)


def test_a_missing_permission_is_named(
    shop: UpCommerce,
    guard: Callable[..., None],
    cluster: Standin,
    connection: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    connection(cluster.user("looks-only", "view", tmp_path / "kubeconfig", shop.namespace))
    read, place, _ = read_guard(Sources.from_environment(), "swype")
    keeper = open_payments(read, ClusterHook(place.connection).get_conn(), place.namespace)
    assert keeper is not None
    with pytest.raises(ShopError, match='cannot get resource "services/proxy"') as caught:
        keeper.state()
    assert not caught.value.transient
    assert "a Role with get and create on services/proxy" in str(caught.value)


ASK = """
import json, os, urllib.request
env, step = os.environ, os.environ["PAYMENTS_STEP"]
path = {"hold": "/hold", "roll_back": "/rollback", "release": "/release", "state": ""}[step]
body = {"reason": env["PAYMENTS_REASON"] or "none", "by": env["PAYMENTS_BY"], "run": env["PAYMENTS_RUN"]}
place = f"{env['UPCOMMERCE_SERVICE_SERVICE_HOST']}:{env['UPCOMMERCE_SERVICE_SERVICE_PORT']}"
data = None if step == "state" else json.dumps(body).encode()
print("asking for", step)
print(urllib.request.urlopen(f"http://{place}/queue{path}", data, 5).read().decode())
"""
STEPS = ("hold", "roll_back", "release", "state")


def commands(program: str) -> str:
    """A guard's payments of kind command, as YAML (which JSON is)."""
    command = ["python3", "-c", program]
    where = {"kind": "command", "deployment": "upcommerce-app", "settle": "roll_back", "timeout_seconds": 20}
    return json.dumps({**where, **dict.fromkeys(STEPS, command)})


def test_a_shop_with_commands_is_asked_by_jobs_that_run_once(
    shop: UpCommerce, guard: Callable[..., None], cluster: Standin
) -> None:
    guard((UPCOMMERCE, commands(ASK)))
    read, place, _ = read_guard(Sources.from_environment(), "swype")
    keeper = open_payments(read, cluster.connect(), place.namespace)
    assert keeper is not None
    run_name = "swype_guard/run-3"
    before = shop.call("GET", "/queue")["states"]["rolled_back"]["payments"]
    assert keeper.hold("a test", run_name).result == "held"
    shop.order("by-command", 100)
    settled = keeper.settle("roll_back", run_name)
    assert "Of these payments: 1 rolled back (100 cents)." in settled.text
    # What a killed task finds: the Jobs are done, and are not run again.
    del_journal(shop)
    assert keeper.hold("a test", run_name).result == "held"
    shop.order("after-it", 100)
    keeper.settle("roll_back", run_name)
    names = [each["metadata"]["name"] for each in shop.cluster.list("Job", shop.namespace)]
    assert sorted(name.rpartition("-")[2] for name in names) == ["1", "1"], names
    assert keeper.release("a test", "swype_rearm/run-3").result == "released"
    after = shop.call("GET", "/queue")
    assert (after["hold"], after["states"]["rolled_back"]["payments"]) == (None, before + 1)


def del_journal(shop: UpCommerce) -> None:
    shop.cluster.delete("ConfigMap", shop.namespace, "payments-swype")


def test_a_command_that_fails_is_run_again_and_its_words_are_told(
    shop: UpCommerce, guard: Callable[..., None], cluster: Standin
) -> None:
    guard((UPCOMMERCE, commands("import sys; print('the queue is locked'); sys.exit(3)")))
    read, place, _ = read_guard(Sources.from_environment(), "swype")
    keeper = open_payments(read, cluster.connect(), place.namespace)
    assert keeper is not None
    for number in (1, 2):
        with pytest.raises(ShopError, match=r"failed \(exit code 3\): the queue is locked") as caught:
            keeper.shop.hold("a test", "swype_guard/run-4")
        assert caught.value.transient
        assert f"-{number} failed" in str(caught.value)
