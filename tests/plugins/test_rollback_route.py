"""Where a rollback may not go: past an interrupted run, or over a run of which nobody knows what was before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.problems import RejectedError
from plugins.operators.configure import ConfigureOperator
from plugins.operators.preflight import ROUTE
from plugins.operators.roll_back import PlanRollbackOperator


class Leased:
    """A cluster that has nothing but the Lease."""

    def __init__(self, **notes: str) -> None:
        notes = {f"plan-reduce-repeat/{key.replace('_', '-')}": value for key, value in notes.items()}
        self.lease = {"metadata": {"annotations": notes}, "spec": {}}
        self.writes: list[Any] = []

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        return self.lease if kind == "Lease" else None

    def replace(self, manifest: dict[str, Any], namespace: str) -> None:
        self.writes.append(manifest)


def plan(cluster: Leased, made: Any, frozen: Any) -> Any:
    return PlanRollbackOperator(task_id="plan").step(frozen, cluster, made, dry_run=False)  # type: ignore[arg-type]


def test_a_rollback_past_an_interrupted_run_is_refused_with_the_target_that_is_right(context, small):
    frozen, made = small(), context()
    left = json.dumps(
        [
            {
                "run": "release/x",
                "kind": "release",
                "stage": "migrate",
                "release": "r9",
                "spec_digest": "9" * 64,
            }
        ]
    )
    made["ti"].values["freeze_and_check", ROUTE] = {"layers": [], "target": "small-spec-1", "before": "b"}
    with pytest.raises(RejectedError, match="'before release/x'"):
        plan(Leased(left=left), made, frozen)


def test_a_run_that_has_begun_and_kept_no_state_before_it_is_not_called_unchanged(context, small):
    frozen, made = small(), context()
    cluster = Leased(run="release/run-1", kind="release", stage="migrate")
    with pytest.raises(AirflowFailException, match="kept no state to go back to"):
        plan(cluster, made, frozen)
    assert cluster.writes == []


def test_nothing_changes_when_somebody_marked_preflight_as_a_success(context, small):
    frozen, made = small(), context()
    made["ti"].values.clear()
    configure = ConfigureOperator(task_id="configure", approved_by=None)
    with pytest.raises(AirflowFailException, match="preflight handed nothing on: somebody marked it"):
        configure.step(frozen, Leased(), made, dry_run=False)  # type: ignore[arg-type]
