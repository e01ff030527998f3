"""The deploy task: server-side apply of every object."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from include.release.applying import apply_object
from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.texts import indented
from plugins.operators.base import ReleaseOperator, requested_at, run_name, say
from plugins.operators.gate import read_gate


class DeployOperator(ReleaseOperator):
    """Applies the frozen objects; applying them again changes nothing. A dry run shows the exact difference.

    Args:
        gated: read the gate again right before. A rollback does not: what it goes back to has served already, and
            has to be possible whatever was found out since.
    """

    changes_cluster = True

    def __init__(self, *, gated: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gated = gated

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns per object what became of it."""
        if self.gated and not dry_run:
            read_gate(frozen)
        results = []
        for manifest in frozen.objects:
            applied = apply_object(
                cluster,
                manifest,
                frozen,
                run_name(context),
                dry_run=dry_run,
                requested_at=requested_at(context),
            )
            name = f"{applied.kind} {applied.name}"
            if dry_run and applied.diff:
                say(self, f"Dry run: {name} would be {applied.outcome}:\n{indented(applied.diff)}")
            elif dry_run:
                say(self, f"Dry run: {name} would stay as it is")
            else:
                say(
                    self,
                    f"{name}: {applied.outcome}"
                    + (f"\n{indented(applied.diff)}" if applied.outcome == "changed" else ""),
                )
            results.append(
                {
                    "kind": applied.kind,
                    "name": applied.name,
                    "outcome": applied.outcome,
                    "generation": applied.generation,
                }
            )
        return results
