"""The big red button on the stand-in cluster, with the real shop, payment service and gateway: whole runs of the DAGs.

Each test goes on from where the one before it ended.
"""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.records.store import Records
from include.release.loading import PROJECT
from include.release.pressed import NOTE_PRESSED
from include.restarts.press import read_note
from tests.plugins.guarded import Chat
from tests.plugins.upcommerce import UpCommerce, wait_for

NAMESPACE = "guard-runs"
pytestmark = pytest.mark.long
"""A service that restarts four times takes its time; the tasks by themselves are tested in tests/plugins."""


class Guarded:
    """UpCommerce, its guard, and the DAGs."""

    def __init__(self, folder: Path, client: Any, shop: UpCommerce, dags: dict[str, Any]) -> None:
        self.folder, self.client, self.shop, self.dags = folder, client, shop, dags
        self.records = Records(f"sqlite:///{folder / 'records.db'}")
        self.told = Chat.told

    def configure(self, **changes: Any) -> None:
        """Change the guard in guards.yaml."""
        path = self.folder / "config" / "guards.yaml"
        value = yaml.safe_load(path.read_text())
        value["guards"][0].update(changes)
        path.write_text(yaml.safe_dump(value))

    def run(self, dag_id: str, **conf: Any) -> dict[str, str]:
        """Run a DAG; the states of the run and of its tasks."""
        self.told.clear()
        ended = self.dags[dag_id].test(run_conf=conf)
        self.run_id = ended.run_id
        return {
            "run": str(ended.state),
            **{each.task_id: str(each.state) for each in ended.get_task_instances()},
        }

    def rearm(self, **conf: Any) -> dict[str, str]:
        """Run the re-arm; all params, as dag.test() takes what the run before was given for the default."""
        default = {"reason": "a test", "dry_run": False, "force": None, "replicas": None, "break_lock": None}
        return self.run("swype_rearm", **(default | conf))

    def break_when_watched(self) -> None:
        """Break the gateway as soon as the watch gives a sign of life; then somebody pays."""

        def wait_and_break() -> None:
            wait_for(lambda: self.client.get("ConfigMap", NAMESPACE, "restart-watch"), "the watch lives", 60)
            self.shop.mode("refuse")
            wait_for(lambda: self.restarts() >= 2, "swype restarts")
            self.shop.order("waits", 2000)

        threading.Thread(target=wait_and_break, daemon=True).start()

    def restarts(self) -> int:
        """Of the guarded pods."""
        pods = self.client.list("Pod", NAMESPACE, labels="app=swype-app")
        return sum(
            status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", [])
        )

    def live(self) -> dict[str, Any]:
        """The guarded Deployment."""
        found = self.client.get("Deployment", NAMESPACE, "swype-app")
        assert found is not None
        return found

    def forget(self) -> None:
        """A ledger that knows of no restart and of no alert."""
        self.client.delete("ConfigMap", NAMESPACE, "restarts-swype")


