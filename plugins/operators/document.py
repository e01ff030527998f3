"""The as-built document: what the release is, and what was deployed as the cluster tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context, ObjectStoragePath
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.release.document import Run, file_name, render
from include.release.frozen import Frozen
from include.release.kube import Cluster, KubeError
from include.release.storing import document_store
from plugins.operators.base import ReleaseOperator, is_dry_run, say


class AsBuiltOperator(ReleaseOperator):
    """Writes the document of this run, for failed runs too. Writing it again replaces it."""

    def execute(self, context: Context) -> Any:
        """Returns the document's URL; a dry run shows it in the log only."""
        if not self.frozen_text(context):
            say(self, "The first task froze nothing, so nothing was changed and there is nothing to record")
            raise AirflowSkipException("nothing was released")
        return super().execute(context)

    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> str:
        """Render and store."""
        text = render(frozen, self._run(frozen, cluster, context))
        if dry_run:
            say(self, f"Dry run: the document is shown here and not stored\n{text}")
            return ""
        place = ObjectStoragePath(document_store(frozen)) / file_name(frozen, str(context["dag_run"].run_id))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        except OSError as error:
            raise AirflowException(f"The as-built document cannot be stored at {place}: {error}") from None
        say(self, f"As-built document: {place}")
        return str(place)

    def _run(self, frozen: Frozen, cluster: Cluster, context: Context) -> Run:
        dag_run: Any = context["dag_run"]
        ti: Any = context["ti"]
        started = dag_run.start_date or dag_run.run_after
        return Run(
            run_id=dag_run.run_id,
            user=getattr(dag_run, "triggering_user_name", None) or "nobody (not triggered by a user)",
            reason=context["params"]["reason"],
            started=started.astimezone(UTC).isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            dry_run=is_dry_run(context),
            tasks=self._tasks(ti, dag_run),
            migrations=ti.xcom_pull(task_ids="migrate", key="migrations") or [],
            answers=ti.xcom_pull(task_ids="smoke_check", key="answers") or [],
            objects=[] if is_dry_run(context) else self._live(frozen, cluster),
        )

    def _tasks(self, ti: Any, dag_run: Any) -> list[dict[str, Any]]:
        """State and seconds of the tasks before this one."""
        crumbs = {each["task_id"]: each for each in ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)}
        rows = []
        for task in self.dag.topological_sort():  # type: ignore[no-untyped-call]
            if task.task_id == self.task_id:
                continue
            crumb = crumbs.get(task.task_id, {})
            rows.append(
                {
                    "task_id": task.task_id,
                    "state": str(crumb.get("state") or "not run"),
                    "duration": crumb.get("duration"),
                }
            )
        return rows

    def _live(self, frozen: Frozen, cluster: Cluster) -> list[dict[str, Any]]:
        """The release's objects as they are in the cluster; a document without them is better than none."""
        found = []
        try:
            for manifest in (*frozen.config_maps, *frozen.objects):
                live = cluster.get(
                    manifest["kind"], frozen.environment.namespace, manifest["metadata"]["name"]
                )
                if live is not None:
                    found.append({"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **live})
        except KubeError as error:
            self.log.warning("The objects cannot be read back: %s", error)
        return found
