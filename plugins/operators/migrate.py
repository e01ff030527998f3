"""The migration task: Jobs, one after the other, with their logs in the task log."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from include.release.frozen import Frozen
from include.release.jobs import job_for
from include.release.kube import Cluster
from include.release.migrating import MigrationError, Runner
from include.release.texts import table
from plugins.operators.base import ReleaseOperator, asked_by, give_up, say


class MigrateOperator(ReleaseOperator):
    """Runs the release's migrations. Each asks the database's ledger, and does nothing when it is applied."""

    changes_cluster = True
    needs_approval = True

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns per migration what its Job said."""
        migrations = frozen.release.migrations
        if migrations is None:
            say(self, f"{frozen.release.name} has no migrations")
            return []
        if dry_run:
            rows = [
                (step.id, step.title, job_for(frozen, step, asked_by(context))["metadata"]["name"])
                for step in migrations.steps
            ]
            say(
                self,
                "Dry run: these Jobs would run; each does nothing when the ledger says that it is applied",
            )
            say(self, table(("migration", "what", "job"), rows))
            return []
        runner = Runner(cluster, frozen, asked_by(context), lambda line: say(self, line))
        done: list[dict[str, Any]] = []
        for step in migrations.steps:
            try:
                migrated = runner.run(step)
            except MigrationError as error:
                self._record(context, [*done, {"id": step.id, "result": "failed"}])
                raise give_up(self, str(error)) from None
            done.append(
                {
                    "id": step.id,
                    "job": migrated.job,
                    "result": migrated.said,
                    "seconds": round(migrated.seconds, 1),
                }
            )
            self._record(context, done)
        say(
            self,
            table(
                ("migration", "seconds", "last line"),
                [(each["id"], each["seconds"], each["result"]) for each in done],
            ),
        )
        return done

    def _record(self, context: Context, done: list[dict[str, Any]]) -> None:
        # The as-built document tells of a failed run too, where this task returns nothing.
        context["ti"].xcom_push(key="migrations", value=done)
