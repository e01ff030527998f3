"""What the tasks at the end of a run have in common: they look back on it, whatever became of it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from include.release.conclusion import Conclusion, Kind, Step, conclude, what_serves
from include.release.frozen import Frozen
from plugins.hooks.cluster import ClusterHook
from plugins.operators import locking
from plugins.operators.base import FrozenOperator, is_dry_run
from plugins.operators.failure import KEY

CONCLUSION = "conclusion"
SAID = "said"
ENDED = frozenset({"success", "failed"})


class EndOperator(FrozenOperator):
    """A task at the end of a run.

    Args:
        kind: what the run does.
        concluded_by: id of the task that concludes it; what comes after that is not part of the change.
        rollback_group: id of the task group of the automatic rollback.
    """

    def __init__(
        self,
        *,
        kind: Kind = "release",
        concluded_by: str = "conclude",
        rollback_group: str = "roll_back",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kind: Kind = kind
        self.concluded_by, self.rollback_group = concluded_by, rollback_group

    def frozen(self, context: Context) -> Frozen | None:
        """The frozen release; None when there is none that can be read."""
        try:
            text = self.frozen_text(context)
            return Frozen.from_json(text) if text else None
        except ValueError as error:
            self.log.warning("What was frozen cannot be read: %s", error)
            return None

    def title(self, context: Context) -> str:
        """How texts name the change, also when nothing was frozen."""
        frozen = self.frozen(context)
        if frozen is not None:
            return frozen.title
        params = context["params"]
        if self.kind == "rollback":
            return (
                f"{params.get('target', '?')} ({params.get('app', '?')}) in {params.get('environment', '?')}"
            )
        return f"{params.get('release', '?')} in {params.get('environment', '?')}"

    def conclusion(self, context: Context) -> Conclusion:
        """What the concluding task said; worked out here when it did not run (somebody ended the run)."""
        said = context["ti"].xcom_pull(task_ids=self.concluded_by, key=CONCLUSION)
        if said:
            return Conclusion(said["outcome"], said["text"], bool(said.get("good")))
        return self.conclude(context)

    def conclude(self, context: Context) -> Conclusion:
        """What became of the run, from its tasks' states and what they left."""
        dry_run = is_dry_run(context)
        frozen = self.frozen(context)
        serving = "" if dry_run or frozen is None else self._serving(frozen)
        steps = self.steps(context)
        by_hand = (self.states(context).get(self.concluded_by) or {}).get("state") == "skipped"
        return conclude(
            self.kind,
            self.title(context),
            steps,
            dry_run=dry_run,
            serving=serving,
            ended_by_hand=by_hand,
        )

    def steps(self, context: Context) -> list[Step]:
        """How the tasks of the change ended, in their order, with what the failed ones gave as their reason.

        A task of the automatic rollback, or one whose class says that it ``speaks``, may leave sentences for the
        paragraph as its XCom ``said``.
        """
        ti: Any = context["ti"]
        states = self.states(context)
        after = self._after()
        steps = []
        for task in self.dag.topological_sort():  # type: ignore[no-untyped-call]
            task_id = task.task_id
            if task_id in after:
                continue
            state = str((states.get(task_id) or {}).get("state") or "")
            failure = (ti.xcom_pull(task_ids=task_id, key=KEY) or {}) if state == "failed" else {}
            rolls_back = task_id.startswith(f"{self.rollback_group}.")
            speaks = (rolls_back or getattr(task, "speaks", False)) and state in ENDED
            steps.append(
                Step(
                    task_id=task_id,
                    state=state,
                    changes=bool(getattr(task, "changes_cluster", False)),
                    rolls_back=rolls_back,
                    reason=str(failure.get("reason", "")),
                    trouble=failure.get("kind", "trouble") == "trouble",
                    refused=failure.get("kind") == "refused",
                    said=str((ti.xcom_pull(task_ids=task_id, key=SAID) or "") if speaks else ""),
                    afterwards=bool(getattr(task, "afterwards", False)),
                )
            )
        return steps

    def states(self, context: Context) -> dict[str, dict[str, Any]]:
        """State and seconds of every task of the run that has ended, by its id."""
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        return {each["task_id"]: each for each in ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)}

    def _after(self) -> set[str]:
        """The concluding task and all that comes after it."""
        if not self.dag.has_task(self.concluded_by):
            return {self.task_id}
        last = self.dag.get_task(self.concluded_by)
        return {self.task_id, last.task_id, *last.get_flat_relative_ids(upstream=False)}

    def _serving(self, frozen: Frozen) -> str:
        """What serves now; the paragraph comes without it when the cluster does not answer."""
        try:
            cluster = ClusterHook(frozen.environment.connection).get_conn()
            return what_serves(cluster, frozen.environment.namespace, frozen.release.app)
        except Exception as error:  # (a conclusion without it is better than none)
            self.log.warning("The cluster cannot be asked what serves: %s", error)
            return "What serves now is not known: the cluster does not answer."


def run_url(context: Context) -> str:
    """The run's page in Airflow; empty when Airflow has no ``api.base_url``."""
    dag_run: Any = context["dag_run"]
    return locking.run_url(dag_run.dag_id, dag_run.run_id)
