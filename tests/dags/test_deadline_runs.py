"""Airflow's own deadline on a clean-up: kept with the run in its database, missed, and told by what it then calls."""

from __future__ import annotations

import asyncio
import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.loading import PROJECT
from include.release.telling import Message


def test_a_clean_up_that_was_queued_and_did_not_end_is_told_by_airflow(monkeypatch: pytest.MonkeyPatch):
    """What the scheduler does with a missed deadline, and the triggerer with its callback, without their processes."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.deadline import Deadline
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import clear_task_instances
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import delete, select

    initdb()
    dag = DagBag(str(PROJECT / "dags" / "log_cleanup.py")).dags["log_cleanup"]
    now = datetime.now(UTC)
    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id == "log_cleanup"))
        if session.get(DagBundleModel, "tests") is None:
            session.add(DagBundleModel(name="tests"))
            session.flush()
        lazy = LazyDeserializedDAG.from_dag(dag)
        SerializedDAG.bulk_write_to_db("tests", None, [lazy], session=session)
        SerializedDagModel.write_dag(lazy, bundle_name="tests", session=session)
        session.flush()
        stored = SerializedDagModel.get("log_cleanup", session=session)
        assert stored is not None
        scheduled: Any = stored.dag
        run = scheduled.create_dagrun(
            run_id="scheduled__late", logical_date=now, data_interval=(now, now), run_after=now, state="queued",
            run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TIMETABLE, session=session,
        )  # fmt: skip
        session.flush()
        deadline = session.scalars(select(Deadline).where(Deadline.dagrun_id == run.id)).one()
        assert timedelta(hours=1, minutes=59) < deadline.deadline_time - now < timedelta(hours=2, minutes=5)
        for task in run.task_instances:
            task.state = "failed"
        run.state = "failed"
        session.flush()
        # apache/airflow#70368: with Airflow's own reference this ends in a TypeError, and on-call's "clear" in a 500.
        clear_task_instances(list(run.task_instances), session)
        assert run.state == "queued"
        run.state = "running"
        session.flush()
        deadline.handle_miss(session)  # as the scheduler does when that time has come
        called = dict(deadline.callback.data)
        session.rollback()

    told: list[Message] = []
    monkeypatch.setattr("plugins.deadlines.send", lambda _channel, message, _context: told.append(message))
    module, _, name = called["path"].rpartition(".")
    said = asyncio.run(getattr(importlib.import_module(module), name)(**called["kwargs"]))
    assert said == "told: the task log"
    (message,) = told
    assert message.subject == "[alert] log_cleanup is late"
    assert "run scheduled__late should have ended within 120 minutes and is running" in message.paragraph
