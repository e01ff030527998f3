"""The end of one volume: what was done there, given back to the next run; and red when a step of it failed."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.logs.loading import read_volume
from include.logs.messages import VolumeRun, report_text
from include.logs.summary import Answer
from include.release.loading import Sources
from include.release.problems import RejectedError
from plugins.operators.base import give_up, is_dry_run, say
from plugins.operators.failure import KEY, rejection
from plugins.operators.log_steps import StepOperator
from plugins.operators.log_volume import HELD, SEEN

STEPS = ("measure", "plan", "approve", "archive", "verify_archive", "delete", "verify_space")
COMMANDS = {"verify_archive": "verify", "verify_space": "space"}
"""Commands of the program whose task has another name."""
FAILURE = "volume_failure"
"""XCom: which step of the volume failed and why, with its kind; absent when none did."""


def volume_run(context: Context, name: str, index: int, *, group: str) -> VolumeRun:
    """What became of one volume, from what its tasks left.

    Args:
        context: of the task that asks.
        name: the volume's.
        index: which of the mapped groups is its.
        group: id of the task group.
    """
    ti: Any = context["ti"]

    def left(task: str, key: str = "return_value") -> Any:
        return ti.xcom_pull(task_ids=f"{group}.{task}", key=key, map_indexes=index)

    dag_run: Any = context["dag_run"]
    crumbs = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
    states = {each["task_id"]: str(each["state"]) for each in crumbs if each.get("map_index", -1) == index}
    found = {task: left(task) if states.get(f"{group}.{task}") == "success" else None for task in STEPS}
    answers = {
        COMMANDS.get(task, task): Answer(**value).facts
        for task, value in found.items()
        if task != "approve" and isinstance(value, dict)
    }
    seen = (left(task, SEEN) for task in STEPS if states.get(f"{group}.{task}") == "failed")
    if "space" not in answers and (space := next(filter(None, seen), None)):
        answers["space"] = space
    failure: dict[str, Any] = {}
    if states.get(f"{group}.report", "failed") == "failed":
        failure = left("report", FAILURE) or left("report", KEY) or {}
    reason = str(failure.get("reason") or "")
    refused = failure.get("kind") == "refused"
    try:
        placed = read_volume(Sources.from_environment(), name)
    except RejectedError as error:
        placed, reason = None, reason or rejection(error)
    return VolumeRun(
        name,
        answers,
        failure="" if refused else reason,
        refused=reason if refused else "",
        approved_by=str((found["approve"] or {}).get("by") or ""),
        placed=placed,
        dry_run=is_dry_run(context) or bool(placed and placed.volume.dry_run),
    )


class ReportVolumeOperator(StepOperator):
    """Runs whatever became of the steps before it; fails when one of them failed, after everything is said and given back.

    Args:
        asked_by: id of the task that may have left this run's volumes as they are.
    """

    def __init__(self, *, asked_by: str = "window", **kwargs: Any) -> None:
        super().__init__(command="report", **kwargs)
        self.asked_by = asked_by

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns what the program reported."""
        states = self.states(context)
        if self._was_left(context):
            say(self, f"{self.volume}: left as it is, see the task {self.asked_by}")
            raise AirflowSkipException("left as it is")
        failure = self._failure(context, states)
        if failure:
            context["ti"].xcom_push(key=FAILURE, value=failure)
        failed = [name for name in STEPS if states.get(name) == "failed"]
        if states.get("measure") != "success" or any(self.handed_on(context, name, HELD) for name in failed):
            # The volume is not this run's, or could not be reached: there is nothing to report from it.
            raise self._red(failure)
        return super().execute(context)

    @override
    def done(self, answer: Answer, context: Context) -> dict[str, Any]:
        found = super().done(answer, context)
        ti: Any = context["ti"]
        failure = self._failure(context, self.states(context))
        group = self.task_id.rpartition(".")[0]
        say(self, report_text(volume_run(context, self.volume, ti.map_index, group=group)))
        if failure:
            raise self._red(failure)
        return found

    def _was_left(self, context: Context) -> bool:
        """Whether somebody left everything for the next run. Of the steps before this one Airflow tells nothing then."""
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        crumbs = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
        return any(each["task_id"] == self.asked_by and str(each["state"]) == "skipped" for each in crumbs)

    def _red(self, failure: dict[str, Any]) -> Exception:
        text = (
            f"{self.volume} was not cleaned up to its end: {failure['reason']}.\n"
            "What now: the log of that task says what to do. Clear it when the cause is put right: what is done is not done "
            "again."
        )
        return give_up(self, text, reason=str(failure["reason"]), kind=failure["kind"])

    def _failure(self, context: Context, states: dict[str, str]) -> dict[str, Any]:
        """Which step failed, why, and of which kind that is; empty when none did."""
        for name in STEPS:
            if states.get(name) == "failed":
                found = self.handed_on(context, name, KEY) or {}
                reason = f"`{name}` failed: {found.get('reason') or 'its log says why'}"
                return {"reason": reason, "kind": found.get("kind") or "trouble"}
        if states.get("measure") != "success":
            return {"reason": "the tasks before it did not let it begin", "kind": "refused"}
        return {}
