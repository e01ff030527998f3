"""The preflight task: what the cluster says to the change before it is made, and what to go back to."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from airflow.sdk import Context

from include.release.frozen import Frozen
from include.release.kube import Cluster, KubeError
from include.release.live import going_back
from include.release.migrating import MigrationError
from include.release.permissions import check_permissions
from include.release.preflight import Change, check_cluster, connection_problem, grouped
from include.release.saved import SavedState, keep, live_digest, live_objects, state_of, stored_release
from include.release.texts import plural, table
from include.release.undoing import ask_ledger
from plugins.operators.base import ReleaseOperator, asked_by, give_up, run_name, say
from plugins.operators.gate import read_gate
from plugins.operators.locking import lock_of

ROUTE = "route"
"""XCom of a rollback's first task: the releases that are undone."""


class PreflightOperator(ReleaseOperator):
    """Asks the API server about every object and permission, asks the ledger, and saves the state to go back to.

    Args:
        kind: a rollback takes fields that somebody changed by hand, and applies no migration.
    """

    def __init__(self, *, kind: Literal["release", "rollback"] = "release", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind: Literal["release", "rollback"] = kind

    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns what would change, what is applied, and the name of the saved state."""
        try:
            server = f"{cluster.address} (Kubernetes {cluster.version()})"
            permissions = check_permissions(cluster, frozen)
            answers = check_cluster(cluster, frozen, run_name(context), rollback=self.kind == "rollback")
            notice = going_back(cluster, frozen) if self.kind == "release" else ""
            live = live_objects(cluster, frozen)
        except KubeError as error:
            raise connection_problem(frozen.environment, error, cluster.address) from error
        warnings = grouped(answers.warnings)
        say(self, f"Cluster: {server}, namespace {frozen.environment.namespace}")
        say(self, f"Permissions: all {permissions} that the change and its rollback need are there")
        say(self, shown(answers.changes))
        if warnings:
            say(self, "\n".join(["The API server warns:", *(f"  {text}" for text in warnings)]))
        if notice:
            say(self, notice)
        applied = None if dry_run else self._applied(frozen, cluster, context)
        saved = None if dry_run else self._save(frozen, cluster, context, live, applied)
        steps = frozen.release.steps
        return {
            "server": server,
            "warnings": warnings,
            "notice": notice,
            "changes": [asdict(each) for each in answers.changes],
            "live": live_digest(live),
            "applied": applied,
            "pending": [step.id for step in steps if step.id not in (applied or [])],
            "saved_state": saved.name if saved else "",
            "previous": saved.previous if saved else "",
        }

    def _applied(self, frozen: Frozen, cluster: Cluster, context: Context) -> list[str] | None:
        """What the ledger has. The build that knows most is asked: the newest that the change is about."""
        releases = [*self._undone(frozen, cluster, context), frozen]
        asked = next(
            (each for each in releases if each.release.migrations and each.release.migrations.status), None
        )
        if asked is not None:
            # Nobody has approved this build yet. Where there is a gate, it has to be open for it at this moment.
            gated = bool(self.kind == "release" and read_gate(frozen))
            open_for = ", for which the gate is open" if gated else ""
            say(self, f"The ledger is asked by a Job of {asked.release.name}'s build{open_for}; its command "
                      "`migrations.status` only reads")  # fmt: skip
        by = f"{asked_by(context)}/{self.task_id}"
        try:
            ledger = ask_ledger(cluster, releases, by, lambda line: say(self, line))
        except MigrationError as error:
            raise give_up(self, str(error)) from None
        if ledger.applied is None:
            say(self, "The ledger is not asked: no spec says how (migrations.status)")
        else:
            say(
                self,
                f"The ledger has {plural(len(ledger.applied), 'migration')}: {', '.join(ledger.applied) or '-'}",
            )
        return ledger.applied

    def _undone(self, frozen: Frozen, cluster: Cluster, context: Context) -> list[Frozen]:
        route = context["ti"].xcom_pull(task_ids=self.frozen_by, key=ROUTE) or {}
        found = [
            stored_release(cluster, frozen.environment, each["spec"]) for each in route.get("layers", [])
        ]
        return [each for each in found if each is not None]

    def _save(
        self,
        frozen: Frozen,
        cluster: Cluster,
        context: Context,
        live: list[dict[str, Any]],
        applied: list[str] | None,
    ) -> SavedState:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        run = run_name(context)
        over = [each.saved_state for each in lock_of(frozen, cluster).read().left if each.run != run]
        found = state_of(
            cluster,
            frozen,
            live,
            run=run,
            kind=self.kind,
            applied=applied,
            taken_at=now,
            over=[name for name in over if name],
        )
        saved = keep(cluster, frozen.environment.namespace, found)
        word = "Saved" if saved is found else f"Saved by this run before, at {saved.taken_at}"
        say(self, f"{word}: the state to roll back to, ConfigMap {saved.name}: {saved.previous}, "
                  f"{plural(len(saved.objects), 'object')}, {len(saved.absent)} not there yet")  # fmt: skip
        return saved


def shown(changes: list[Change]) -> str:
    """The table of the task log, and the differences."""
    rows = [(each.kind, each.name, each.outcome) for each in changes]
    lines = [table(("kind", "name", "would be"), rows)]
    lines += [each.diff for each in changes if each.outcome == "changed" and each.diff]
    return "\n".join(lines)
