"""What Airflow does with a run that somebody marks or deletes half-way: what docs/procedures.md says of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
TEARDOWNS = {"as_built_document", "tell", "tell_payments", "unlock"}


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    """The DAGs as the scheduler knows them, in the metadata database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    (bundle,) = DagBundlesManager().get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(dag_folder=str(DAGS), bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
    return {
        name: DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        for name, dag in bag.dags.items()
    }


@pytest.fixture
def session() -> Iterator[Any]:
    from airflow import settings

    found = settings.Session()
    yield found
    found.rollback()
    found.close()


@pytest.fixture
def begun(dags: dict[str, Any], session: Any) -> Callable[..., Any]:
    """Makes a run of which the tasks before one are done, and that one is in a state."""
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    conf = {
        "release": {"release": "release-1", "environment": "production", "reason": "a test"},
        "rollback": {"app": "shop", "environment": "production", "reason": "a test"},
    }

    def make(dag_id: str, at: str, state: str) -> Any:
        now, dag = datetime.now(UTC), dags[dag_id]
        run = dag.create_dagrun(
            run_id=f"test-{uuid.uuid4()}", logical_date=now, data_interval=(now, now), run_after=now,
            conf=conf.get(dag_id), run_type=DagRunType.MANUAL, state="running", start_date=now, session=session,
            triggered_by=DagRunTriggeredByType.TEST,
        )  # fmt: skip
        run.dag = dag
        for ti in run.get_task_instances(session=session):
            if ti.task_id == at:
                ti.state = state
            elif ti.task_id in dag.get_task(at).get_flat_relative_ids(upstream=True):
                ti.state = "success"
        session.flush()
        return run

    return make


def states(run: Any, session: Any) -> dict[str, str | None]:
    return {ti.task_id: ti.state and str(ti.state) for ti in run.get_task_instances(session=session)}


def mark(run: Any, word: str, session: Any) -> None:
    from airflow.api.common import mark_tasks

    set_state = getattr(mark_tasks, f"set_dag_run_state_to_{word}")
    set_state(dag=run.dag, run_id=run.run_id, commit=True, session=session)
    session.flush()


def finish(run: Any, session: Any, **ends: str) -> str:
    """The run's state once its teardowns have ended like this."""
    for ti in run.get_task_instances(session=session):
        if ti.task_id in TEARDOWNS:
            ti.state = ends.get(ti.task_id, "success")
    session.flush()
    run.update_state(session=session, execute_callbacks=False)
    return str(run.state)


@pytest.mark.parametrize("word", ["failed", "success"])
@pytest.mark.parametrize(
    ("dag_id", "at", "state"),
    [
        ("release", "migrate", "running"),
        ("release", "rollout_check", "deferred"),
        ("release", "approve", "awaiting_input"),
        ("rollback", "restore", "running"),
    ],
)
def test_marking_a_run_ends_its_tasks_but_its_teardowns_still_run_and_it_keeps_the_lock_until_then(
    begun, session, dag_id, at, state, word
):
    run = begun(dag_id, at, state)
    mark(run, word, session)
    found = states(run, session)
    assert found[at] == word
    assert {found[name] for name in TEARDOWNS & found.keys()} == {None}
    after = run.dag.get_task(at).get_flat_relative_ids(upstream=False) - TEARDOWNS
    assert {found[name] for name in after} == {"skipped"}
    assert str(run.state) == "running"


def test_a_run_marked_failed_half_way_would_be_green_if_unlock_did_not_fail(begun, session):
    run = begun("release", "deploy", "running")
    mark(run, "failed", session)
    assert finish(run, session) == "success"
    run = begun("release", "deploy", "running")
    mark(run, "failed", session)
    assert finish(run, session, unlock="failed") == "failed"


def test_a_guards_run_whose_press_failed_would_be_green_if_tell_did_not_fail(begun, session):
    for tell, ends in (("success", "success"), ("failed", "failed")):
        run = begun("swype_guard", "press", "failed")
        for ti in run.get_task_instances(session=session):
            if ti.task_id in ("hold_payments", "settle_payments"):
                ti.state = "upstream_failed"
        assert finish(run, session, tell=tell) == ends


@pytest.mark.parametrize(("word", "watch"), [("success", "success"), ("failed", "failed")])
def test_a_guards_run_that_is_marked_while_it_watches_still_tells(begun, session, word, watch):
    """Marked failed it has something to tell, as a task of it has failed; marked success it has not."""
    run = begun("swype_guard", "watch", "deferred")
    mark(run, word, session)
    found = states(run, session)
    assert (found["watch"], found["press"], found["tell"]) == (watch, "skipped", None)
    assert str(run.state) == "running"


def test_a_run_that_has_not_ended_cannot_be_deleted_and_one_that_has_can(begun, session):
    from airflow.api_fastapi.core_api.routes.public.dag_run import delete_dag_run
    from fastapi import HTTPException

    run = begun("release", "deploy", "running")
    with pytest.raises(HTTPException) as raised:
        delete_dag_run("release", run.run_id, session)
    assert raised.value.status_code == 409
    run.state = "failed"
    session.flush()
    delete_dag_run("release", run.run_id, session)


@pytest.mark.parametrize(("dag_id", "task"), [("release", "deploy"), ("rollback", "restore")])
def test_clearing_a_task_with_what_is_downstream_runs_lock_and_unlock_again(dags, dag_id, task):
    cleared = set(
        dags[dag_id].partial_subset([task], include_downstream=True, include_upstream=False).task_dict
    )
    assert {"lock", task, "conclude", "unlock"} <= cleared
    assert "freeze_and_check" not in cleared


def test_airflow_says_of_a_run_whether_it_goes_on_has_ended_or_is_gone(begun, session, monkeypatch):
    """Over the API that tasks have, as the lock asks it."""
    from airflow.sdk.bases.xcom import BaseXCom as XCom
    from airflow.sdk.execution_time import comms, request_handlers, task_runner
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    from include.release.lease import Journal
    from include.release.lock import RunFate
    from plugins.operators.locking import ask_airflow

    client = InProcessTestSupervisor._api_client()
    handlers = {
        comms.GetDRCount: request_handlers.handle_get_dr_count,
        comms.GetDagRunState: request_handlers.handle_get_dag_run_state,
        comms.GetTaskStates: request_handlers.handle_get_task_states,
        comms.SetXCom: request_handlers.handle_set_xcom,
        comms.GetXComSequenceSlice: request_handlers.handle_get_xcom_sequence_slice,
    }

    class Supervisor:
        def send(self, msg: Any) -> Any:
            return handlers[type(msg)](client, msg)[0]

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
    ti = task_runner.RuntimeTaskInstance.model_construct(dag_id="release", run_id="mine", task_id="lock")
    ask = ask_airflow({"ti": ti})  # type: ignore[typeddict-item]
    run = begun("release", "approve", "awaiting_input")
    journal = Journal(run=f"release/{run.run_id}")
    session.commit()
    XCom.set("asked", {"at": "2026-03-04 05:06 UTC"}, dag_id="release", task_id="approve", run_id=run.run_id)
    assert ask(journal) == RunFate("waits for an approval since 2026-03-04 05:06 UTC", holds=True)
    run.get_task_instance("approve", session=session).state = "success"
    session.commit()
    assert ask(journal) == RunFate("running", holds=True)
    run.state = "failed"
    session.commit()
    assert ask(journal) == RunFate("failed", holds=False)
    session.delete(run)
    session.commit()
    assert ask(journal) == RunFate("deleted", holds=False)
    assert ask(Journal(run="no_such_dag/x")) == RunFate("deleted", holds=False)
