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

    It reads the gate again right before. Going back does not (the group ``roll_back`` has tasks of its own): what
    has served already can come back whatever was found out since.
    """

    changes_cluster = True
    needs_approval = True

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns per object what became of it."""
        if not dry_run:
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
            if dry_run and applied.outcome == "unchanged":
                say(self, f"Dry run: {name} would stay as it is")
            elif dry_run:
                say(self, f"Dry run: {name} would be {applied.outcome}:\n{indented(applied.shown)}")
            elif applied.outcome == "changed":
                say(self, f"{name}: changed\n{indented(applied.shown)}")
            else:
                say(self, f"{name}: {applied.outcome}")
            results.append(
                {
                    "kind": applied.kind,
                    "name": applied.name,
                    "outcome": applied.outcome,
                    "generation": applied.generation,
                }
            )
        return results
