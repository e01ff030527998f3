"""The gate before a release, and the verdict after one that was a try."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.records.models import Verdict, utc_now
from include.release.frozen import Frozen
from include.release.gate import check_gate, verdict_lines
from include.release.kube import Cluster
from include.release.problems import RejectedError
from include.release.qa import PASSES, TRIES, judge_run, verdicts_of
from plugins.hooks.records import RecordsHook
from plugins.operators.base import ReleaseOperator, run_name, say
from plugins.operators.failure import KEY


class GateOperator(ReleaseOperator):
    """Lets a release on only while the newest verdict on each of its builds is a pass, where that is required."""

    @override
    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns the verdicts, one row per image. A dry run says what the gate would refuse, and goes on."""
        environment = frozen.environment
        if not environment.gate.required:
            say(
                self,
                f"{environment.name} has no gate (gate.required is not set): every locked build may come",
            )
            return []
        try:
            rows = read_gate(frozen)
        except RejectedError as error:
            if not dry_run:
                raise
            say(self, f"Dry run: the gate would refuse this release.\n{error}")
            return []
        say(self, f"The gate of {environment.name} is open for {len(rows)} of {len(rows)} builds:")
        for line in verdict_lines(rows):
            say(self, f"  {line}")
        return rows


def read_gate(frozen: Frozen) -> list[dict[str, Any]]:
    """The verdicts of now; nothing where no gate is required.

    Raises:
        RejectedError: the gate is closed, or the connection to the records is missing.
        RecordsError: the records cannot be read.
    """
    if not frozen.environment.gate.required:
        return []
    return check_gate(frozen, RecordsHook(frozen.environment.records).get_conn())


class QaVerdictOperator(ReleaseOperator):
    """Records what a release to a trying environment found out about its builds.

    It runs whatever happened before it. Saying the same again for one run and build adds nothing.
    """

    afterwards = True

    def __init__(self, *, trigger_rule: str = "all_done", **kwargs: Any) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)

    @override
    def execute(self, context: Context) -> Any:
        """Returns the verdicts; skipped where a release is no verdict."""
        if not self.frozen_text(context):
            self._skip("The first task froze nothing, so no build was tried")
        return super().execute(context)

    @override
    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Judge and record."""
        environment = frozen.environment
        if not environment.gives_verdict:
            self._skip(f"A release to {environment.name} is no verdict on its builds")
        if dry_run:
            self._skip("Dry run: no build was tried")
        judged = judge_run(self._states(context), self._failures(context), self._results(context))
        if judged.passed is None:
            self._skip(f"No verdict is recorded: {judged.reason}")
        dag_run: Any = context["dag_run"]
        user = getattr(dag_run, "triggering_user_name", None) or "nobody"
        records = RecordsHook(environment.records).get_conn()
        kept: list[Verdict] = [
            records.add_verdict(each)
            for each in verdicts_of(frozen, judged, run_name(context), user, self._link(context), utc_now())
        ]
        for each in kept:
            say(self, f"Verdict on {each.image} ({each.digest[:19]}): {each.text}", error=not each.passed)
        return [each.model_dump(mode="json") for each in kept]

    def _skip(self, why: str) -> None:
        say(self, why)
        raise AirflowSkipException(why)

    def _states(self, context: Context) -> dict[str, str]:
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        crumbs = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
        return {each["task_id"]: str(each["state"]) for each in crumbs}

    def _failures(self, context: Context) -> dict[str, dict[str, str]]:
        found = {task: context["ti"].xcom_pull(task_ids=task, key=KEY) for task in TRIES}
        return {task: failure for task, failure in found.items() if isinstance(failure, dict)}

    def _results(self, context: Context) -> set[str]:
        return {task for task in PASSES if context["ti"].xcom_pull(task_ids=task) is not None}

    def _link(self, context: Context) -> str:
        url: str = getattr(context["ti"], "log_url", "") or ""
        return url
