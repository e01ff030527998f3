"""Nothing is taken back from under pods that still work with it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release import draining, restoring
from include.release.batches import LABEL_BATCH
from include.release.rollback_plan import RollbackPlan, Undo
from plugins.operators import roll_back
from plugins.operators.roll_back import RestoredCheckOperator, UndoMigrationsOperator

LEAVING = {"metadata": {"name": "web-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}}


class Namespace:
    """A cluster with the Deployment `web` and these pods."""

    def __init__(self, *pods: dict[str, Any], replicas: int = 1, updated: int = 1, observed: int = 1) -> None:
        self.pods = list(pods)
        status = {"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated}
        status |= {"readyReplicas": replicas, "availableReplicas": replicas}
        metadata = {"name": "web", "generation": 1}
        self.web = {"metadata": metadata, "spec": {"replicas": replicas}, "status": status}

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return self.web if kind == "Deployment" else None

    def list(self, kind: str, namespace: str, *, labels: str = "") -> list[dict[str, Any]]:
        return self.pods if kind == "Pod" and LABEL_BATCH not in labels else []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No time passes; what is taken back."""
    monkeypatch.setattr(draining, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(draining, "SPARE_SECONDS", 0.0)
    monkeypatch.setattr(restoring, "REPLACED_WITHIN_SECONDS", 0.0)
    done: list[str] = []

    def undo(_cluster: Any, plan: RollbackPlan, *_: Any) -> list[dict[str, Any]]:
        done.extend(each.id for each in plan.undo)
        return [{"id": each.id, "job": "j", "result": "done", "seconds": 0.0} for each in plan.undo]

    monkeypatch.setattr(roll_back, "undo", undo)
    return done


@pytest.fixture
def run(context: Any) -> Any:
    """A run whose plan is to take one migration back after the pods."""
    undo = Undo(id="drop", title="drop", spec="s", keep_rows=True, rows={}, old_build_compatible=True)
    plan = RollbackPlan(undoing="release-2", target="release-1", undo=[undo], restore=[("Deployment", "web")])
    made = context()
    made["ti"].values["roll_back.plan", "return_value"] = plan.model_dump(mode="json")
    return made


def undo_after(cluster: Namespace, run: Any, frozen: Any) -> Any:
    operator = UndoMigrationsOperator(task_id="undo_after", when="after", approved_by=None)
    return operator.step(frozen, cluster, run, dry_run=False)  # type: ignore[arg-type]


def test_with_the_old_pods_gone_it_is_taken_back(run, small, quick):
    assert [each["id"] for each in undo_after(Namespace(), run, small())] == ["drop"]
    assert quick == ["drop"]


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (Namespace(LEAVING), "web-1"),
        (Namespace(replicas=2, updated=1), "pods of Deployment web that are not replaced yet"),
        (Namespace(observed=0), "pods of Deployment web that are not replaced yet"),
    ],
)
def test_while_pods_of_the_newer_build_are_there_it_fails_and_says_what_to_do(
    run, small, quick, there, named
):
    with pytest.raises(AirflowFailException) as raised:
        undo_after(there, run, small())
    text = str(raised.value)
    assert text.startswith(
        f"Of release-2 there are still {named}, which work with what would be taken back: "
    )
    assert "Nothing was taken back.\nWhat now: release-1 is restored, and nothing is urgent." in text
    assert text.endswith("Then clear this task.")
    assert quick == []


def test_the_check_before_it_says_that_they_hold_it_up(run, small, capsys):
    check = RestoredCheckOperator(task_id="restored_check")
    assert check.step(small(), Namespace(LEAVING), run, dry_run=False) == []  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert "web-1. No migration is taken back while they are there" in said
