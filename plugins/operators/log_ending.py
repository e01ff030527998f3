"""The end of a run: telling what a person has to know, and the sign of life when all went well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.logs.choosing import right_retention
from include.logs.due import times_of
from include.logs.loading import read_right_volumes
from include.logs.messages import VolumeRun, report_table, run_message, space_alerts
from include.logs.restored import restored_message
from include.logs.wishing import in_words
from include.release.loading import Sources
from include.release.problems import RejectedError
from include.release.telling import Message
from plugins.operators.base import by_hand, is_dry_run, readable_errors, run_name, say
from plugins.operators.failure import KEY
from plugins.operators.heartbeat import send_heartbeat
from plugins.operators.keeping import keep_cleanup
from plugins.operators.log_people import links_of, request_details, tell_list
from plugins.operators.log_report import volume_run

CHOOSE, WINDOW, GROUP = "choose", "window", "clean"


@dataclass(frozen=True)
class Outcome:
    """What became of one volume, and how its last task ended."""

    run: VolumeRun
    state: str


def outcomes(context: Context) -> list[Outcome]:
    """One for each volume that was chosen; none when nothing was."""
    ti: Any = context["ti"]
    dag_run: Any = context["dag_run"]
    report = f"{GROUP}.report"
    crumbs = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
    states = {each.get("map_index", -1): str(each["state"]) for each in crumbs if each["task_id"] == report}
    volumes = list(ti.xcom_pull(task_ids=CHOOSE) or [])
    return [
        Outcome(volume_run(context, name, index, group=GROUP), states.get(index, ""))
        for index, name in enumerate(volumes)
    ]


class TellCleanupOperator(BaseOperator):
    """Tells what became of each volume, and raises the alert where policy leaves too little space."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> dict[str, list[str]]:
        """Returns which channels were told now, which before, and which could not be."""
        if is_dry_run(context):
            say(self, "Dry run: nobody is told")
            raise AirflowSkipException("dry run")
        result: dict[str, list[str]] = {"told": [], "before": [], "failed": []}
        with readable_errors(self):
            retention = times_of(Sources.from_environment())  # also of a wrong file somebody is told
            for message in self._messages(context):
                say(self, message.plain())
                told = tell_list(self, retention, message, context, logged=True)
                for key, names in told.items():
                    result[str(key)] += names
        if result["failed"]:
            say(self, f"NOT TOLD: {'; '.join(result['failed'])}. Clear this task to try again.", error=True)
        return result

    def _messages(self, context: Context) -> Iterable[Message]:
        ti: Any = context["ti"]
        links, run = links_of(context), run_name(context)
        for name in (CHOOSE, WINDOW):
            if failure := ti.xcom_pull(task_ids=name, key=KEY):
                outcome = "refused" if failure.get("kind") == "refused" else "failed"
                text = f"Nothing was cleaned up: `{name}`: {failure['reason']}."
                yield Message(outcome, "log clean-up", text, request_details(context), links)
                return
        found = [each.run for each in outcomes(context) if each.state != "skipped"]
        if not found:
            say(self, "Left for the next run: nobody has to be told")
            return
        say(self, report_table(found))
        keep_cleanup(self, found, context)
        wrong = read_right_volumes(Sources.from_environment()).wrong
        yield run_message(found, links, request_details(context), wrong)
        for each in found:
            if each.placed is not None:
                yield from space_alerts(each.placed, each.answers, run, links)


class HeartbeatOperator(BaseOperator):
    """Sends the sign of life after a clean-up of every volume that went well; else it stays out, and is missed outside."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> str:
        """Returns what the monitor answered."""
        with readable_errors(self):
            if is_dry_run(context):
                raise self._stays_out("a dry run is no clean-up")
            try:
                retention = right_retention(Sources.from_environment())
            except RejectedError:
                wrong = "nothing in log_retention.yaml that a clean-up could go by is right; the outside monitor misses it"
                raise self._stays_out(f"{wrong}. `{CHOOSE}` says what to put right") from None
            if retention.heartbeat is None:
                raise self._stays_out("log_retention.yaml names no heartbeat")
            found = outcomes(context)
            done = {each.run.name for each in found if each.state == "success"}
            if by_hand(context) and done < {each.name for each in retention.volumes}:
                raise self._stays_out("this run was not asked to clean up every volume")
            if not found:
                raise self._stays_out("no volume was chosen; the outside monitor misses it")
            if missing := [each.run.name for each in found if each.run.name not in done]:
                names = ", ".join(missing)
                raise self._stays_out(
                    f"not everything was cleaned up ({names}); the outside monitor misses it"
                )
            said = send_heartbeat(self, retention.heartbeat)
            say(self, f"Heartbeat sent (connection {retention.heartbeat}): {said}")
            return said

    def _stays_out(self, why: str) -> AirflowSkipException:
        say(self, f"No heartbeat: {why}")
        return AirflowSkipException(why)


class TellRestoreOperator(BaseOperator):
    """Tells what was brought back, or why nothing was.

    Args:
        volume: its name.
        restored_by: id of the task that restores.
    """

    ui_color = "#e8f0e4"
    template_fields = ("volume",)

    def __init__(self, *, volume: str, restored_by: str = "restore", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume, self.restored_by = volume, restored_by

    @override
    def execute(self, context: Context) -> dict[str, list[str]]:
        """Returns which channels were told."""
        if is_dry_run(context):
            say(self, "Dry run: nobody is told")
            raise AirflowSkipException("dry run")
        ti: Any = context["ti"]
        failures = (ti.xcom_pull(task_ids=name, key=KEY) for name in ("check", self.restored_by))
        failure: dict[str, Any] = next((each for each in failures if each), {})
        answer = ti.xcom_pull(task_ids=self.restored_by) or {}
        with readable_errors(self):
            retention = times_of(Sources.from_environment())
            asked, facts = in_words(context["params"], retention.time_zone), answer.get("facts") or {}
            message = restored_message(
                self.volume,
                asked,
                facts,
                str(failure.get("reason") or ""),
                request_details(context),
                links_of(context),
                refused=failure.get("kind") == "refused",
                configured=retention.find(self.volume),
            )
            say(self, message.plain())
            found = tell_list(self, retention, message, context, logged=True)
        return {str(key): names for key, names in found.items()}
