"""A step of a clean-up as a task: adopted by a rerun, refused without an approval, read when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from include.logs.approving import plan_code
from include.logs.running import StepError
from plugins.operators.log_report import volume_run
from plugins.operators.log_steps import ChangingStepOperator, StepOperator
from plugins.operators.log_volume import SEEN, step_errors
from tests.include.logs.conftest import Claimed, claimed, fill
from tests.plugins.test_log_procedures_meet import context

__all__ = ["claimed"]


@pytest.fixture
def placed(claimed: Claimed, project: Path, connection: Callable[[Path], None], cluster: Any) -> Claimed:
    """The shop's volume, in a namespace of the test's own, as the configuration has it."""
    connection(cluster.kubeconfig)
    path = project / "config" / "environments.yaml"
    assert claimed.placed.environment is not None
    namespace = claimed.placed.environment.namespace
    path.write_text(path.read_text().replace("namespace: course4\n", f"namespace: {namespace}\n"))
    fill(claimed.root, app_DOT_log_DOT_1=30)
    return claimed


def end(deferred: TaskDeferred) -> dict[str, Any]:
    """What the triggerer hands on."""

    async def event() -> Any:
        return await asyncio.wait_for(anext(deferred.trigger.run()), 60)

    found: dict[str, Any] = asyncio.run(event()).payload
    return found


def test_a_task_that_was_killed_is_run_again_and_finds_its_job(placed: Claimed, capsys):
    made = context("log_cleanup")
    task = StepOperator(task_id="plan", command="plan", volume="shop-logs")
    with pytest.raises(TaskDeferred) as first:
        task.execute(made)
    with pytest.raises(TaskDeferred) as again:  # its worker died; nothing is left of it but the Job
        task.execute(made)
    assert first.value.trigger.serialize() == again.value.trigger.serialize()
    assert "of an earlier try still runs; going on with it" in capsys.readouterr().out
    found = task.ended(made, end(again.value))
    assert found["facts"]["entries"] == 1
    jobs = placed.cluster.list("Job", placed.placed.environment.namespace)  # type: ignore[union-attr]
    assert len([each for each in jobs if each["metadata"]["name"].startswith("logs-plan-")]) == 1
    with pytest.raises(TaskDeferred) as cleared:
        task.execute(made)
    assert task.ended(made, end(cleared.value))["facts"] == found["facts"]


@pytest.mark.parametrize("approval", [None, {"required": True, "code": "12345678"}])
def test_what_was_not_approved_is_not_begun(project: Path, approval: Any, capsys):
    made = context("log_cleanup")
    plan = {"entries": 1, "freed": 4096}
    made["ti"].values["plan", "return_value"] = {"command": "plan", "facts": plan}
    if approval:
        made["ti"].values["approve", "return_value"] = approval
    task = ChangingStepOperator(task_id="delete", command="delete", planned_by="plan", volume="shop-logs")
    with pytest.raises(AirflowFailException):
        task.execute(made)
    said = capsys.readouterr().out
    assert f"approve has not let this plan ({plan_code(plan)}) go on." in said
    assert "What now: clear approve." in said


def test_what_a_step_saw_of_a_full_volume_is_handed_on_for_the_alert(project: Path):
    made = context("log_cleanup")
    seen = {"free": 0, "shortfall": {"missing": 5}, "undone": "no room"}
    task = StepOperator(task_id="clean.measure", command="measure", volume="shop-logs")
    error = StepError("Volume shop-logs is full", 4, {"alert": "volume_full", "space": seen})
    with pytest.raises(StepError):
        task._ended_badly(error, task.placed(), made)
    assert made["ti"].values["", SEEN] == seen
    made["ti"].values["clean.measure", SEEN] = seen
    made["ti"].states = {"clean.measure": "failed", "clean.report": "failed"}
    assert volume_run(made, "shop-logs", -1, group="clean").answers == {"space": seen}


@pytest.mark.parametrize(("code", "raised"), [(None, AirflowException), (1, AirflowException), (137, AirflowException),
                                             (2, AirflowFailException), (4, AirflowFailException)])  # fmt: skip
def test_what_another_try_can_help_is_tried_again(code: int | None, raised: type[Exception]):
    task = StepOperator(task_id="plan", command="plan", volume="x")
    with pytest.raises(raised) as caught, step_errors(task):
        raise StepError("Planning failed", code)
    assert type(caught.value) is raised


def test_the_end_of_a_run_is_told_what_is_wrong_and_not_how_the_process_ended(
    monkeypatch: pytest.MonkeyPatch,
):
    kept: list[str] = []
    monkeypatch.setattr("plugins.operators.base.remember", lambda reason, _kind: kept.append(reason))
    error = "Volume x is full: no room.\nMake room"
    with (
        pytest.raises(AirflowFailException),
        step_errors(StepOperator(task_id="plan", command="plan", volume="x")),
    ):
        raise StepError("Planning failed with exit code 4", 4, {"error": error})
    assert kept[-1] == error
