"""Where a rollback may not go: past an interrupted run, or over a run of which nobody knows what was before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.applying import spec_name
from include.release.problems import RejectedError
from include.release.saved import SavedState
from include.release.spec import Migration
from include.release.undoing import Ledger
from plugins.operators import roll_back
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


def test_the_plan_reads_what_an_earlier_rollback_kept_from_the_release_that_brought_it(
    context, small, monkeypatch, capsys
):
    first = small()

    def release(name: str, *ids: str) -> Any:
        assert first.release.migrations is not None
        steps = [
            Migration(
                id=each, title=each, up=["up"], down=["down"], drops_data="plants", lost=["count"],
                old_build_compatible=True,
            )
            for each in ids
        ]  # fmt: skip
        migrations = first.release.migrations.model_copy(update={"steps": steps})
        changed = first.release.model_copy(update={"name": name, "migrations": migrations})
        return first.model_copy(update={"release": changed, "digest": (name * 64)[:64]})

    kept = {
        spec_name(each.release.name, each.digest): each
        for each in (release("r1"), release("r2", "b"), release("r3", "drop"))
    }
    one, two, three = kept
    before = SavedState(
        run="release/2",
        app="small",
        release="r2",
        digest="d",
        objects=[],
        absent=[],
        applied=[],
        taken_at="2",
    )
    counted: list[list[str]] = []

    def ask_ledger(_cluster: Any, releases: list[Any], *_: Any, **__: Any) -> Ledger:
        counted.append([each.release.name for each in releases])
        rows = {step.id: {"plants": 0} for each in releases for step in each.release.steps}
        return Ledger(["b", "drop"], rows)

    monkeypatch.setattr(roll_back, "ask_ledger", ask_ledger)
    monkeypatch.setattr(roll_back, "wait_for_running", lambda *_: None)
    monkeypatch.setattr(roll_back, "live_objects", lambda *_: [])
    monkeypatch.setattr(roll_back, "read_saved", lambda *_: before)
    monkeypatch.setattr(roll_back, "stored_release", lambda _cluster, _environment, name: kept.get(name))
    monkeypatch.setattr(roll_back, "release_of", lambda name, *_: kept[name])
    made = context()
    route = {
        "layers": [{"spec": two, "applied": [], "came": "2"}],
        "target": one,
        "before": before.name,
        "aside": [
            {"spec": "r9-spec-gone", "applied": ["b"], "came": "4"},
            {"spec": three, "applied": ["b"], "came": "3"},
        ],
    }
    made["ti"].values["freeze_and_check", ROUTE] = route
    found = plan(Leased(), made, kept[one])
    assert [(each["id"], each["spec"]) for each in found["undo"]] == [("drop", three), ("b", two)]
    assert counted == [["r2"], ["r3"]]
    assert "An earlier rollback from r3 has kept migrations of it" in capsys.readouterr().out
    made["params"]["dry_run"] = True
    PlanRollbackOperator(task_id="plan").step(kept[one], Leased(), made, dry_run=True)  # type: ignore[arg-type]
    said = f"Dry run: whether an earlier rollback has kept migrations of {three} is not asked"
    assert said in capsys.readouterr().out
    made["params"]["dry_run"] = False
    # Another run has broken the lock: its Jobs are its own, also those that have not started yet.
    taken = Leased()
    taken.lease["spec"] = {"holderIdentity": "release/other"}
    asked = len(counted)
    with pytest.raises(AirflowFailException, match="Run release/other has the lock now"):
        plan(taken, made, kept[one])
    assert len(counted) == asked
    # Where that release is not kept any more, there is nobody to ask.
    del kept[three]
    with pytest.raises(AirflowFailException, match=r"It is not known whether r1 works with .* drop"):
        plan(Leased(), made, kept[one])
