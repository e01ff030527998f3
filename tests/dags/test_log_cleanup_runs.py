"""Whole runs of the log clean-up and the restore, on volumes of the stand-in cluster and of the worker."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.records.store import Records
from include.release.loading import PROJECT
from tests.answering import answering
from tests.include.logs.conftest import fill
from tests.plugins.test_heartbeat import monitor
from tests.standin import make_namespace

__all__ = ["monitor"]

NAMESPACE = "log-runs"
PLAIN: dict[str, dict[str, Any]] = {
    "log_cleanup": {"reason": "a test", "dry_run": False, "volumes": []},
    "log_restore": {"reason": "a test", "dry_run": False, "day": None},
}
"""Every param that a test gives: within one process ``dag.test()`` keeps those of the run before."""
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
            done = dag.test(run_conf={**PLAIN[dag_id], **conf})
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


def shown(capsys: Any, task_end: str = "") -> str:
    """What was logged, without Airflow's own columns."""
    text: str = capsys.readouterr().out
    return text


@pytest.mark.long  # eight Jobs; one at a time is in tests/plugins/test_log_steps.py and tests/include/logs
def test_one_volume_of_the_cluster_from_what_is_there_to_what_retention_keeps(runs, capsys):
    runs.configure(runs.claim())
    fill(runs.roots["shop-logs"], app_DOT_log=0, app_DOT_log_DOT_1=3, app_DOT_log_DOT_2=30)
    states = runs.run("log_cleanup")
    said = shown(capsys)
    assert states == good(), said[-3000:]
    assert runs.live("shop-logs") == ["app.log", "app.log.1"]
    assert len(runs.archives("shop-logs")) == 1
    [(subject, body, who)] = runs.asked
    assert subject == "Clean up shop-logs (Logs of the shop)?"
    assert "because the class was never cleaned up on this volume before: rotated." in body
    assert who == ["admin", "oncall"]
    for text in (
        "shop-logs: archive: archives what is to go. Job logs-archive-shop-logs-",
        "shop-logs: archive is done (",
        "[cleaned up] log clean-up of shop-logs",
        "Approved by: oncall (shop-logs)",
    ):
        assert text in said
    assert "SUMMARY" not in said


def test_one_volume_that_is_wrong_does_not_stop_another_and_makes_the_run_red(runs, capsys):
    right, wrong = runs.volume("right"), runs.volume("wrong", claim="nowhere")
    runs.configure(right, wrong)
    fill(runs.roots["right"], app_DOT_log_DOT_1=30)
    fill(runs.roots["wrong"], app_DOT_log_DOT_1=30)
    states = runs.run("log_cleanup")
    said = shown(capsys)
    assert states["run"] == "failed"
    assert {name: state for name, state in states.items() if name.endswith("[0]")} == {
        f"clean.{step}[0]": "success" for step in STEPS
    }
    assert [states[f"clean.{step}[1]"] for step in STEPS] == ["failed", *["upstream_failed"] * 6, "failed"]
    assert (runs.live("right"), runs.live("wrong")) == ([], ["app.log.1"])
    assert "wrong was not cleaned up to its end: `measure` failed: volume wrong of " in said
    assert "No heartbeat: " in said
    kept = Records(f"sqlite:///{runs.folder / 'records.db'}").looks.since("volume", datetime.now(UTC))
    states = {each.subject: each.figures["state"] for each in kept}
    assert (states["right"], states["wrong"]) == ("cleaned up", "refused")


@pytest.fixture
def opened(runs: Runs) -> Iterator[Path]:
    """A volume with files that are due, and an app.log that is too large and that somebody has open."""
    runs.configure(runs.volume("here", size="3Mi", floor="90 %", target="95 %"))
    root = runs.roots["here"]
    fill(root, app_DOT_log_DOT_1=30, app_DOT_log_DOT_2=40, app_DOT_log_DOT_3=1, other=90)
    with (root / "app.log").open("ab") as log:
        log.write(b"a line\n" * 300_000)
        log.flush()
        yield root


def test_a_dry_run_prints_what_a_real_run_then_does(runs, opened, capsys):
    dry = runs.run("log_cleanup", dry_run=True)
    would = shown(capsys)
    assert dry == good() | {"tell": "skipped"}
    assert runs.asked == []
    assert runs.live("here") == ["app.log", "app.log.1", "app.log.2", "app.log.3", "other"]
    assert runs.archives("here") == []
    assert not (opened / ".log-cleanup" / "holder.json").exists()
    real = runs.run("log_cleanup")
    did = shown(capsys)
    assert real == good()
    lines = plan_lines(would)
    assert len(lines) > 5
    assert lines == plan_lines(did)
    assert "Dry run: 3 files of here, " in would
    assert "would be archived." in would
    assert "Archived 3 files, " in did
    freed = (
        "2 files would be deleted (8.0 KiB); 1 file would be freed up to what is archived, as they are open ("
    )
    assert f"Dry run: on here {freed}" in would
    assert "Deleted 2 files in " in did
    assert "within 1 open file." in did
    assert runs.live("here") == ["app.log", "app.log.3", "other"]
    # What policy leaves is too much: people are told what is missing, and retention is what it was.
    assert "[alert] log volume here is too full" in did
    assert "To: Compliance" in did
    assert "Please decide one of these:" in did
    assert "[alert]" not in would


