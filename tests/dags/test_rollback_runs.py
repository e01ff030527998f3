"""Rollbacks on the stand-in cluster, with the real shop: what users of other tools ask for and do not get.

Each test goes on from where the one before it ended, as a shop does.
"""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from include.release.loading import PROJECT
from include.release.saved import all_saved
from tests.standin import install_shop, make_namespace

NAMESPACE = "rollback-runs"
EXOTIC, MENU, ORDERS = "r2-203-exotic-catalog", "r2-202-menu-catalog", "r2-201-orders"
PROBLEMS = "r2-201-order-problems"
BACK = {
    f"roll_back.{name}": "success"
    for name in ("plan", "undo_first", "restore", "restored_check", "undo_after")
}

Edit = Callable[[dict[str, Any]], None]


class Shop:
    """The shop in its namespace, and the DAGs that change it."""

    def __init__(self, folder: Path, client: Any, dags: dict[str, Any]) -> None:
        self.folder, self.client, self.dags = folder, client, dags
        self.run_id = ""
        self.told: list[str] = []

    def run(self, dag_id: str, **params: Any) -> dict[str, str]:
        """Run a DAG; the states of the run and of its tasks."""
        # All of them: dag.test() takes what the run before was given for the default.
        conf = {"environment": "qa", "reason": "a test", "drop_data": False, "dry_run": False, **params}
        ended = self.dags[dag_id].test(run_conf=conf)
        self.run_id = ended.run_id
        return {
            "run": str(ended.state),
            **{each.task_id: str(each.state) for each in ended.get_task_instances()},
        }

    def release(self, name: str, edit: Edit | None = None, **params: Any) -> dict[str, str]:
        """Release a file, changed for this time only."""
        path = self.folder / "releases" / f"{name}.yaml"
        text = path.read_text()
        if edit:
            spec = yaml.safe_load(text)
            edit(spec)
            path.write_text(yaml.safe_dump(spec, sort_keys=False))
        try:
            return self.run("release", release=name, **params)
        finally:
            path.write_text(text)

    def rollback(self, target: str = "previous", **params: Any) -> dict[str, str]:
        """Run the DAG rollback."""
        return self.run("rollback", app="shop", target=target, **params)

    def served(self) -> set[int]:
        """Which releases the main application's pods say that they are."""
        pods = self.client.list("Pod", NAMESPACE, labels="app=app-deployment")
        ready = [each for each in pods if not each["metadata"].get("deletionTimestamp")]
        answers = [
            self.client.ask_pod(NAMESPACE, each["metadata"]["name"], 8080, "/version") for each in ready
        ]
        assert {status for status, _ in answers} <= {200}, answers
        return {json.loads(body)["release"] for _, body in answers}

    def deployments(self) -> set[str]:
        """Names of the app's Deployments."""
        return {each["metadata"]["name"] for each in self.client.list("Deployment", NAMESPACE)}

    def jobs(self, direction: str) -> list[str]:
        """Which migrations had a Job of this direction in the run before, in their order."""
        found = self.client.list("Job", NAMESPACE, labels=f"plan-reduce-repeat/direction={direction}")
        mine = [
            each for each in found if self.run_id in each["metadata"]["annotations"]["plan-reduce-repeat/run"]
        ]
        mine.sort(key=lambda each: int(each["metadata"]["resourceVersion"]))
        return [each["metadata"]["labels"]["plan-reduce-repeat/migration"] for each in mine]


