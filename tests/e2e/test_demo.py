"""The demo from start to end, with real processes: what a newcomer sees must be true."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from include.records.models import Change
from include.records.store import Records
from include.release.kube import Cluster
from tests.dagtasks import good_run
from tests.e2e.demo import HOME, Demo
from tools.demo import cluster as stand_in
from tools.demo.options import STEPS

pytestmark = pytest.mark.timeout(600)
RUNS = {step: f"demo-{step.release}-{step.environment}" for step in STEPS}
IN_PRODUCTION = [run for step, run in RUNS.items() if step.environment == "production"]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """A demo that has released both and stays up."""
    shutil.rmtree(HOME, ignore_errors=True)
    running = Demo()
    running.start()
    try:
        running.wait_for("up until", 400)
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def cluster(demo: Demo) -> Cluster:
    return stand_in.connect(demo.home / "cluster" / "kubeconfig")


@pytest.fixture(scope="module")
def records(demo: Demo) -> Records:
    return Records(f"sqlite:///{demo.home / 'records' / 'records.db'}")


def change(records: Records, run: str) -> Change:
    found = records.change(f"release/{run}")
    assert found is not None
    return found


def test_both_releases_went_out_task_by_task(demo: Demo) -> None:
    runs = demo.get("/dags/release/dagRuns")["dag_runs"]
    states = {run["dag_run_id"]: (run["state"], run["triggering_user_name"]) for run in runs}
    assert states == dict.fromkeys(RUNS.values(), ("success", "oncall"))
    for step, run in RUNS.items():
        found = demo.get(f"/dags/release/dagRuns/{run}/taskInstances")["task_instances"]
        assert {task["task_id"]: task["state"] for task in found} == good_run("release", step.environment)
        assert max(task["try_number"] for task in found) == 1


def test_terminal_shows_progress_table_changes_documents_and_logins(demo: Demo) -> None:
    text = demo.text
    for task, state in good_run().items():
        if state == "success":
            assert re.search(rf"^  {task}: success after [\d.]+ s$", text, re.MULTILINE), task
            assert re.search(rf"│ {task} +│( +[\d.]+ │){{4}}", text), task
    assert re.search(r"│ qa_verdict +│ +[\d.]+ │ +skipped │ +[\d.]+ │ +skipped │", text)
    assert "What release-2 to production changed in the cluster" in text
    assert re.search(r"deployment/app-deployment .*shop:1\.0\.0.*shop:2\.0\.0", text)
    assert "demo-release-2-production.md" in text
    assert f"Airflow's UI   {demo.base}" in text
    assert re.search(r"user oncall  password \S+", text)


def test_qa_comes_before_production(records: Records) -> None:
    ended: datetime | None = None
    for step, run in RUNS.items():
        found = change(records, run)
        assert (found.environment, found.outcome, found.user) == (step.environment, "released", "oncall")
        assert ended is None or found.started >= ended
        ended = found.ended


def test_what_passed_in_qa_has_a_verdict(records: Records) -> None:
    for step, run in RUNS.items():
        for digest in change(records, run).digests:
            verdicts = records.newest_verdicts([digest], ["qa"])
            assert verdicts[digest].passed
            assert verdicts[digest].run == f"release/demo-{step.release}-qa"


def test_production_was_approved_by_a_second_user_with_a_reason(demo: Demo, records: Records) -> None:
    for run in RUNS.values():
        found = change(records, run)
        asked = demo.get(f"/dags/release/dagRuns/{run}/hitlDetails")["hitl_details"]
        if run not in IN_PRODUCTION:
            assert (asked, found.approved_by) == ([], "")
            continue
        assert [(each["responded_by_user"]["name"], each["chosen_options"]) for each in asked] == [
            ("admin", ["Approve"])
        ]
        assert (found.approved_by, found.approval_reason) == (
            "admin",
            "demo: plan, differences and verdict read",
        )
        assert found.approved_at is not None
        assert f"Approve by admin at {found.approved_at:%H:%M:%S} UTC: demo: plan" in demo.text


def test_cluster_runs_what_was_planned_for_release_2(cluster: Cluster) -> None:
    seen = stand_in.snapshot(cluster, "course4")
    for name in ("app-deployment", "order-processor"):
        assert "shop:2.0.0" in seen[f"deployment/{name}"]
        ready = re.search(r"(\d+)/(\d+) ready", seen[f"deployment/{name}"])
        assert ready is not None
        assert ready[1] == ready[2]
    jobs = {name: state for name, state in seen.items() if name.startswith("job/migrate-")}
    assert {re.sub(r"job/migrate-(.*)-[0-9a-f]{10}-[0-9a-f]{6}", r"\1", name) for name in jobs} >= {
        "r1-101-middle-names", "r1-dba-emails", "r2-201-orders",
    }  # fmt: skip
    assert set(jobs.values()) == {"complete"}


def test_every_pod_answers_as_release_2(cluster: Cluster) -> None:
    pods = cluster.list("Pod", "course4", labels="app=app-deployment")
    pods = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert pods
    for pod in pods:
        status, body = cluster.ask_pod("course4", pod["metadata"]["name"], 8080, "/version")
        assert (status, '"release": 2' in body) == (200, True)


def test_documents_say_what_was_released(demo: Demo) -> None:
    documents = {path.stem: path.read_text() for path in (demo.home / "documents").rglob("*.md")}
    assert documents.keys() == set(RUNS.values())
    assert "John Robert" in documents["demo-release-1-production"]
    for text in ("Thach Duong", "SQL injection", "admin", "demo: plan, differences and verdict read"):
        assert text in documents["demo-release-2-production"]


def test_who_only_reads_cannot_release(demo: Demo) -> None:
    body = {"logical_date": None, "conf": {"release": "release-1", "environment": "qa", "reason": "trying"}}
    url = f"{demo.base}/api/v2/dags/release/dagRuns"
    assert requests.post(url, json=body, headers=demo.token("ro"), timeout=30).status_code == 403
    assert requests.get(url, timeout=30).status_code == 401


SETTLED = 2.0
"""Airflow loses an answer that comes while the task is still being parked, and asks again."""


def test_only_a_second_user_who_may_can_answer_and_a_rejection_changes_nothing(
    demo: Demo, cluster: Cluster, records: Records
) -> None:
    before = deployed(cluster)
    run = demo.trigger("oncall", "release-2", "production")
    demo.wait_for_state(run, "approve", "awaiting_input")
    path = f"/dags/release/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
    answer: dict[str, Any] = {"chosen_options": ["Approve"], "params_input": {"why": "trying"}}
    for user in ("ro", "dev", "oncall"):
        answered = requests.patch(
            f"{demo.base}/api/v2{path}", json=answer, headers=demo.token(user), timeout=30
        )
        assert answered.status_code == 403, user
    form = {name: each["value"] for name, each in demo.get(path)["params"].items()}
    answer = {"chosen_options": ["Reject"], "params_input": form | {"why": "not today"}}
    time.sleep(SETTLED)
    answered = requests.patch(
        f"{demo.base}/api/v2{path}", json=answer, headers=demo.token("admin"), timeout=30
    )
    assert answered.status_code == 200
    assert demo.wait_for_end(run) == "failed"
    found = change(records, run)
    assert found.outcome == "refused"
    assert "admin rejected it" in found.summary
    assert "not today" in found.summary
    assert deployed(cluster) == before


def test_production_refuses_a_build_that_was_not_in_qa(
    demo: Demo, cluster: Cluster, records: Records
) -> None:
    before = deployed(cluster)
    demo.add_release("release-2", "release-3", {"shop:2.0.0": "upcommerce:1.0.0", "number: 2": "number: 3"})
    run = demo.trigger("oncall", "release-3", "production")
    assert demo.wait_for_end(run) == "failed"
    found = change(records, run)
    assert found.outcome == "refused"
    assert "upcommerce:1.0.0" in found.summary
    assert "verdict" in found.summary
    assert deployed(cluster) == before


def deployed(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Uid and generation of each Deployment: the same while nothing is changed."""
    return {
        each["metadata"]["name"]: (each["metadata"]["uid"], each["metadata"]["generation"])
        for each in cluster.list("Deployment", "course4")
    }


def test_task_logs_have_no_warnings_of_libraries(demo: Demo) -> None:
    logs = list((demo.home / "airflow" / "logs").rglob("attempt=*.log"))
    assert len(logs) >= len(RUNS) * list(good_run().values()).count("success")
    assert [path for path in logs if "py.warnings" in path.read_text()] == []


def test_a_second_demo_is_refused_while_this_one_is_up(demo: Demo) -> None:
    second = Demo(HOME / "second")
    second.home = demo.home
    second.start(ONCE="1")
    assert second.status(30) == 1
    assert "already running (pid" in second.text


def test_nothing_was_written_outside(demo: Demo) -> None:
    assert list((demo.home / "home").iterdir()) == []


def test_ctrl_c_ends_everything(demo: Demo) -> None:
    port = urlsplit(demo.base).port
    demo.signal(signal.SIGINT)
    assert demo.status(90) == 0
    assert demo.left(0) == []
    assert "everything that was started has ended" in demo.text
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
