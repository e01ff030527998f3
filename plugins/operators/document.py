"""The record of a change: its document, and its entry in the history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context, ObjectStoragePath
from airflow.sdk.exceptions import AirflowException
from typing_extensions import override

from include.records.models import Change, Outcome
from include.release.approval import Approval
from include.release.conclusion import Conclusion
from include.release.document import Run, StepDone, choose_revision, file_name, render
from include.release.environments import Environment
from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.problems import RejectedError
from include.release.reading_back import read_back
from include.release.rollback_plan import RollbackPlan
from include.release.storing import document_store
from plugins.hooks.cluster import ClusterHook
from plugins.hooks.records import RecordsHook
from plugins.operators.base import is_dry_run, readable_errors, run_name, say
from plugins.operators.ending import EndOperator, run_url

PLAIN_PARAMS = frozenset({"release", "environment", "dry_run", "reason"})


class AsBuiltOperator(EndOperator):
    """Writes the document of this run and records the change, for failed and refused runs too.

    Written again after the run was cleared it is a new revision: an earlier document is never lost.

    Args:
        tasks: ids of the tasks whose results are told, where they are not the usual ones.
    """

    USUAL = {
        "gate": "gate",
        "preflight": "preflight",
        "approve": "approve",
        "migrate": "migrate",
        "smoke_check": "smoke_check",
        "verify_build": "verify_build",
        "qa_verdict": "qa_verdict",
    }

    def __init__(self, *, tasks: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = {**self.USUAL, **(tasks or {})}

    @override
    def execute(self, context: Context) -> str:
        """Returns the document's URL; a dry run shows it in the log only."""
        with readable_errors(self):
            conclusion = self.conclusion(context)
            frozen = self.frozen(context)
            if frozen is None:
                say(self, f"Nothing was frozen, so there is no document to write. {conclusion.text}")
                if not is_dry_run(context):
                    self._record_unfrozen(context, conclusion)
                return ""
            run = self._run(frozen, context, conclusion)
            text = render(frozen, run)
            if run.dry_run:
                say(self, f"Dry run: the document is shown here and not stored\n{text}")
                return ""
            place = self._store(frozen, run, text)
            self._record(frozen, context, conclusion, run, place)
            return place

    def _store(self, frozen: Frozen, run: Run, text: str) -> str:
        store = ObjectStoragePath(document_store(frozen))

        def read(name: str) -> str | None:
            place = store / name
            return place.read_text() if place.exists() else None

        try:
            name, there = choose_revision(
                lambda revision: file_name(frozen, run.run_id, self.kind, revision), read, text
            )
            place = store / name
            if there:
                say(self, f"Document: {place}, as it was written before")
                return str(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all, should this be killed half-way.
            part = place.parent / f"{place.name}.part"
            part.write_text(text)
            try:
                part.move(place)
            except FileNotFoundError:
                # A second copy of this task (its worker was taken for dead) has put the same document there.
                if read(name) != text:
                    raise
        except OSError as error:
            raise AirflowException(f"The document cannot be stored in {store}: {error}") from None
        say(self, f"Document: {place}")
        return str(place)

    def _run(self, frozen: Frozen, context: Context, conclusion: Conclusion) -> Run:
        dag_run: Any = context["dag_run"]
        cluster = None if is_dry_run(context) else self._cluster(frozen)
        preflight = self._pull(context, "preflight") or {}
        approval = self._pull(context, "approve")
        return Run(
            run_id=dag_run.run_id,
            kind=self.kind,
            outcome=conclusion.outcome,
            summary=conclusion.text,
            user=self._user(context) or "nobody (not triggered by a user)",
            reason=str(context["params"].get("reason", "")),
            started=self._started(context).isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            dry_run=is_dry_run(context),
            url=run_url(context),
            said=self._said(context),
            steps=self._steps(context),
            approval=Approval.model_validate(approval) if isinstance(approval, dict) else None,
            answers=self._pull(context, "approve", "answers") or [],
            verdicts=self._pull(context, "gate") or [],
            given=self._pull(context, "qa_verdict") or [],
            previous=str(preflight.get("previous") or ""),
            applied_before=preflight.get("applied"),
            migrations=self._pull(context, "migrate", "migrations") or [],
            smoke=self._pull(context, "smoke_check", "answers") or [],
            seen=self._pull(context, "verify_build", "seen") or [],
            plan_text=self._plan_text(context),
            undone=[*self._back(context, "undo_first"), *self._back(context, "undo_after")],
            restored=self._back(context, "restore"),
            objects=self._live(frozen, cluster) if cluster is not None else [],
        )

    def _pull(self, context: Context, task: str, key: str = "return_value") -> Any:
        task_id = self.tasks[task]
        return context["ti"].xcom_pull(task_ids=task_id, key=key) if self.dag.has_task(task_id) else None

    def _back(self, context: Context, task: str) -> Any:
        """What a task of the rollback returned: of the automatic one, or of the run that is one itself."""
        task_id = task if self.kind == "rollback" else f"{self.rollback_group}.{task}"
        return (context["ti"].xcom_pull(task_ids=task_id) if self.dag.has_task(task_id) else None) or []

    def _plan_text(self, context: Context) -> str:
        task_id = "plan" if self.kind == "rollback" else f"{self.rollback_group}.plan"
        if not self.dag.has_task(task_id):
            return ""
        found = context["ti"].xcom_pull(task_ids=task_id, key="plan")
        return RollbackPlan.model_validate(found).text if found else ""

    def _steps(self, context: Context) -> list[StepDone]:
        """State, seconds and reason of the tasks of the change."""
        states = self.states(context)
        return [
            StepDone(
                step.task_id,
                step.state,
                states.get(step.task_id, {}).get("duration"),
                step.why if step.state == "failed" else "",
            )
            for step in self.steps(context)
        ]

    def _said(self, context: Context) -> dict[str, str]:
        """What was said beside the plain params when the run was triggered, by the title of the param."""
        said = {}
        for name, value in context["params"].items():
            if name in self.dag.params and name not in PLAIN_PARAMS:
                param = self.dag.params.get_param(name)
                if value and value != param.value:
                    said[str(param.schema.get("title", name))] = str(value)
        return said

    def _user(self, context: Context) -> str:
        return str(getattr(context["dag_run"], "triggering_user_name", None) or "")

    def _started(self, context: Context) -> datetime:
        dag_run: Any = context["dag_run"]
        started: datetime = dag_run.start_date or dag_run.run_after
        return started.astimezone(UTC)

    def _cluster(self, frozen: Frozen) -> Cluster | None:
        try:
            return ClusterHook(frozen.environment.connection).get_conn()
        except RejectedError as error:
            self.log.warning("The objects cannot be read back: %s", error)
            return None

    def _live(self, frozen: Frozen, cluster: Cluster) -> list[dict[str, Any]]:
        """The objects as they are in the cluster; a document without them is better than none."""
        try:
            return read_back(cluster, frozen)
        except Exception as error:  # (whatever is wrong with the cluster)
            self.log.warning("The objects cannot be read back: %s", error)
            return []

    def _record(self, frozen: Frozen, context: Context, conclusion: Conclusion, run: Run, place: str) -> None:
        approval = run.approval
        change = Change(
            run=run_name(context),
            kind=self.kind,
            app=frozen.release.app,
            environment=frozen.environment.name,
            release=frozen.release.name,
            number=frozen.release.number,
            spec_digest=frozen.digest,
            images=frozen.images,
            user=self._user(context),
            reason=run.reason,
            started=self._started(context),
            ended=datetime.now(UTC),
            outcome=recorded(conclusion),
            summary=conclusion.text,
            approved_by=approval.by if approval else "",
            approved_at=approval.at if approval else None,
            approval_reason=approval.why if approval else "",
            document=place,
            details={"url": run.url, "previous": run.previous},
        )
        self._save(change, frozen.environment)

    def _record_unfrozen(self, context: Context, conclusion: Conclusion) -> None:
        """A run that was refused before anything was frozen: recorded as far as its files tell what it was about."""
        params = context["params"]
        try:
            environment = Sources.from_environment().environments().find(str(params["environment"]))
            about = self._about(params)
        except (RejectedError, KeyError) as error:
            self.log.warning("It is not recorded, as the files do not tell what it was about: %s", error)
            return
        if environment is None:
            self.log.warning("It is not recorded: there is no environment %s", params["environment"])
            return
        change = Change(
            **about,
            run=run_name(context),
            kind=self.kind,
            environment=environment.name,
            user=self._user(context),
            reason=str(params.get("reason", "")),
            started=self._started(context),
            ended=datetime.now(UTC),
            outcome=recorded(conclusion),
            summary=conclusion.text,
            details={"url": run_url(context)},
        )
        self._save(change, environment)

    def _about(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """App, release and number that were asked for."""
        if self.kind == "rollback":
            app = str(params["app"])
            if problem := Sources.from_environment().wrong_app(app):
                raise RejectedError([problem], subject="the params")
            return {"app": app, "release": str(params["target"]), "number": 0}
        release = Sources.from_environment().read_release(str(params["release"])).release
        return {"app": release.app, "release": release.name, "number": release.number}

    def _save(self, change: Change, environment: Environment) -> None:
        records = RecordsHook(environment.records).get_conn()
        before = records.change(change.run)
        if before is not None and before.started < change.started:
            change = change.model_copy(update={"started": before.started})
        records.save_change(change)
        records.prune(datetime.now(UTC), environment.keep_records_days)
        say(self, f"Recorded: {change.run}, {change.outcome}")


def recorded(conclusion: Conclusion) -> Outcome:
    """The outcome as the history has it. Raises ValueError for a dry run, which is in no history."""
    if conclusion.outcome == "dry run":
        raise ValueError("a dry run is not recorded")
    return conclusion.outcome
