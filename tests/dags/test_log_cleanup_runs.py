"""Whole runs of the log clean-up and the restore, on volumes of the stand-in cluster and of the worker."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from include.release.loading import PROJECT
from tests.answering import answering
from tests.include.logs.conftest import fill
from tests.standin import make_namespace

NAMESPACE = "log-runs"
STEPS = ("measure", "plan", "approve", "archive", "verify_archive", "delete", "verify_space", "report")
CLASSES = [
    {"name": "access", "globs": ["app.log"], "keep_size": "1Mi", "archive_keep_days": 365},
    {"name": "rotated", "globs": ["app.log.*"], "keep_days": 7, "archive_keep_days": 365},
]


@dataclass
class Runs:
    """Runs DAGs over volumes that a test fills."""

    folder: Path
    dags: Any
    cluster: Any
    roots: dict[str, Path] = field(default_factory=dict)
    answer: str = "Approve"
    user: str = "oncall"
    asked: list[Any] = field(default_factory=list)

    def configure(self, *volumes: dict[str, Any], **shared: Any) -> None:
        """Write the retention file."""
        text = json.dumps({"volumes": list(volumes), **shared}, indent=1)
        (self.folder / "config" / "log_retention.yaml").write_text(text)

    def volume(self, name: str, **more: Any) -> dict[str, Any]:
        """A directory of the worker, empty."""
        root = self.folder / "volumes" / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self.roots[name] = root
        return {"name": name, "title": f"Logs of {name}", "path": str(root), "classes": CLASSES, **more}

    def claim(self, **more: Any) -> dict[str, Any]:
        """The claim of the shop's logs, empty."""
        client = self.cluster.connect()
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "course4-logs"},
                 "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
        client.apply(claim, NAMESPACE, manager="tests", force=True)
        deadline = time.monotonic() + 10
        while not (
            name := client.get("PersistentVolumeClaim", NAMESPACE, "course4-logs")["spec"].get("volumeName")
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        root = self.cluster.kubeconfig.parent / "volumes" / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self.roots["shop-logs"] = root
        return {"name": "shop-logs", "title": "Logs of the shop", "environment": "production", "claim": "course4-logs",
                "path": "/home/sre/course4", "user": os.getuid() or 10001, "image": "shop:2.0.0", "apps": ["shop"],
                "size": "1Gi", "classes": CLASSES, **more}  # fmt: skip

    def run(self, dag_id: str, **conf: Any) -> dict[str, str]:
        """Run a DAG by hand; returns the state of the run and of its tasks, mapped ones as ``clean.plan[0]``."""
        dag = self.dags[dag_id]
        dag.deadline = None  # Airflow 3.3.2's dag.test() fails at the end of a run that has one
        with answering(dag_id, self.answer, user=self.user) as self.asked:
            done = dag.test(run_conf={"reason": "a test", **conf})
        found = {"run": str(done.state)}
        for each in done.get_task_instances():
            name = each.task_id if each.map_index < 0 else f"{each.task_id}[{each.map_index}]"
            found[name] = str(each.state)
        return found

    def live(self, name: str) -> list[str]:
        """The files of a volume, without what is the clean-up's own."""
        return sorted(each.name for each in self.roots[name].iterdir() if each.is_file())

    def archives(self, name: str) -> list[Path]:
        return sorted((self.roots[name] / ".log-cleanup" / "archives").rglob("*.tar.*"))


@pytest.fixture(scope="module")
def runs(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    shutil.copytree(PROJECT / "include" / "releases", folder / "releases")
    path = folder / "config" / "environments.yaml"
    path.write_text(
        path.read_text()
        .replace("namespace: course4\n", f"namespace: {NAMESPACE}\n")
        .replace("may_trigger: [admin", "may_trigger: [dag_test, admin")
    )
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{folder / 'records.db'}")
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    patch.setenv("PLAN_REDUCE_REPEAT_RELEASES", str(folder / "releases"))
    make_namespace(cluster.connect(), NAMESPACE)
    initdb()

    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(PROJECT / "dags"))
    assert {"log_cleanup", "log_restore"} <= set(bag.dags), bag.import_errors
    yield Runs(folder, bag.dags, cluster)
    patch.undo()


def good(count: int = 1) -> dict[str, str]:
    tasks = {f"clean.{step}[{index}]": "success" for step in STEPS for index in range(count)}
    return {
        "run": "success",
        "choose": "success",
        "window": "success",
        **tasks,
        "tell": "success",
        "heartbeat": "skipped",
    }


def test_one_volume_of_the_cluster_from_what_is_there_to_what_retention_keeps(runs, capsys):
    runs.configure(runs.claim())
    fill(runs.roots["shop-logs"], app_DOT_log=0, app_DOT_log_DOT_1=3, app_DOT_log_DOT_2=30)
    states = runs.run("log_cleanup")
    said = capsys.readouterr().out
    assert states == good(), said[-3000:]
    assert runs.live("shop-logs") == ["app.log", "app.log.1"]
    assert len(runs.archives("shop-logs")) == 1
