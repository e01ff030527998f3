"""What an approval is given for now, and before the first change: is this approved, and still what was approved?

The approval is read from the XCom of the task that asked. Airflow lets a task read its own question only, so there is
nothing to compare it with: whoever may write XComs can forge one. `docs/release.md` says which permission that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from include.release.applying import apply_object
from include.release.approval import Approval, Basis, Kind, basis_of, is_needed, object_name, require
from include.release.frozen import Frozen
from include.release.gate import check_gate
from include.release.kube import Cluster
from include.release.saved import live_objects, read_saved, saved_name
from plugins.hooks.records import RecordsHook

ROLLBACK_DAG = "rollback"


@dataclass(frozen=True)
class Now:
    """What an answer given at this moment would be for."""

    basis: Basis
    verdicts: list[dict[str, Any]]
    applied: list[str] | None


def look(
    frozen: Frozen,
    cluster: Cluster,
    run: str,
    kind: Kind,
    plan: Mapping[str, Any] | None = None,
    *,
    gate: bool = True,
) -> Now:
    """Read all that an approval is bound to. The gate is read again too.

    Args:
        frozen: what would be brought.
        cluster: where to.
        run: ``dag_id/run_id``.
        kind: release or rollback.
        plan: of a rollback.
        gate: read the gate; only a dry run that has found it closed goes on without.

    Raises:
        RejectedError: the gate is closed.
        KubeError, RecordsError: the cluster or the records do not answer.
    """
    saved = read_saved(cluster, frozen.environment.namespace, saved_name(frozen.release.app, run))
    applied = saved.applied if saved else None
    verdicts = []
    if gate and kind == "release" and frozen.environment.gate.required:
        verdicts = check_gate(frozen, RecordsHook(frozen.environment.records).get_conn())
    return Now(basis_of(frozen, live_objects(cluster, frozen), verdicts, applied, plan), verdicts, applied)


def require_approval(
    operator: BaseOperator, frozen: Frozen, cluster: Cluster, context: Context, approved_by: str
) -> None:
    """Refuse to go on without an approval of exactly this, where the environment asks for one.

    Args:
        operator: the task that is about to change something.
        frozen: what it brings.
        cluster: where to.
        context: of the task.
        approved_by: id of the task that asked.

    Raises:
        RejectedError: none is on record, or it is for something else, or too old.
    """
    ti: Any = context["ti"]
    dag_run: Any = context["dag_run"]
    kind: Kind = "rollback" if dag_run.dag_id == ROLLBACK_DAG else "release"
    if not is_needed(frozen.environment.approval, kind):
        return
    on_record = ti.xcom_pull(task_ids=approved_by)
    approval = Approval.model_validate(on_record) if isinstance(on_record, dict) else None
    cleared = int(getattr(dag_run, "clear_number", 0) or 0)
    run = f"{dag_run.dag_id}/{dag_run.run_id}"
    plan_by = getattr(operator, "plan_by", "") if kind == "rollback" else ""
    plan = ti.xcom_pull(task_ids=plan_by) if plan_by else None

    def still_changes(name: str) -> bool:
        manifest = next(each for each in frozen.objects if object_name(each) == name)
        force = True if kind == "rollback" else None
        return apply_object(cluster, manifest, frozen, run, dry_run=True, force=force).outcome != "unchanged"

    require(
        approval,
        frozen,
        kind,
        now=datetime.now(UTC),
        # One that is followed by its changes without a break stays good to their end.
        check_age=not _begun(operator, ti) or (approval is not None and cleared > approval.clear_number),
        current=lambda: look(frozen, cluster, run, kind, plan).basis,
        still_changes=still_changes,
        ask_task=approved_by,
    )


def _begun(operator: BaseOperator, ti: Any) -> bool:
    """Whether a task before this one has changed something in this run."""
    before = operator.get_flat_relatives(upstream=True)
    changing = [task.task_id for task in before if getattr(task, "changes_cluster", False)]
    return any(ti.xcom_pull(task_ids=task_id) is not None for task_id in changing)
