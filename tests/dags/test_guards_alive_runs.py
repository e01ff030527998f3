"""Runs of guards_alive over Airflow's own API of tasks: what is asked there, and what one run leaves for the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.loading import PROJECT
from tests.standin import make_namespace

NAMESPACE = "alive-runs"


@pytest.fixture(scope="module")
def look(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Runs the DAG at a minute of its schedule; answers the state of the run and the log."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    path = folder / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("namespace: sre", f"namespace: {NAMESPACE}"))
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    make_namespace(cluster.connect(), NAMESPACE)
    initdb()

    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:  # the database is that of all tests, also of the last session
        session.execute(delete(DagRun).where(DagRun.dag_id == "guards_alive"))
    dag = DagBag(str(PROJECT / "dags")).dags["guards_alive"]
    minutes = iter(range(10))

    def go(beat: str = "") -> tuple[str, Any]:
        data = {"triggerer-1": beat} if beat else {}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "restart-watch"}, "data": data}
        cluster.connect().apply(body, NAMESPACE, manager="t", force=True)
        done = dag.test(logical_date=datetime.now(UTC) + timedelta(minutes=next(minutes)))
        (task,) = done.get_task_instances()
        return str(done.state), task.xcom_pull(task_ids="judge", key="memory")

    yield go
    patch.undo()


def test_one_run_leaves_for_the_next_what_it_needs(look: Callable[..., Any]):
    at = datetime.now(UTC).isoformat()
    beat = {"at": at, "last_event": at, "last_relist": at, "watches": ["swype"], "problem": ""}
    state, first = look(json.dumps(beat))
    assert state == "success"
    assert first["others"]["swype"]["state"] == "waiting"  # its Deployment is not there
    _, second = look(json.dumps(beat))
    assert second["begun"] == first["begun"] < second["at"]
    assert second["others"]["swype"]["since"] == first["others"]["swype"]["since"]


def test_without_signs_of_life_airflow_is_asked_for_the_tasks(look: Callable[..., Any]):
    state, kept = look()
    assert state == "success"
    assert kept["others"]["swype"]["state"] == "waiting"  # it gets time to start
