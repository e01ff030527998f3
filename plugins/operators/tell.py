"""Telling everyone on the environment's list what became of a change."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.environments import Environment
from include.release.loading import Sources
from include.release.telling import Message, rollback_title
from plugins.notifiers.telling import Told, tell_all
from plugins.operators.base import is_dry_run, run_name, say
from plugins.operators.ending import EndOperator, run_url


class TellOperator(EndOperator):
    """Tells each channel at least once. A channel that cannot be told never changes the outcome of the run.

    Args:
        documented_by: id of the task that writes the document.
        approved_by: id of the task that asks for an approval.
    """

    def __init__(
        self, *, documented_by: str = "as_built_document", approved_by: str = "approve", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.documented_by, self.approved_by = documented_by, approved_by

    @override
    def execute(self, context: Context) -> dict[Told, list[str]]:
        """Returns which channels were told now, which before, and which could not be told."""
        if is_dry_run(context):
            say(self, "Dry run: nobody is told")
            raise AirflowSkipException("dry run")
        environment = self._environment(context)
        if environment is None:
            say(self, "The environment is not known, so there is no list of people to tell", error=True)
            return {"told": [], "before": [], "failed": []}
        message = self.message(context)
        result = tell_all(self, message, environment, context)
        if result["failed"]:
            say(self, f"NOT TOLD: {'; '.join(result['failed'])}. Clear this task to try again.", error=True)
        return result

    def message(self, context: Context) -> Message:
        """What is told."""
        conclusion = self.conclusion(context)
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        approval = ti.xcom_pull(task_ids=self.approved_by) or {}
        details = {
            "Asked for by": getattr(dag_run, "triggering_user_name", None) or "nobody",
            "Reason": str(context["params"].get("reason", "")),
            "Approved by": str(approval.get("by") or "") if isinstance(approval, dict) else "",
            "Run": run_name(context),
        }
        links = {
            "Run in Airflow": run_url(context),
            "Document": str(ti.xcom_pull(task_ids=self.documented_by) or ""),
        }
        return Message(conclusion.outcome, self._named(context), conclusion.text, details, links)

    def _named(self, context: Context) -> str:
        """The change in the subject, with its kind where that is not a release."""
        if self.kind != "rollback":
            return self.title(context)
        frozen, params = self.frozen(context), context["params"]
        if frozen is not None:
            return rollback_title(frozen.release.app, frozen.environment.name, frozen.release.name)
        asked = [str(params.get(name, "?")) for name in ("app", "environment", "target")]
        return rollback_title(*asked)

    def _environment(self, context: Context) -> Environment | None:
        """The environment, from the file when nothing was frozen."""
        frozen = self.frozen(context)
        if frozen is not None:
            return frozen.environment
        try:
            return Sources.from_environment().environments().find(str(context["params"]["environment"]))
        except Exception as error:  # (that file may be what stopped the run)
            self.log.warning("The environments cannot be read: %s", error)
            return None
