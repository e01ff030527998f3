"""Runs of ``overdue`` over Airflow's own API of tasks: what it asks there of other DAGs' runs, and what it remembers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.release.loading import PROJECT

DAG_IDS = ("overdue", "log_cleanup", "order_processor", "order_backlog")


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    initdb()
    from airflow.dag_processing.dagbag import DagBag

    yield DagBag(str(PROJECT / "dags")).dags
    patch.undo()


@pytest.fixture
def look(dags: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str, Any]]:
    """Runs the DAG at its next time; answers the run's state, its log and what it remembers."""
    forget(*DAG_IDS)  # the database is that of all tests, also of the last session
    times = iter(datetime.now(UTC) + timedelta(minutes=10 * count) for count in range(10))

    def go() -> tuple[str, str, Any]:
        capsys.readouterr()
        done = dags["overdue"].test(logical_date=next(times))
        (task,) = done.get_task_instances()
        kept = task.xcom_pull(task_ids="judge", key="memory")
        return str(done.state), capsys.readouterr().out, kept["known"]

    return go


def forget(*dag_ids: str) -> None:
    """Delete the runs of these DAGs."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id.in_(dag_ids)))


def ran(dag_id: str, ago: timedelta, state: str = "success", **conf: Any) -> None:
    """A run in Airflow's database, so long ago."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    at = datetime.now(UTC) - ago
    with create_session() as session:
        run = DagRun(dag_id=dag_id, run_id=f"test__{at.isoformat()}", logical_date=at, run_after=at,
                     run_type=DagRunType.SCHEDULED, state=state, conf=conf or None, start_date=at)  # fmt: skip
        run.end_date = at if state in ("success", "failed") else None
        session.add(run)


def triggered(dag_id: str, dags: Any, skipped: str = "", **conf: Any) -> None:
    """A run that was triggered over the API with ``logical_date`` null, and ended well just now."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    at = datetime.now(UTC)
    run_id = f"manual__{at.isoformat()}_x"
    with create_session() as session:
        dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags[dag_id]))
        dag.create_dagrun(run_id=run_id, run_after=at, conf=conf, run_type=DagRunType.MANUAL, state="success",
                          triggered_by=DagRunTriggeredByType.REST_API, start_date=at, session=session)  # fmt: skip
        session.query(DagRun).filter_by(run_id=run_id).update({"end_date": at})
        tasks = session.query(TaskInstance).filter_by(run_id=run_id)
        assert tasks.count()
        tasks.filter_by(task_id=skipped).update({"state": "skipped"})


def failed(dag_id: str, dags: Any, ago: timedelta, *, told: str) -> None:
    """A run by schedule that failed so long ago; ``told``: how its task ``tell`` ended."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    at = datetime.now(UTC) - ago
    run_id = f"scheduled__{at.isoformat()}"
    with create_session() as session:
        dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags[dag_id]))
        dag.create_dagrun(run_id=run_id, logical_date=at, run_after=at, run_type=DagRunType.SCHEDULED, state="failed",
                          triggered_by=DagRunTriggeredByType.TIMETABLE, start_date=at, session=session)  # fmt: skip
        session.query(DagRun).filter_by(run_id=run_id).update({"end_date": at})
        session.query(TaskInstance).filter_by(run_id=run_id, task_id="tell").update({"state": told})


def test_batches_that_failed_are_told_of_unless_they_have_told_why_themselves(look, dags):
    ran("log_cleanup", timedelta(hours=1))
    ran("order_backlog", timedelta(minutes=1))
    ran("order_processor", timedelta(hours=5))
    failed("order_processor", dags, timedelta(minutes=1), told="success")
    state, said, known = look()
    assert known["order_processor"]["state"] == "on time", said[-3000:]
    forget("order_processor")
    ran("order_processor", timedelta(hours=5))
    failed("order_processor", dags, timedelta(minutes=1), told="failed")
    state, said, known = look()
    assert (state, known["order_processor"]["told"]) == ("failed", "failed"), said[-3000:]
    assert "order_processor (the batches of orders, every hour) failed, and no run in earnest" in said


