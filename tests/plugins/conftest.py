"""Operators run as Airflow would call them, with a context of their own."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.records.store import Records
from include.release.loading import PROJECT, Sources
from plugins.params import release_params


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | str], None]:
    """Points the Airflow connection kubernetes_shop at a kubeconfig."""

    def point(kubeconfig: Path | str) -> None:
        value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))

    return point


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the releases and the configuration, which the operators read instead of the project's."""
    shutil.copytree(PROJECT / "include" / "releases", tmp_path / "releases")
    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_RELEASES", str(tmp_path / "releases"))
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Records of this test's own, which the Airflow connection plan_reduce_repeat_records names."""
    url = f"sqlite:///{tmp_path}/records.db"  # tmp_path begins with a slash
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", url)
    return Records(url)


@pytest.fixture
def context() -> Callable[..., Any]:
    """Makes the part of a task's context that the operators use."""
    return make_context


def make_context(
    release: str = "release-1",
    environment: str = "production",
    user: str | None = "oncall",
    conf: dict[str, Any] | None = None,
    **more: Any,
) -> Any:
    """The part of a task's context that the operators use."""
    params = {"release": release, "environment": environment, "dry_run": False, "reason": "a test", **more}
    dag_run = SimpleNamespace(
        dag_id="release", run_id="run-1", clear_number=0, triggering_user_name=user, conf=conf
    )
    dag = SimpleNamespace(params=release_params(Sources.from_environment()))
    return {"params": params, "dag_run": dag_run, "ti": Handover(), "dag": dag}


class Handover:
    """What a task asks Airflow for: the XCom of its run, and the states of runs (``dag_id/run_id``) and of their approvals."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {("preflight", "return_value"): {}}
        self.states: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.waits: dict[str, str] = {}
        self.of_others: dict[tuple[str, str, str], Any] = {}

    def get_task_breadcrumbs(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [{"task_id": task_id, "state": state} for task_id, state in self.states.items()]

    def get_dr_count(self, dag_id: str, run_ids: list[str]) -> int:
        return sum(f"{dag_id}/{run_id}" in self.runs for run_id in run_ids)

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        return self.runs[f"{dag_id}/{run_id}"]

    def get_task_states(
        self, dag_id: str, task_ids: list[str], run_ids: list[str]
    ) -> dict[str, dict[str, str]]:
        found = {name: self.waits.get(f"{dag_id}/{name}") for name in run_ids}
        return {name: {task_ids[0]: state} for name, state in found.items() if state}

    def xcom_push(self, key: str, value: Any) -> None:
        self.values["", key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value", dag_id: str = "", run_id: str = "") -> Any:
        if run_id:
            return self.of_others.get((f"{dag_id}/{run_id}", task_ids, key))
        return self.values.get((task_ids, key))


@pytest.fixture
def guards(
    cluster: Any, namespace: str, project: Path, connection: Callable[[Path], None], records: Records
) -> Any:
    """The guards of a namespace: none yet."""
    from tests.plugins.guarded import Guards

    connection(cluster.kubeconfig)
    return Guards(cluster.connect(), namespace, project)


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, guards: Any) -> Iterator[Any]:
    """Whom the guards tell."""
    from tests.plugins.guarded import Chat

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    value = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{server.server_port}/sre"}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(value))
    guards.place(tell=[{"kind": "webhook", "connection": "chat"}])
    Chat.told.clear()
    Chat.status[:] = [200]
    yield Chat
    server.shutdown()
