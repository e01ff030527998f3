"""The script beside the DAG: its steps in the DAG's order, each as Airflow would reach it when nothing fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from tools.bench.script import Handover, Script


class Event:
    payload = {"complete": True}


class Trigger:
    async def run(self) -> Any:
        yield Event()


class Step:
    """A task: what it does is a function of the context; ``before`` are the tasks it waits for."""

    def __init__(self, name: str, do: Any, *before: str, rule: str = "all_success") -> None:
        self.task_id, self.do, self.upstream_task_ids, self.trigger_rule = name, do, set(before), rule

    def execute(self, context: Any) -> Any:
        return self.do(context)

    def resume(self, context: Any, event: dict[str, Any]) -> Any:
        return event


def script(*steps: Step) -> Script:
    made = Script.__new__(Script)
    made.states = {}
    made.ti = Handover(made.states)
    made.context = {"ti": made.ti}
    made.dag = SimpleNamespace(topological_sort=lambda: steps)
    return made


def defer(context: Any) -> None:
    raise TaskDeferred(trigger=Trigger(), method_name="resume")


def skip(context: Any) -> None:
    raise AirflowSkipException("dry run")


def test_steps_hand_on_what_they_found():
    found = script(
        Step("first", lambda context: "frozen"),
        Step("second", lambda context: context["ti"].xcom_pull(task_ids="first"), "first"),
        Step("third", defer, "second"),
    )
    assert found.run() > 0
    assert found.ti.xcom_pull(task_ids=["second", "third"]) == ["frozen", {"complete": True}]
    assert {state["state"] for state in found.states.values()} == {"success"}


def test_what_only_a_failure_reaches_is_passed_over_and_the_end_is_not():
    found = script(
        Step("change", lambda context: 1),
        Step("back", lambda context: 1 / 0, "change", rule="one_failed"),
        Step("after_back", lambda context: 1 / 0, "back"),
        Step("skips", skip, "change"),
        Step("end", lambda context: 2, "change", "after_back", rule="all_done"),
    )
    found.run()
    states = {name: state["state"] for name, state in found.states.items()}
    assert states == {
        "change": "success", "back": "skipped", "after_back": "skipped", "skips": "skipped", "end": "success",
    }  # fmt: skip
    assert [each["task_id"] for each in found.ti.get_task_breadcrumbs()] == list(states)


def test_a_step_that_fails_ends_the_script():
    with pytest.raises(ZeroDivisionError):
        script(Step("change", lambda context: 1 / 0)).run()
