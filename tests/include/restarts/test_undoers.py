"""KEDA is paused around a press and goes on after the re-arm; who else writes the replicas is named."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest

from include.release.kube import Answer, KubeError
from include.restarts.undoers import (
    NOTE_PAUSED,
    PAUSED,
    PAUSED_REPLICAS,
    name_undoers,
    pause_keda,
    resume_keda,
)
from tests.include.restarts.pressing import deployment


class Keda:
    """The API server of a cluster with KEDA, as far as it is asked: the stand-in knows no custom resources."""

    def __init__(self, *objects: dict[str, Any], status: int = 0, of: str = "") -> None:
        self.objects = {each["metadata"]["name"]: each for each in objects}
        self.status, self.of, self.writes = status, of, 0

    def _refuse(self, verb: str) -> None:
        if self.status and self.of in ("", verb):
            raise KubeError(self.status, "no", f"{verb} scaledobjects")

    def list(self, kind: str, namespace: str, **_: Any) -> list[dict[str, Any]]:
        self._refuse("list")
        return [copy.deepcopy(each) for each in self.objects.values() if each["kind"] == kind]

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get(name))

    def patch(self, kind: str, namespace: str, name: str, change: list[dict[str, Any]]) -> Answer:
        self._refuse("patch")
        try:
            changed = jsonpatch.apply_patch(self.objects[name], change)
        except jsonpatch.JsonPatchException as error:
            raise KubeError(422, str(error), "PATCH") from error
        self.writes += 1
        changed["metadata"]["resourceVersion"] = str(int(changed["metadata"]["resourceVersion"]) + 1)
        self.objects[name] = changed
        return Answer(changed, [])


def scaler(
    kind: str = "ScaledObject", target: str = "web", name: str = "scaler", **notes: str
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "resourceVersion": "1"}
    if notes:
        metadata["annotations"] = dict(notes)
    return {"kind": kind, "metadata": metadata, "spec": {"scaleTargetRef": {"name": target}}}


def notes(keda: Any, name: str = "scaler") -> dict[str, str]:
    return keda.objects[name]["metadata"].get("annotations") or {}


def test_keda_is_paused_first_and_held_at_zero_only_after_the_press():
    """With paused-replicas alone KEDA would scale to zero by itself, without the note that brings it back."""
    keda: Any = Keda(scaler(), scaler(target="other", name="not-mine"))
    first = pause_keda(keda, "sre", "web", "run-1")
    assert notes(keda)[PAUSED] == "true"
    assert PAUSED_REPLICAS not in notes(keda)
    assert first.lines == ["KEDA's ScaledObject scaler is paused"]
    pause_keda(keda, "sre", "web", "run-1", at_zero=True)
    assert notes(keda)[PAUSED_REPLICAS] == "0"
    assert notes(keda, "not-mine") == {}


def test_pausing_twice_writes_once_and_keeps_what_was_before():
    keda: Any = Keda(scaler(**{PAUSED_REPLICAS: "4"}))
    pause_keda(keda, "sre", "web", "run-1")
    pause_keda(keda, "sre", "web", "run-1", at_zero=True)
    writes = keda.writes
    pause_keda(keda, "sre", "web", "run-2")
    pause_keda(keda, "sre", "web", "run-2", at_zero=True)
    assert keda.writes == writes == 2
    assert json.loads(notes(keda)[NOTE_PAUSED]) == {"run": "run-1", "before": {PAUSED_REPLICAS: "4"}}
    (line,) = resume_keda(keda, "sre", "web")
    assert notes(keda) == {PAUSED_REPLICAS: "4"}
    assert "it was paused before the press, and stays so" in line


def test_the_re_arm_takes_off_what_the_press_put_on():
    keda: Any = Keda(scaler(**{"team": "sre"}))
    pause_keda(keda, "sre", "web", "run-1", at_zero=True)
    assert resume_keda(keda, "sre", "web", dry_run=True) == ["KEDA's ScaledObject scaler would go on"]
    assert PAUSED in notes(keda)
    assert resume_keda(keda, "sre", "web") == ["KEDA's ScaledObject scaler goes on"]
    assert notes(keda) == {"team": "sre"}
    assert resume_keda(keda, "sre", "web") == []


def test_what_somebody_else_paused_stays_paused():
    keda: Any = Keda(scaler(**{PAUSED: "true"}))
    assert resume_keda(keda, "sre", "web") == []
    assert notes(keda) == {PAUSED: "true"}


def test_a_note_that_somebody_spoilt_takes_the_pause_off():
    keda: Any = Keda(scaler(**{PAUSED: "true", NOTE_PAUSED: "what"}))
    resume_keda(keda, "sre", "web")
    assert notes(keda) == {}


def test_a_cluster_without_keda_has_nothing_to_pause(cluster, namespace):
    assert pause_keda(cluster.connect(), namespace, "web", "run-1").lines == []
    assert resume_keda(cluster.connect(), namespace, "web") == []


@pytest.mark.parametrize(("of", "said"), [("list", "may not be listed"), ("patch", "cannot be paused")])
def test_no_permission_for_keda_is_said_and_does_not_hold_up_the_press(of, said):
    keda: Any = Keda(scaler(), status=403, of=of)
    (line,) = pause_keda(keda, "sre", "web", "run-1").lines
    assert said in line
    assert "undo" in line


@pytest.mark.parametrize("status", [429, 500, 503, 504])
@pytest.mark.parametrize(("of", "said"), [("list", "cannot be listed"), ("patch", "cannot be paused")])
def test_a_broken_keda_is_said_and_does_not_hold_up_the_press(of, said, status):
    keda: Any = Keda(scaler(), status=status, of=of)
    (line,) = pause_keda(keda, "sre", "web", "run-1").lines
    assert said in line
    assert "undo" in line


def test_a_re_arm_that_cannot_take_the_pause_off_is_tried_again():
    with pytest.raises(KubeError):
        resume_keda(Keda(scaler(), status=503), "sre", "web")  # type: ignore[arg-type]


def test_a_dry_run_pauses_nothing():
    keda: Any = Keda(scaler())
    assert pause_keda(keda, "sre", "web", "run-1", dry_run=True).lines == [
        "KEDA's ScaledObject scaler would be paused"
    ]
    assert keda.writes == 0


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:sre/web"}}, "Argo CD"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux (Kustomization)"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, "Flux (HelmRelease)"),
        ({"annotations": {"meta.helm.sh/release-name": "web"}}, "Helm"),
    ],
)  # fmt: skip
def test_who_would_set_the_replicas_again_is_named(metadata, said):
    (line,) = name_undoers(Keda(), "sre", deployment(**metadata))  # type: ignore[arg-type]
    assert said in line
    assert "replicas" in line


def test_an_autoscaler_is_named_and_nothing_else():
    scalers = scaler("HorizontalPodAutoscaler"), scaler("HorizontalPodAutoscaler", "other", "not-mine")
    (line,) = name_undoers(Keda(*scalers), "sre", deployment())  # type: ignore[arg-type]
    assert "HorizontalPodAutoscaler scaler scales web" in line
    assert name_undoers(Keda(), "sre", deployment()) == []  # type: ignore[arg-type]