class Chat(http.server.BaseHTTPRequestHandler):
    """An incoming webhook."""

    told: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append(str(json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


def quick(path: Path) -> None:
    """Few pods, which start and end at once: these tests are not about load."""
    spec = yaml.safe_load(path.read_text())
    spec.pop("capacity", None)
    for manifest in spec["objects"]:
        if manifest["kind"] != "Deployment":
            continue
        manifest["spec"]["replicas"] = 1
        manifest["spec"]["strategy"]["rollingUpdate"] = {"maxUnavailable": 0, "maxSurge": "100%"}
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        container.pop("lifecycle", None)
        container["readinessProbe"]["periodSeconds"] = 1
        container["resources"] = {"requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "256Mi"}}
    for each in spec["configuration"]["config_maps"]:
        if "DRAIN_SECONDS" in each["data"]:
            each["data"]["DRAIN_SECONDS"] = "0.1"
        if "ORDER_PROCESSES" in each["data"]:
            each["data"]["ORDER_TIME_SCALE"] = "0.01"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))


@pytest.fixture(scope="module")
def shop(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop with release 1 in the environment qa, which asks for no approval."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "releases"):
        shutil.copytree(PROJECT / "include" / name, folder / name)
    for path in (folder / "releases").glob("*.yaml"):
        quick(path)
    path = folder / "config" / "environments.yaml"
    environments = yaml.safe_load(path.read_text())
    (qa,) = [each for each in environments["environments"] if each["name"] == "qa"]
    qa |= {
        "namespace": NAMESPACE,
        "tell": [{"kind": "webhook", "connection": "chat"}],
    }
    path.write_text(yaml.safe_dump(environments, sort_keys=False))
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{folder / 'records.db'}")
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    patch.setenv("PLAN_REDUCE_REPEAT_RELEASES", str(folder / "releases"))
    patch.setenv("PLAN_REDUCE_REPEAT_DOCUMENTS", str(folder / "documents"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    value = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{server.server_port}/sre"}
    patch.setenv("AIRFLOW_CONN_CHAT", json.dumps(value))
    install_shop(cluster.connect(), make_namespace(cluster.connect(), NAMESPACE))
    initdb()

    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(str(PROJECT / "dags")).dags
    for dag in dags.values():
        for task in dag.tasks:
            task.retries = 0
    made = Shop(folder, cluster.connect(), dags)
    Chat.told = made.told
    assert made.release("release-1")["run"] == "success"
    yield made
    server.shutdown()
    patch.undo()


def ended(states: dict[str, str], said: str, **wanted: str) -> None:
    """The run and its tasks ended like this; if not, the log tells why."""
    assert {name: states.get(name) for name in wanted} == wanted, said


def wrong_answer(spec: dict[str, Any]) -> None:
    """A release whose pods are up and answer something else than it promises."""
    spec["smoke_checks"][0]["requests"].append({"path": "/version", "json_fields": {"release": 3}})


def never_ready(spec: dict[str, Any]) -> None:
    """A release whose pods never get ready."""
    (manifest,) = [each for each in spec["objects"] if each["metadata"]["name"] == "app-deployment"]
    manifest["spec"]["progressDeadlineSeconds"] = 4
    manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/nowhere"


def no_orders(spec: dict[str, Any]) -> None:
    """A release whose order processor does not run, so that its tables stay empty."""
    (manifest,) = [each for each in spec["objects"] if each["metadata"]["name"] == "order-processor"]
    manifest["spec"]["replicas"] = 0


def test_nothing_is_rolled_back_when_nothing_was_changed(shop, capsys):
    def needs_a_secret(spec: dict[str, Any]) -> None:
        spec["configuration"]["secrets"].append({"name": "not-there", "keys": ["key"]})

    states = shop.release("release-2", needs_a_secret)
    said = capsys.readouterr().out
    ended(states, said, run="failed", preflight="failed", **dict.fromkeys(BACK, "skipped"))
    assert "Secret not-there" in said
    assert "Nothing to roll back: this run has changed neither objects that run nor the database" in said
    assert shop.served() == {1}


def test_argo_rollouts_1422_migrations_are_rolled_back_with_the_release(shop, capsys):
    def faulty(spec: dict[str, Any]) -> None:
        wrong_answer(spec)
        no_orders(spec)

    states = shop.release("release-2", faulty, drop_data=True)
    said = capsys.readouterr().out
    ended(states, said, **BACK, run="failed", smoke_check="failed")
    assert shop.served() == {1}
    assert shop.deployments() == {"app-deployment"}
    assert shop.jobs("up") == [EXOTIC, MENU, ORDERS, PROBLEMS]
    assert shop.jobs("down") == [PROBLEMS, ORDERS, MENU, EXOTIC]
    first = f"take back migration {EXOTIC} (Tables for exotic plants and their stock), destroys 6 rows of exotic_plants"
    assert first in said
    assert (
        "Back from release-2 to release-1, pods first: release-1 works with every migration that is taken"
        in said
    )
    assert "Deployment order-processor: deleted" in said


def test_kubernetes_23211_a_rollout_that_fails_is_rolled_back_by_itself(shop, capsys):
    def faulty(spec: dict[str, Any]) -> None:
        never_ready(spec)
        no_orders(spec)

    states = shop.release("release-2", faulty)
    said = capsys.readouterr().out
    ended(states, said, **BACK, run="failed", rollout_check="failed")
    assert shop.served() == {1}
    assert shop.deployments() == {"app-deployment"}
    # Rows would be lost: without a word from somebody they stay, and so does what is older. In these are none.
    assert shop.jobs("down") == [PROBLEMS, ORDERS]
    assert f"keep migration {MENU}: taking it back would destroy" in said
    assert f"keep migration {EXOTIC}: {MENU}, which is newer, stays" in said
    assert "release-1 (shop) in qa serves again: 1 pod answered as they should." in said


def test_helm_5825_meho_1607_the_old_release_comes_back_although_only_the_new_build_knows_the_migrations(
    shop, capsys
):
    ended(shop.release("release-2"), capsys.readouterr().out, run="success")
    released = shop.run_id
    assert shop.served() == {2}
    before = len(shop.client.list("Job", NAMESPACE))
    states = shop.rollback(dry_run=True)
    said = capsys.readouterr().out
    ended(states, said, run="success", restore="success", rollout_check="skipped", undo_after="skipped")
    assert "Back from release-2 to release-1, pods first" in said
    assert (shop.served(), len(shop.client.list("Job", NAMESPACE))) == ({2}, before)
    states = shop.rollback()
    said = capsys.readouterr().out
    assert set(states.values()) == {"success"}, said
    assert "Target: release-1 (shop) in qa" in said
    assert (shop.served(), shop.deployments()) == ({1}, {"app-deployment"})
    # The orders that were processed meanwhile are kept, and release 1 serves beside their table.
    assert shop.jobs("down") == []
    assert f"keep migration {PROBLEMS}: taking it back would destroy" in said
    assert f"keep migration {ORDERS}: {PROBLEMS}, which is newer, stays" in said
    # They may go, somebody says: the build that knows the migration takes it back.
    states = shop.rollback(f"before {released}", drop_data=True)
    assert set(states.values()) == {"success"}, capsys.readouterr().out
    assert shop.jobs("down") == [PROBLEMS, ORDERS]
    assert shop.served() == {1}


def test_argo_rollouts_3721_everybody_is_told_of_a_rollback(shop):
    text = "\n".join(shop.told)
    for said in (
        "release-2 (shop) in qa failed at `rollout_check`",
        "Rollback from release-2 to release-1, pods first.",
        "The rollback to release-1 (shop) in qa is done.",
    ):
        assert said in text, text


def test_an_interrupted_run_is_undone_by_its_name(shop, capsys):
    # Somebody marks the run as done after `deploy`: nothing looks at the pods, and nothing is rolled back.
    conf = {
        "release": "release-2",
        "environment": "qa",
        "reason": "a test",
        "drop_data": False,
        "dry_run": False,
    }
    left = shop.dags["release"].test(
        run_conf=conf, mark_success_pattern="rollout_check|smoke_check|verify_build"
    )
    assert shop.deployments() == {"app-deployment", "order-processor"}
    assert str(left.state) == "failed"
    ended(shop.release("release-2"), "", lock="failed")
    said = capsys.readouterr().out
    assert f"before release/{left.run_id}" in said
    states = shop.rollback(f"before {left.run_id}", drop_data=True)
    assert set(states.values()) == {"success"}, capsys.readouterr().out
    assert (shop.served(), shop.deployments()) == ({1}, {"app-deployment"})
    assert shop.jobs("down") == [PROBLEMS, ORDERS]


def test_migrations_go_first_when_the_old_build_cannot_live_with_them(shop, capsys):
    def breaking(spec: dict[str, Any]) -> None:
        wrong_answer(spec)
        spec["migrations"]["steps"][-1]["old_build_compatible"] = False

    states = shop.release("release-2", breaking, drop_data=True)
    said = capsys.readouterr().out
    ended(states, said, **BACK, run="failed", smoke_check="failed")
    assert (
        f"Back from release-2 to release-1, migrations first: release-1 does not work with {PROBLEMS}" in said
    )
    assert shop.jobs("down") == [PROBLEMS, ORDERS]
    assert (shop.served(), shop.deployments()) == ({1}, {"app-deployment"})


def test_no_way_down_and_an_old_build_that_cannot_live_with_it_stops_with_the_choices(shop, capsys):
    def no_way_back(spec: dict[str, Any]) -> None:
        wrong_answer(spec)
        step = spec["migrations"]["steps"][-1]
        step.update({"down": None, "drops_data": None, "old_build_compatible": False})
        step.pop("lost")

    states = shop.release("release-2", no_way_back)
    said = capsys.readouterr().out
    ended(
        states, said, **{"run": "failed", "roll_back.plan": "failed", "roll_back.restore": "upstream_failed"}
    )
    assert shop.served() == {2}
    assert f"Migration {PROBLEMS} cannot be taken back (it has no way back (down is null))" in said
    assert "Choices:" in said
    assert "1. Go forward" in said


def test_the_targets_that_there_are_are_told(shop, capsys):
    states = shop.rollback("release-7")
    said = capsys.readouterr().out
    ended(states, said, find_target="failed", run="failed")
    assert "'release-7', to which nothing that was kept leads from what is live" in said
    newest = all_saved(shop.client, NAMESPACE, "shop")[0]
    assert f"before {newest.run}: " in said
