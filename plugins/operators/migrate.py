"""The migration task: Jobs, one after the other, with their logs in the task log."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from include.release.frozen import Frozen
from include.release.jobs import job_for
from include.release.known_ledger import Known, known_ledger
from include.release.kube import Cluster
from include.release.migrating import MigrationError, Runner
from include.release.texts import table
from plugins.operators.base import ReleaseOperator, asked_by, give_up, say
from plugins.operators.giving_way import hold_order_batches


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
            say(self, self._would_run(frozen, known_ledger(cluster, frozen), context))
            return []
        self._hold_batches(frozen, cluster, context)
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

    def _hold_batches(self, frozen: Frozen, cluster: Cluster, context: Context) -> None:
        """Batches of orders give way to migrations; not to a release that has none to apply."""
        applied = (context["ti"].xcom_pull(task_ids="preflight") or {}).get("applied")
        if applied is None or any(step.id not in applied for step in frozen.release.steps):
            hold_order_batches(self, frozen, cluster, context)

    def _would_run(self, frozen: Frozen, known: Known | None, context: Context) -> str:
        lines = ["Dry run: each Job asks the ledger first, and does nothing when its migration is applied."]
        lines.append(
            f"What would run, by what is known since {known.since}; the ledger itself is not asked by a dry run:"
            if known
            else "What is applied is not known; a dry run does not ask the ledger:"
        )
        rows = [
            (
                step.id,
                step.title,
                known.state(step.id) if known else "not known",
                job_for(frozen, step, asked_by(context))["metadata"]["name"],
            )
            for step in frozen.release.steps
        ]
        return "\n".join([*lines, table(("migration", "what", "state", "job"), rows)])

    def _record(self, context: Context, done: list[dict[str, Any]]) -> None:
        # The as-built document tells of a failed run too, where this task returns nothing.
        context["ti"].xcom_push(key="migrations", value=done)
