"""The demo from start to end, with real processes: what a newcomer sees must be true."""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from include.release.kube import Cluster
from tests.e2e.demo import HOME, Demo
from tools.demo import cluster as stand_in

pytestmark = pytest.mark.timeout(420)
TASKS = [
    "freeze_and_check",
    "configure",
    "migrate",
    "deploy",
    "rollout_check",
    "smoke_check",
    "as_built_document",
]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """A demo that has released both and stays up."""
    shutil.rmtree(HOME, ignore_errors=True)
    running = Demo()
    running.start()
    try:
        running.wait_for("up until")
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def cluster(demo: Demo) -> Cluster:
    return stand_in.connect(demo.home / "cluster" / "kubeconfig")


def test_both_releases_went_out_task_by_task(demo: Demo) -> None:
    runs = requests.get(
        f"{demo.base}/api/v2/dags/release/dagRuns", headers=demo.token("ro"), timeout=30
    ).json()
    states = {run["dag_run_id"]: (run["state"], run["triggering_user_name"]) for run in runs["dag_runs"]}
    assert states == {"demo-release-1": ("success", "oncall"), "demo-release-2": ("success", "oncall")}
    for run in states:
        url = f"{demo.base}/api/v2/dags/release/dagRuns/{run}/taskInstances"
        tasks = requests.get(url, headers=demo.token("ro"), timeout=30).json()["task_instances"]
        assert {task["task_id"]: task["state"] for task in tasks} == dict.fromkeys(TASKS, "success")
        assert max(task["try_number"] for task in tasks) == 1


def test_terminal_shows_progress_table_changes_documents_and_logins(demo: Demo) -> None:
    text = demo.text
    for task in TASKS:
        assert re.search(rf"^  {task}: success after [\d.]+ s$", text, re.MULTILINE)
        assert re.search(rf"release-2 +│ {task} +│ success +│ +[\d.]+ │", text)
    assert "What release-2 changed in the cluster" in text
    assert re.search(r"deployment/app-deployment .*shop:1\.0\.0.*shop:2\.0\.0", text)
    assert "demo-release-2.md" in text
    assert f"Airflow's UI   {demo.base}" in text
    assert re.search(r"user oncall  password \S+", text)


def test_cluster_runs_release_2(cluster: Cluster) -> None:
    seen = stand_in.snapshot(cluster, "course4")
    assert "shop:2.0.0" in seen["deployment/app-deployment"]
    assert "6/6 ready" in seen["deployment/app-deployment"]
    assert "1/1 ready" in seen["deployment/order-processor"]
    jobs = {name: state for name, state in seen.items() if name.startswith("job/migrate-")}
    assert len(jobs) == 8
    assert set(jobs.values()) == {"complete"}


def test_every_pod_answers_as_release_2(cluster: Cluster) -> None:
    pods = cluster.list("Pod", "course4", labels="app=app-deployment")
    pods = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(pods) == 6
    for pod in pods:
        status, body = cluster.ask_pod("course4", pod["metadata"]["name"], 8080, "/version")
        assert (status, '"release": 2' in body) == (200, True)


def test_other_environment_is_untouched(cluster: Cluster) -> None:
    assert cluster.list("Deployment", "course4-qa") == []


def test_documents_say_what_was_released(demo: Demo) -> None:
    documents = {path.stem: path.read_text() for path in (demo.home / "documents").rglob("*.md")}
    assert documents.keys() == {"demo-release-1", "demo-release-2"}
    assert "John Robert" in documents["demo-release-1"]
    assert "Thach Duong" in documents["demo-release-2"]
    assert "SQL injection" in documents["demo-release-2"]


def test_who_only_reads_cannot_release(demo: Demo) -> None:
    body = {"logical_date": None, "conf": {"release": "release-1", "environment": "qa", "reason": "trying"}}
    url = f"{demo.base}/api/v2/dags/release/dagRuns"
    assert requests.post(url, json=body, headers=demo.token("ro"), timeout=30).status_code == 403
    assert requests.get(url, timeout=30).status_code == 401


def test_task_logs_have_no_warnings_of_libraries(demo: Demo) -> None:
    logs = list((demo.home / "airflow" / "logs").rglob("attempt=*.log"))
    assert len(logs) >= 2 * len(TASKS)
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


@pytest.mark.long
def test_killed_half_way_leaves_nothing_and_the_next_run_goes_on(demo: Demo) -> None:
    first = Demo()
    first.start(ONCE="1")
    try:
        first.wait_for("migrate: running")
        first.signal(signal.SIGKILL)
        first.status(10)
        assert first.left() == []
        first.start(ONCE="1", KEEP="1")
        assert first.status() == 0, first.text
        assert "release-2 is out" in first.text
        assert first.left(0) == []
    finally:
        first.end()
