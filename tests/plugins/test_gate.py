"""The gate before a release and right before its deploy, and the verdict after a release that was a try."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from include.records.models import DIGEST, Verdict
from include.records.store import Records
from plugins.hooks.records import RecordsHook
from plugins.operators.deploy import DeployOperator
from plugins.operators.gate import GateOperator, QaVerdictOperator

REQUIRED = {"required": True, "trusted": ["qa", "ci"]}
GOOD = {"migrate": "success", "rollout_check": "success", "smoke_check": "success", "verify_build": "success"}


@pytest.fixture
def started(cluster: Any, connection: Any, context: Any) -> Any:
    """A run's context after its first task, with the states in which its other tasks ended."""
    connection(cluster.kubeconfig)

    def make(frozen: Any, states: dict[str, str] | None = None, marked: str = "", **params: Any) -> Any:
        made = context(**params)
        made["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
        crumbs = [{"task_id": task, "state": state} for task, state in (states or GOOD).items()]
        made["ti"].get_task_breadcrumbs = lambda dag_id, run_id: crumbs
        for task in set(states or GOOD) - {marked}:
            made["ti"].values[task, "return_value"] = []
        made["ti"].log_url = "http://airflow/log"
        return made

    return make


def digest_of(frozen: Any) -> str:
    (image,) = frozen.images.values()
    found = DIGEST.search(image)
    assert found is not None
    return found[0]


def add(records: Records, frozen: Any, passed: bool, source: str = "qa") -> Verdict:
    given = Verdict(
        digest=digest_of(frozen), image="python:3", app="small", passed=passed, source=source, by="dev"
    )
    return records.add_verdict(given)


def test_the_gate_is_closed_until_there_is_a_pass(started, small, records, capsys):
    frozen, task = small(gate=REQUIRED), GateOperator(task_id="gate")
    with pytest.raises(AirflowFailException, match="no verdict on sha256:"):
        task.execute(started(frozen))
    kept = add(records, frozen, True)
    rows = task.execute(started(frozen))
    assert [(row["image"], row["id"]) for row in rows] == [("python:3", kept.id)]
    assert "The gate of test is open for 1 of 1 builds:" in capsys.readouterr().out


def test_an_environment_without_a_gate_says_so_and_needs_no_records(started, small, capsys):
    assert GateOperator(task_id="gate").execute(started(small())) == []
    assert (
        "test has no gate (gate.required is not set): every locked build may come" in capsys.readouterr().out
    )


def test_a_dry_run_says_what_the_gate_would_refuse_and_goes_on(started, small, records, capsys):
    task = GateOperator(task_id="gate")
    assert task.execute(started(small(gate=REQUIRED), dry_run=True)) == []
    said = capsys.readouterr().out
    assert "Dry run: the gate would refuse this release." in said
    assert "no verdict on sha256:" in said


def test_kargo_5144_a_fail_between_the_gate_and_the_deploy_stops_the_deploy(started, small, records, cluster):
    frozen = small(gate=REQUIRED)
    add(records, frozen, True)
    run = started(frozen)
    GateOperator(task_id="gate").execute(run)
    add(records, frozen, False, "ci")
    with pytest.raises(AirflowFailException, match="failed, says ci"):
        DeployOperator(task_id="deploy").execute(run)
    assert cluster.connect().get("Deployment", frozen.environment.namespace, "web") is None


def test_a_missing_connection_says_how_to_add_it(started, small, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", raising=False)
    with pytest.raises(AirflowFailException) as raised:
        GateOperator(task_id="gate").execute(started(small(gate=REQUIRED)))
    assert (
        "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS=sqlite:////path/records.db (or postgres://user:password@host/name)"
        in str(raised.value)
    )


def test_records_that_do_not_answer_are_tried_again(started, small, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{tmp_path}/none/records.db")
    with pytest.raises(AirflowException) as raised:
        GateOperator(task_id="gate").execute(started(small(gate=REQUIRED)))
    assert not isinstance(raised.value, AirflowFailException)
    assert "unable to open database file" in str(raised.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
        ('{"conn_type": "sqlite", "host": "/tmp/x.db"}', "sqlite:////tmp/x.db"),
        ("postgres://me:geheim@db:5433/records?sslmode=require", "postgresql+psycopg://me:***@db:5433/records"),
    ],
)  # fmt: skip
def test_connections_of_airflow_become_databases(monkeypatch, value, shown):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", value)
    assert RecordsHook("other").get_conn().shown == shown


def test_a_connection_of_another_type_is_refused(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "mysql://me:geheim@db/records")
    with pytest.raises(Exception, match="found:    a connection of type mysql") as raised:
        RecordsHook("other").get_conn()
    assert "geheim" not in str(raised.value)


# the verdict of a release to qa


def test_a_release_that_was_a_try_records_a_pass_once(started, small, records, capsys):
    frozen, task = small(gives_verdict=True), QaVerdictOperator(task_id="qa_verdict")
    (row,) = task.execute(started(frozen))
    (kept,) = records.verdicts(digest_of(frozen))
    assert row == kept.model_dump(mode="json")
    assert (kept.passed, kept.source, kept.by, kept.run) == (True, "test", "oncall", "release/run-1")
    assert kept.link == "http://airflow/log"
    assert kept.reason == "small in test: rollout_check, smoke_check and verify_build succeeded"
    assert "Verdict on python:3 (sha256:" in capsys.readouterr().out
    assert task.execute(started(frozen)) == [row]
    assert records.verdicts() == [kept]


def test_a_release_that_failed_records_a_fail_and_a_cleared_one_that_passes_then_a_pass(
    started, small, records
):
    frozen, task = small(gives_verdict=True), QaVerdictOperator(task_id="qa_verdict")
    run = started(frozen, GOOD | {"smoke_check": "failed", "verify_build": "upstream_failed"})
    run["ti"].values["smoke_check", "failure"] = {"kind": "failed", "reason": "2 answers are wrong"}
    task.execute(run)
    task.execute(started(frozen))
    last, first = records.verdicts(digest_of(frozen))
    assert (first.passed, first.reason) == (
        False, "small in test: smoke_check failed: 2 answers are wrong",
    )  # fmt: skip
    assert last.passed


@pytest.mark.parametrize(
    ("environment", "states", "params", "said"),
    [
        ({}, GOOD, {}, "A release to test is no verdict on its builds"),
        ({"gives_verdict": True}, GOOD, {"dry_run": True}, "Dry run: no build was tried"),
        ({"gives_verdict": True}, GOOD | {"migrate": "failed"}, {},
         "No verdict is recorded: migrate failed for another reason than the build"),
        ({"gives_verdict": True}, GOOD, {"marked": "smoke_check"},
         "smoke_check handed on no result: somebody marked smoke_check as a success"),
        ({"gives_verdict": True}, {"migrate": "upstream_failed"}, {},
         "No verdict is recorded: the builds were not tried to the end"),
    ],
)  # fmt: skip
def test_nothing_is_recorded_when_nothing_was_tried(
    started, small, records, capsys, environment, states, params, said
):
    frozen = small(**environment)
    with pytest.raises(AirflowSkipException):
        QaVerdictOperator(task_id="qa_verdict").execute(started(frozen, states, **params))
    assert said in capsys.readouterr().out
    assert records.verdicts() == []


def test_without_a_frozen_release_there_is_no_verdict(context, capsys):
    task = QaVerdictOperator(task_id="qa_verdict")
    assert task.trigger_rule == "all_done"
    with pytest.raises(AirflowSkipException):
        task.execute(context())
    assert "The first task froze nothing, so no build was tried" in capsys.readouterr().out
