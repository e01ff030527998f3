"""A run that has ended in some way, for the tests of the tasks that look back on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, chain

from include.release.loading import Sources
from plugins.operators.conclude import ConcludeOperator
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.operators.document import AsBuiltOperator
from plugins.operators.tell import TellOperator
from plugins.params import release_params
from tests.plugins.conftest import make_context

STARTED = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def make_dag(**more: Any) -> DAG:
    """The end of a release as the DAG has it, and as much of what comes before as matters.

    Args:
        more: for the tasks that look back on it.
    """
    with DAG("release", schedule=None, params=release_params(Sources.from_environment())) as dag:
        with TaskGroup("roll_back") as back:
            EmptyOperator(task_id="plan") >> DeployOperator(task_id="restore", approved_by=None)
        conclude = ConcludeOperator(task_id="conclude", **more)
        chain(
            *(EmptyOperator(task_id=name) for name in ("freeze_and_check", "gate", "preflight", "approve")),
            ConfigureOperator(task_id="configure"),
            DeployOperator(task_id="deploy"),
            EmptyOperator(task_id="smoke_check"),
            back,
            conclude,
            AsBuiltOperator(task_id="as_built_document", **more),
            TellOperator(task_id="tell", **more),
        )
    return dag


def ended(
    frozen: Any, states: dict[str, str], left: dict[tuple[str, str], Any] | None = None, **params: Any
) -> Any:
    """The context of a task at the end of a run.

    Args:
        frozen: what the first task froze; None when it failed.
        states: of its tasks; the others were successful, or skipped in the rollback.
        left: XComs by task and key.
        params: of the run.
    """
    context = make_context(**params)
    context["dag_run"].start_date = context["dag_run"].run_after = STARTED
    context["dag"] = make_dag()
    ti = context["ti"]
    if frozen is not None:
        ti.values["freeze_and_check", "return_value"] = frozen.to_json()
    ti.values |= left or {}
    tasks = (
        "freeze_and_check",
        "gate",
        "preflight",
        "approve",
        "configure",
        "deploy",
        "smoke_check",
        "conclude",
    )
    known = dict.fromkeys(tasks, "success") | {"roll_back.plan": "skipped", "roll_back.restore": "skipped"}
    crumbs = [
        {"task_id": task, "state": state, "duration": 1.5}
        for task, state in (known | states).items()
        if state
    ]
    ti.get_task_breadcrumbs = lambda dag_id, run_id: crumbs
    return context