def plan_lines(said: str) -> list[str]:
    """The plan, as the log has it."""
    lines = [line.split("  [airflow.task")[0].rstrip() for line in said.splitlines() if "[info" in line]
    texts = [line.split("] ", 1)[1].rstrip() for line in lines if "] " in line]
    begin = next(index for index, text in enumerate(texts) if text.strip().startswith("Plan: "))
    end = next(index for index, text in enumerate(texts) if index > begin and "plan is done" in text)
    return [text.split(" [airflow")[0].strip() for text in texts[begin:end]]


def test_what_is_not_approved_stays_as_it_is_and_is_told(runs, capsys):
    runs.configure(runs.volume("here"))
    fill(runs.roots["here"], app_DOT_log_DOT_1=30)
    runs.answer = "Reject"
    try:
        states = runs.run("log_cleanup")
    finally:
        runs.answer = "Approve"
    said = shown(capsys)
    assert states["run"] == "failed"
    assert states["clean.approve[0]"] == states["clean.report[0]"] == "failed"
    assert runs.live("here") == ["app.log.1"]
    assert not (runs.roots["here"] / ".log-cleanup" / "holder.json").exists()
    assert "NOT APPROVED: oncall at " in said
    assert "[refused] log clean-up of here" in said


def test_of_a_file_without_a_right_volume_the_run_says_what_is_wrong_and_tells_it(runs, capsys):
    runs.configure(runs.volume("here", size="1 Gigabyte"))
    states = runs.run("log_cleanup")
    said = shown(capsys)
    assert (states["run"], states["choose"], states["tell"]) == ("failed", "failed", "success")
    assert "volumes[0].size" in said
    assert "found:    '1 Gigabyte'" in said
    assert "[refused] log clean-up" in said
    assert "Asked for by: " in said
    assert "Reason: a test" in said
    assert states["heartbeat"] == "skipped"
    assert "No heartbeat: nothing in log_retention.yaml that a clean-up could go by is right" in said


def test_a_volume_that_is_not_there_ends_the_run_before_anything_is_touched(runs, capsys):
    runs.configure(runs.volume("here"))
    states = runs.run("log_cleanup", volumes=["nowhere"])
    said = shown(capsys)
    assert (states["run"], states["choose"], states["tell"]) == ("failed", "failed", "success")
    assert "[refused] log clean-up" in said
    assert (
        "Nothing was cleaned up: `choose`: the params: param volumes: found 'nowhere', expected one of here."
        in said
    )


@pytest.mark.parametrize(
    ("user", "state", "steps"), [("oncall", "success", "skipped"), ("dev", "failed", "failed")]
)
def test_outside_the_window_a_person_decides_or_nothing_happens(
    runs, monkeypatch, capsys, user, state, steps
):
    """Unpaused at noon: Airflow starts the run that was missed."""
    runs.configure(
        runs.claim(),
        start="04:00",
        window={"open": [{"days": ["mon"], "start": "04:00", "end": "04:01"}]},
    )
    fill(runs.roots["shop-logs"], app_DOT_log_DOT_1=30)
    monkeypatch.setattr("plugins.operators.log_window.by_hand", lambda _: False)
    runs.user, runs.answer = user, "Leave it for the next run"
    try:
        found = runs.run("log_cleanup")
    finally:
        runs.user, runs.answer = "oncall", "Approve"
    assert runs.asked[0][0] == "Clean the logs up outside the window (shop-logs)?"
    assert (found["run"], found["clean.report[0]"], found["tell"]) == (state, steps, "success")
    assert runs.live("shop-logs") == ["app.log.1"]
    assert not (runs.roots["shop-logs"] / ".log-cleanup").exists()
    if user == "dev":
        assert "Nothing was cleaned up: `window`: it started outside the window, and dev answered" in shown(
            capsys
        )


def test_every_line_is_live_or_restored_while_the_shop_writes(runs, monitor, capsys):
    """Every line of app.log that was ever written is in what is live or in what comes back from the archives."""
    runs.configure(runs.volume("here"), heartbeat="outside")
    root = runs.roots["here"]
    stop, written = threading.Event(), []

    def write() -> None:
        with (root / "app.log").open("ab", buffering=0) as log:
            number = 0
            while not stop.is_set():
                lines = b"".join(b"%09d %s\n" % (number + each, b"x" * 90) for each in range(100))
                log.write(lines)
                number += 100
                time.sleep(0.02 if number > 40_000 else 0)
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not (root / "app.log").exists() or (root / "app.log").stat().st_size < 3_000_000:
            time.sleep(0.02)
        assert runs.run("log_cleanup") == good() | {"heartbeat": "success"}
    finally:
        stop.set()
        writer.join(10)
    said = shown(capsys)
    assert "within 1 open file." in said
    assert len(monitor.asked) == 1
    live = (root / "app.log").read_bytes()
    assert live.startswith(b"\0")  # the archived range was freed; the file was not cut
    asked = {"volume": "here", "files": "app.log", "to": "back"}
    states = runs.run("log_restore", **asked, dry_run=True)
    assert (states["run"], states["release"], states["tell"]) == ("success", "skipped", "skipped")
    assert "Dry run: 1 file, " in shown(capsys)
    assert not (root / "back").exists()
    states = runs.run("log_restore", **asked)
    assert states == {
        "run": "success",
        "check": "success",
        "restore": "success",
        "release": "success",
        "tell": "success",
    }
    said = shown(capsys)
    assert "[restored] restore of app.log on here" in said
    restored = b"".join(path.read_bytes() for path in sorted((root / "back").iterdir()))
    numbers = {int(line[:9]) for line in restored.splitlines()} | {
        int(line[:9]) for line in live.strip(b"\0").splitlines()
    }
    assert numbers == set(range(written[0]))
    assert not (root / ".log-cleanup" / "holder.json").exists()