@pytest.fixture(scope="module")
def guarded(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """UpCommerce with the guard as it ships; its payment service looks for the gateway more often."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    path = folder / "config" / "environments.yaml"
    environments = yaml.safe_load(path.read_text())
    (place,) = [each for each in environments["environments"] if each["name"] == "payments"]
    place |= {
        "namespace": NAMESPACE,
        "tell": [{"kind": "webhook", "connection": "chat"}],
        "may_trigger": ["dag_test"],
        "may_approve": ["dag_test"],
    }
    path.write_text(yaml.safe_dump(environments, sort_keys=False))
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{folder / 'records.db'}")
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    Chat.told.clear()
    Chat.status[:] = [200]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    value = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{server.server_port}/sre"}
    patch.setenv("AIRFLOW_CONN_CHAT", json.dumps(value))
    initdb()
    client = cluster.connect()
    shop = UpCommerce(client, NAMESPACE)
    live = client.get("Deployment", NAMESPACE, "swype-app")
    pod = live["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 1
    pod["containers"][0]["env"] += [
        {"name": "GATEWAY_CHECK_SECONDS", "value": "0.2"},
        {"name": "GATEWAY_START_SECONDS", "value": "0.1"},
    ]
    client.replace({**live, "kind": "Deployment", "apiVersion": "apps/v1"}, NAMESPACE)
    wait_for(lambda: len(client.list("Pod", NAMESPACE, labels="app=swype-app")) == 1, "the old pod is gone")
    shop.ready("swype-app")

    from airflow.dag_processing.dagbag import DagBag

    made = Guarded(folder, client, shop, {})
    made.dags = DagBag(str(PROJECT / "dags")).dags
    for dag in made.dags.values():
        for task in dag.tasks:
            task.retries = 0
    yield made
    server.shutdown()
    patch.undo()


GOOD = {
    "run": "success",
    **dict.fromkeys(
        ("watch", "confirm", "save_evidence", "press", "tell", "hold_payments", "settle_payments", "tell_payments"),
        "success",
    ),
}  # fmt: skip


def test_a_payment_service_without_its_gateway_is_scaled_to_zero_and_people_are_told(guarded, capsys):
    shop = guarded.shop
    shop.order("paid", 1000)
    wait_for(lambda: shop.state("paid") == "paid", "the first payment is paid")
    guarded.break_when_watched()
    assert guarded.run("swype_guard") == GOOD
    said = capsys.readouterr().out
    live = guarded.live()
    note = read_note(live)
    assert live["spec"]["replicas"] == 0
    assert note is not None
    assert (note.replicas, note.cause, note.by) == (1, "network", "swype")
    evidence = guarded.client.get("ConfigMap", NAMESPACE, note.evidence)
    assert "network failure" in json.dumps(evidence["data"])
    assert shop.state("paid") == "paid"
    # It is rolled back, unless it was on its way when the service died: then once the gateway can be asked.
    assert shop.state("waits") in ("rolled_back", "rolling_back")
    pressed, payments = guarded.told
    assert pressed.startswith(f"*[pressed] swype-app in {NAMESPACE} (guard swype)*")
    assert "is scaled from 1 to 0" in pressed
    assert "swype_rearm" in pressed
    assert note.evidence in pressed
    assert payments.startswith(f"*[pressed] payments of swype-app in {NAMESPACE} (guard swype)*")
    assert "Read back: spec.replicas is 0" in said
    (change,) = guarded.records.changes()
    assert (change.kind, change.outcome, change.app) == ("press", "pressed", "swype-app")


def test_it_is_not_re_armed_while_the_upstream_is_down(guarded, capsys):
    states = guarded.rearm()
    assert states["probe_upstream"] == "failed"
    assert states["restore"] == "upstream_failed"
    assert (states["tell"], states["unlock"]) == ("success", "success")
    assert "gateway-service:5010/ping does not answer" in capsys.readouterr().out
    assert guarded.live()["spec"]["replicas"] == 0
    (told,) = guarded.told
    assert told.startswith(f"*[refused] swype-app in {NAMESPACE} (re-arm)*")


def test_a_dry_re_arm_says_what_it_would_do(guarded, capsys):
    guarded.shop.mode("ok")
    states = guarded.rearm(dry_run=True)
    said = capsys.readouterr().out
    assert states["run"] == "success"
    assert "would be scaled from 0 to 1" in said
    assert guarded.live()["spec"]["replicas"] == 0
    assert guarded.told == []


def test_a_re_arm_brings_back_what_there_was_and_lets_the_payments_flow(guarded):
    shop = guarded.shop
    shop.order("later", 3000)
    assert shop.state("later") == "held"
    states = guarded.rearm()
    assert set(states.values()) == {"success"}
    live = guarded.live()
    assert (live["spec"]["replicas"], read_note(live)) == (1, None)
    wait_for(lambda: shop.state("later") == "paid", "the held payment is paid")
    wait_for(lambda: shop.state("waits") == "rolled_back", "what waited when it was pressed is rolled back")
    assert shop.charges() == ["later", "paid"]
    (told,) = guarded.told
    assert told.startswith(f"*[re-armed] swype-app in {NAMESPACE} (re-arm)*")
    assert "is scaled from 0 to 1" in told
    assert next(each.kind for each in guarded.records.changes()) == "re-arm"


def test_what_is_not_pressed_is_not_re_armed(guarded, capsys):
    states = guarded.rearm()
    assert states["check"] == "failed"
    assert "nothing to re-arm" in capsys.readouterr().out


def test_within_the_cooldown_after_a_re_arm_people_are_told_instead(guarded):
    guarded.shop.mode("refuse")
    states = guarded.run("swype_guard")
    assert states["press"] == "skipped"
    assert states["hold_payments"] == "skipped"
    assert states["run"] == "success"
    (told,) = guarded.told
    assert told.startswith("*[alert]")
    assert "re-armed at" in told
    assert guarded.live()["spec"]["replicas"] == 1
    assert NOTE_PRESSED not in guarded.live()["metadata"]["annotations"]
