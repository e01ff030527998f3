"""Asking and taking back: Jobs on a running cluster."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from include.jobs import carrying
from include.release import undoing
from include.release.jobs import job_for
from include.release.migrating import MigrationError
from include.release.rollback_plan import RollbackPlan, Undo
from include.release.undoing import applied_in, ask_ledger, rows_in, undo, wait_for_running

DOWN = "import os, sys; print('down', os.environ.get('MIGRATE_KEEP_ROWS')); sys.exit(%d)"
LEDGER = [{"id": "first", "state": "applied"}, {"id": "second", "state": "pending"}]


def frozen_with(small: Any, code: int = 0, *, compatible: bool = True) -> Any:
    """The small release with a ledger, and a migration that can be taken back."""
    frozen = small()
    migrations = frozen.release.migrations
    more = {
        "down": ["python3", "-c", DOWN % code],
        "drops_data": "plants",
        "lost": ["python3", "-c", f"print({json.dumps({'plants': 2})!r})"],
        "old_build_compatible": compatible,
    }
    steps = [migrations.steps[0].model_copy(update=more)]
    status = ["python3", "-c", f"print('hello'); print({json.dumps(LEDGER)!r})"]
    changed = migrations.model_copy(update={"steps": steps, "status": status})
    return frozen.model_copy(update={"release": frozen.release.model_copy(update={"migrations": changed})})


def plan_for(*steps: tuple[str, bool, bool]) -> RollbackPlan:
    undo_list = [
        Undo(id=name, title=name, spec="s", keep_rows=keep, rows={}, old_build_compatible=compatible)
        for name, keep, compatible in steps
    ]
    return RollbackPlan(undoing="small", target="old", undo=undo_list)


def test_the_ledger_and_the_rows_are_asked_all_at_once(cluster, small, namespace):
    frozen, said = frozen_with(small), []
    ledger = ask_ledger(cluster.connect(), [frozen], "run/0/plan", said.append, rows=True)
    assert (ledger.applied, ledger.rows) == (["first"], {"first": {"plants": 2}})
    assert said == []
    jobs = {each["metadata"]["name"] for each in cluster.connect().list("Job", namespace)}
    assert ask_ledger(cluster.connect(), [frozen], "run/0/plan", said.append, rows=True) == ledger
    assert {each["metadata"]["name"] for each in cluster.connect().list("Job", namespace)} == jobs


def test_an_answer_that_is_none_is_shown():
    with pytest.raises(
        MigrationError, match=r"migrations.status is not understood.\n  found:    no such table"
    ):
        applied_in("no such table")
    with pytest.raises(MigrationError, match="found:    nothing"):
        rows_in("", "a")
    assert applied_in('[log] starting\n[\n {"id": "a", "state": "pending"}\n]') == []


def test_a_migration_is_taken_back_and_told_to_keep_rows(cluster, small):
    frozen, said = frozen_with(small), []
    done = undo(cluster.connect(), plan_for(("first", True, True)), lambda _: frozen, "run/0", said.append)
    assert [(each["id"], each["result"]) for each in done] == [("first", "down 1")]
    again = undo(cluster.connect(), plan_for(("first", True, True)), lambda _: frozen, "run/0", said.append)
    assert again[0]["job"] == done[0]["job"]


def test_rows_that_came_meanwhile_keep_it(cluster, small):
    frozen, said = frozen_with(small, code=3), []
    plan = plan_for(("first", True, True), ("older", True, True))
    done = undo(cluster.connect(), plan, lambda _: frozen, "run/0", said.append)
    assert [(each["id"], each["result"]) for each in done] == [("first", "kept"), ("older", "kept")]
    assert said[-1].startswith("first stays: rows were written into it since they were counted")


def test_rows_that_came_meanwhile_stop_it_where_the_old_build_cannot_live_with_it(cluster, small):
    frozen = frozen_with(small, code=3, compatible=False)
    with pytest.raises(MigrationError) as raised:
        undo(cluster.connect(), plan_for(("first", True, False)), lambda _: frozen, "run/0", print)
    assert "Rows were written since they were counted, and old does not work with first" in str(raised.value)


def test_a_down_that_fails_is_told(cluster, small):
    frozen = frozen_with(small, code=1)
    with pytest.raises(MigrationError) as raised:
        undo(cluster.connect(), plan_for(("first", False, True)), lambda _: frozen, "run/0", print)
    text = str(raised.value)
    assert text.startswith("Taking back migration first failed with exit code 1")
    assert "Last lines of its log:\n    down None" in text
    assert "clear this task: what is taken back already is in the ledger and is not taken back again." in text


def test_what_an_ended_run_left_running_is_waited_for(cluster, small, namespace):
    frozen, said = small(("print('one');", "import time; print('one', flush=True); time.sleep(2);")), []
    client = cluster.connect()
    name = job_for(frozen, frozen.release.migrations.steps[0], "run/0")["metadata"]["name"]
    client.create(job_for(frozen, frozen.release.migrations.steps[0], "run/0"), namespace)
    while not client.list("Pod", namespace, fields="status.phase=Running"):
        time.sleep(0.1)
    wait_for_running(client, namespace, "small", said.append)
    assert said == [f"Job {name} still runs; waiting for its end"]
    assert client.get("Job", namespace, name)["status"]["succeeded"] == 1


def test_what_has_not_started_is_removed(cluster, small, namespace):
    frozen, said = small(), []
    frozen.images["python:3"] = "standin.local/gone:1@sha256:" + "0" * 64
    client = cluster.connect()
    client.create(job_for(frozen, frozen.release.migrations.steps[0], "run/0"), namespace)
    wait_for_running(client, namespace, "small", said.append)
    assert said[0].endswith("has not started its program: removed")
    assert client.list("Job", namespace) == []


class Ending:
    """A cluster in which a migration's pod outlives its Job by some questions."""

    def __init__(self, questions: float, *, job: bool) -> None:
        self.left, self.deleted, self.asked = questions, [], 0
        labels = {"plan-reduce-repeat/direction": "up"}
        self.jobs = [{"metadata": {"name": "j", "labels": labels}, "spec": {}}] if job else []
        self.pod = {"metadata": {"name": "p", "labels": labels}, "status": {"phase": "Pending"}}

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.deleted.append((kind, name))
        self.jobs = []

    def get(self, kind: str, namespace: str, name: str) -> Any:
        return self.jobs[0] if self.jobs else None

    def list(self, kind: str, namespace: str, *, labels: str) -> list[Any]:
        if kind == "Job":
            return self.jobs
        self.asked += 1
        self.left -= not self.jobs
        return [self.pod] if self.left > 0 else []


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(undoing, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(carrying, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(carrying, "REMOVED_WITHIN", 0.05)
    monkeypatch.setattr(undoing, "ENDS_WITHIN", 0.05)


@pytest.mark.parametrize("job", [True, False])
def test_the_ledger_is_not_final_before_the_pods_of_a_removed_job_are_gone(quick, job):
    cluster, said = Ending(3, job=job), []
    wait_for_running(cluster, "n", "small", said.append)
    assert cluster.left <= 0
    assert cluster.deleted == ([("Job", "j")] if job else [])
    assert said == (["Job j has not started its program: removed"] if job else [])


def test_a_pod_that_does_not_end_stops_it(quick):
    with pytest.raises(MigrationError, match=r"does not end \(Job j, pod p\). Look at it; clear this task"):
        wait_for_running(Ending(float("inf"), job=True), "n", "small", lambda _: None)