def test_the_clean_up_that_did_not_run_for_a_week(look):
    """Who ran it by hand every morning was sick; a dry run in between is no clean-up."""
    ran("log_cleanup", timedelta(days=8))
    ran("log_cleanup", timedelta(hours=5), dry_run=True)
    ran("order_processor", timedelta(minutes=1))
    ran("order_backlog", timedelta(minutes=1))
    state, said, known = look()
    assert state == "failed"
    assert known["log_cleanup"]["state"] == known["log_cleanup"]["told"] == "not started"
    assert known["order_processor"]["state"] == known["order_backlog"]["state"] == "on time"
    assert "log_cleanup (the clean-up of the logs, daily at 04:00 (Europe/Berlin)) did not start." in said
    assert "8 days ago. What now: " in said
    assert "the task log: told of log_cleanup" in said
    ran("log_cleanup", timedelta(minutes=1))
    state, said, known = look()
    assert state == "success"
    assert known["log_cleanup"]["told"] == ""
    assert "log_cleanup is on time again." in said


def test_a_run_that_was_left_for_the_next_one_cleans_nothing_up(look, dags):
    """Answered so every day, nothing is cleaned up, and each run ends well."""
    ran("log_cleanup", timedelta(days=8))
    triggered("log_cleanup", dags, skipped="window")
    _, said, known = look()
    assert known["log_cleanup"]["state"] == "not finished", said[-2000:]
    assert "was left for the next run, and no run in earnest has ended well since." in said


def test_one_volume_cleaned_up_by_hand_is_not_the_clean_up_of_all(look):
    path = Path(os.environ["PLAN_REDUCE_REPEAT_CONFIG"]) / "log_retention.yaml"
    right = path.read_text()
    first = right[right.index("  - name: shop-logs") :]
    path.write_text(right + first.replace("shop-logs", "web-logs").replace("course4", "web"))
    try:
        ran("log_cleanup", timedelta(days=8))
        ran("log_cleanup", timedelta(hours=1), volumes=["shop-logs"])
        _, said, known = look()
        assert known["log_cleanup"]["state"] == "not started", said[-2000:]
        ran("log_cleanup", timedelta(minutes=1), volumes=["shop-logs", "web-logs"])
        assert look()[2]["log_cleanup"]["state"] == "on time"
    finally:
        path.write_text(right)


@pytest.mark.parametrize(("dry_run", "state"), [(False, "on time"), (True, "not started")])
def test_a_run_over_the_api_without_a_logical_date_counts_when_it_is_in_earnest(look, dags, dry_run, state):
    ran("log_cleanup", timedelta(days=8))
    ran("order_processor", timedelta(minutes=1))
    ran("order_backlog", timedelta(minutes=1))
    triggered("log_cleanup", dags, dry_run=dry_run)
    _, said, known = look()
    assert known["log_cleanup"]["state"] == state, said[-2000:]


def test_a_mistake_in_the_file_of_orders_is_told_once_with_its_line_until_it_is_right(look):
    path = Path(os.environ["PLAN_REDUCE_REPEAT_CONFIG"]) / "orders.yaml"
    right = path.read_text()
    path.write_text(right.replace("oldest_minutes: 120", "oldest_minutes: soon"))
    try:
        state, said, _ = look()
        assert state == "failed"
        assert "the task log: told of the configuration of order processing" in said
        assert "Orders are processed all the same." in said
        assert "alarm.oldest_minutes: found 'soon'; expected a whole number." in said
        path.write_text(right.replace("database: shop_database", ""))
        state, said, known = look()
        assert "No batch is started and nobody looks how many wait" in said
        assert known["order_processor"]["state"] == "on time"  # as it was: nobody can judge it now
    finally:
        path.write_text(right)
    state, said, _ = look()
    assert state == "success"
    assert "Its files are right again." in said


def test_a_dag_that_is_new_is_late_for_nothing(look):
    state, said, known = look()
    assert state == "success", said[-2000:]
    assert {each["state"] for each in known.values()} == {"on time"}
