"""One step of a clean-up: a Job beside the volume's user, waited for in the triggerer; or a process on this worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from typing_extensions import override

from include.jobs.ending import Ended
from include.logs.approving import plan_code, takes_something
from include.logs.dry import would
from include.logs.job_manifest import step_load
from include.logs.loading import PlacedVolume
from include.logs.program.layout import STATE
from include.logs.requesting import request_of
from include.logs.retention import Command
from include.logs.running import run_here, settle_step, start_step
from include.logs.summary import MARK, Answer, StepError
from include.release.environments import Environment
from include.release.kube import Cluster
from include.release.lease import Journal
from include.release.texts import moment
from plugins.hooks.cluster import ClusterHook
from plugins.operators.base import give_up, is_dry_run, run_name, say
from plugins.operators.locking import ask_airflow
from plugins.operators.log_meeting import held_by, waits_for_answer
from plugins.operators.log_volume import HELD, SEEN, VolumeOperator, step_errors
from plugins.operators.retrying import with_retry
from plugins.triggers.jobs import JobTrigger

LOOK_AGAIN = timedelta(seconds=60)
"""How often a rollback that is waited for is looked at."""


class StepOperator(VolumeOperator):
    """Runs one command of the program. A rerun finds the Job of the try before, or the answer on the volume.

    Args:
        command: the program's.
        planned_by: name of the task whose plan is carried out: without anything in it there is nothing to run. Empty for a
            step that needs no plan.
    """

    def __init__(self, *, command: Command, planned_by: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command: Command = command
        self.planned_by = planned_by

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns what the step answered, as ``Answer`` has it."""
        with step_errors(self):
            placed = self.placed()
            if self.planned_by:
                plan = self.plan(context)
                if is_dry_run(context) or placed.volume.dry_run:
                    say(self, would(self.command, placed.name, plan))
                    return Answer(self.command, {"dry_run": True}).as_dict()
                if not takes_something(plan):
                    say(self, f"{placed.name}: nothing to {self.command}, the plan is empty")
                    return Answer(self.command, {"nothing": True}).as_dict()
            return self.begin(placed, context)

    def begin(self, placed: PlacedVolume, context: Context) -> dict[str, Any]:
        """Run the step; a task that may not yet waits here."""
        return self.run_step(placed, context)

    def run_step(self, placed: PlacedVolume, context: Context, take_over: str = "") -> dict[str, Any]:
        """Start the step; waiting for a Job lets go of the worker."""
        asker = self.asker(context, take_over=take_over)
        request = request_of(placed, asker, self.restore(context))
        if placed.environment is None:
            try:
                answer = run_here(placed, self.command, request, self._say)
            except StepError as error:
                return self._ended_badly(error, placed, context)
            return self.done(answer, context)
        cluster = self._cluster(placed.environment)
        load, job = start_step(cluster, placed, self.command, request, asker, self._say)
        place = placed.environment
        trigger = JobTrigger.of(place.connection, place.namespace, load, job, unsaid=MARK)
        return self.defer(trigger=trigger, method_name="ended")

    def ended(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """The Job has ended, or cannot."""
        with step_errors(self):
            placed = self.placed()
            if placed.environment is None:
                raise give_up(self, f"{placed.name} was moved to the worker meanwhile: clear this task")
            asker = self.asker(context)
            request = request_of(placed, asker, self.restore(context))
            load = step_load(placed, self.command, request, asker)
            cluster = self._cluster(placed.environment)
            try:
                answer = settle_step(cluster, placed, self.command, load, Ended(**event), self._say)
            except StepError as error:
                return self._ended_badly(error, placed, context)
            return self.done(answer, context)

    def done(self, answer: Answer, context: Context) -> dict[str, Any]:  # noqa: ARG002 (for the report)
        """What is handed on of a step that did its work."""
        before = ", as it had in this run before" if answer.done_before else ""
        say(self, f"{self.volume}: {self.command} is done{before} ({answer.seconds:.1f} s, {answer.where})")
        return answer.as_dict()

    def restore(self, context: Context) -> dict[str, Any] | None:  # noqa: ARG002 (for the task that restores)
        """What is to be restored; None for all other steps."""
        return None

    def plan(self, context: Context) -> dict[str, Any]:
        """What the step ``plan`` answered. Raises AirflowFailException when it has not."""
        found = self.answer(context, self.planned_by)
        if found is None:
            raise give_up(self, f"The task {self.planned_by} handed nothing on; clear it first")
        return found.facts

    def _ended_badly(self, error: StepError, placed: PlacedVolume, context: Context) -> dict[str, Any]:
        """Another run holds the volume: take it over when that run has ended, else name it. Other errors are raised."""
        if isinstance(seen := error.facts.get("space"), dict):
            context["ti"].xcom_push(key=SEEN, value=seen)
        holder = error.holder
        if not holder:
            raise error
        ours = self.asker(context).link
        if holder["run"] == run_name(context) and (not ours or holder["link"] in ("", ours)):
            self._try_again(f"A step of this run still works on {placed.name}, by an earlier try of a task")
        fate = ask_airflow(context)(Journal(run=holder["run"], url=holder["link"]))
        if fate.holds:
            self._refuse(placed, holder, fate.state, context)
        if error.working:
            self._try_again(
                f"A step of {holder['run']}, which is {fate.state}, still works on {placed.name} at this moment"
            )
        say(self, f"{placed.name} was held by {holder['run']}, which is {fate.state}: taking it over")
        return self.run_step(placed, context, take_over=holder["run"])

    def _try_again(self, why: str) -> NoReturn:
        say(self, with_retry(self, f"{why}."), error=True)
        raise AirflowException(why)

    def _refuse(self, placed: PlacedVolume, holder: dict[str, str], state: str, context: Context) -> NoReturn:
        since = f" since {moment(holder['since'])}" if holder["since"] else ""
        link = f"\n  {holder['link']}" if holder["link"] else ""
        asks = state == "running" and waits_for_answer(holder["run"], context)
        by = f"{holder['run']} ({'running, a question of it waits for an answer' if asks else state}){since}"
        then = "answer its question, or wait until it has ended" if asks else "wait until it has ended"
        context["ti"].xcom_push(key=HELD, value=by)
        raise give_up(
            self,
            f"{placed.name} is held by {by}. This run has changed nothing there.{link}\n"
            f"What now: {then}, and clear this task. A run that cannot end is marked failed in "
            "its Airflow first: then this one takes the volume over. When its Airflow is no more, or nobody can say whose "
            f"run it is, remove {placed.volume.path}/{STATE}/holder.json on the volume.",
            reason=f"the volume is held by {by}; {then}, and clear the task `{self.task_id.rpartition('.')[2]}`",
            kind="refused",
        )

    def _cluster(self, place: Environment) -> Cluster:
        return ClusterHook(place.connection).get_conn()

    def _say(self, line: str) -> None:
        say(self, line)


class ChangingStepOperator(StepOperator):
    """A step that changes live logs: it needs the approval of this plan, and waits for a rollback of the application.

    Args:
        approved_by: name of the task that asks for the approval; empty where none is needed.
    """

    def __init__(self, *, approved_by: str = "approve", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approved_by = approved_by

    @override
    def begin(self, placed: PlacedVolume, context: Context) -> dict[str, Any]:
        if self.approved_by:
            self._require_approval(context)
        if placed.environment is not None and placed.volume.apps:
            place = placed.environment
            waits_for = held_by(self._cluster(place), place.namespace, placed.volume.apps, context)
            if waits_for:
                say(
                    self,
                    f"Waiting: {waits_for}. Logs that a rollback may read stay as they are; looking again in "
                    f"{LOOK_AGAIN.total_seconds():.0f} s.",
                )
                self.defer(trigger=TimeDeltaTrigger(LOOK_AGAIN), method_name="look_again")
        return self.run_step(placed, context)

    def look_again(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 (Airflow gives it)
        """Go on, or wait on."""
        with step_errors(self):
            return self.begin(self.placed(), context)

    def _require_approval(self, context: Context) -> None:
        found = self.handed_on(context, self.approved_by)
        code = plan_code(self.plan(context))
        if not isinstance(found, dict) or found.get("code") != code:
            raise give_up(
                self,
                f"{self.approved_by} has not let this plan ({code}) go on. Nothing has been changed by this task.\n"
                f"What now: clear {self.approved_by}.",
                kind="refused",
            )
