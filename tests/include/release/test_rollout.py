"""Verdicts on recorded timelines of a real cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.release.diagnosis import event_line, troubles
from include.release.environments import RolloutPolicy
from include.release.rollout import Snapshot, judge, label_selector

STATUS = Path(__file__).parents[2] / "data" / "kubernetes-1.36" / "status"
KINDS = {"Deployment": "deployments", "ReplicaSet": "replica_sets", "Pod": "pods"}


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def timeline(name: str) -> Iterator[tuple[float, Snapshot]]:
    """The state of the cluster after each line of a recording."""
    objects: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    events: list[dict[str, Any]] = []
    for line in (STATUS / f"{name}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "Event":
            found = entry.get("object") or entry.get("event") or {}
            events.append({"metadata": {}, **found})
        elif entry["kind"] in KINDS:
            uid = entry["object"]["metadata"]["uid"] if "object" in entry else entry["uid"]
            kinds[uid] = KINDS[entry["kind"]]
            objects[uid] = (
                entry["object"] if "object" in entry else merged(objects[uid], entry["merge_patch"])
            )
            if entry["type"] == "DELETED":
                del objects[uid]
        snapshot = Snapshot([], events=list(events))
        for uid, thing in objects.items():
            getattr(snapshot, kinds[uid]).append(thing)
        yield entry["t"], snapshot


def story(name: str) -> list[str]:
    """Every change of the verdict on Deployment web."""
    told: list[str] = []
    for _, snapshot in timeline(name):
        if snapshot.deployments:
            verdict = judge(snapshot.deployment("web"), "web")
            text = f"{verdict.phase}: {verdict.text}"
            if not told or told[-1] != text:
                told.append(text)
    return told


def test_a_rolling_update_is_complete_only_when_the_old_pods_are_gone():
    told = story("rolling-update")
    second = told[told.index("complete: web: rolled out, 3 of 3 pods are new and serve") :]
    assert second[:3] == [
        "complete: web: rolled out, 3 of 3 pods are new and serve",
        "waiting: web: the change is not seen by the controller yet",
        "waiting: web: 0 of 3 pods are new, 3 serve",
    ]
    assert second[second.index("complete: web: rolled out, 3 of 3 pods are new and serve", 1) - 1] == (
        "waiting: web: all pods are new; 1 old pod to go"
    )


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("update-image-missing", 15),
        ("update-crash-loop", 15),
        ("first-deploy-fails", 10),
        ("quota-replicafailure", 10),
        ("unschedulable", 8),
    ],
)
def test_the_progress_deadline_is_a_failure(name, seconds):
    assert f"failed: web: no progress for {seconds} s (progress deadline exceeded)" in story(name)


def test_a_paused_deployment_fails_instead_of_waiting_for_ever():
    assert any("the Deployment is paused" in text for text in story("paused"))


def test_a_deployment_that_is_gone_is_a_failure():
    assert judge(None, "web").text == "Deployment web is gone: somebody deleted it during the rollout"


def causes(name: str) -> dict[tuple[str, int | None], str]:
    """Every trouble seen, by cause and grace, with its first text."""
    seen: dict[tuple[str, int | None], str] = {}
    for _, snapshot in timeline(name):
        for deployment in snapshot.deployments:
            for trouble in troubles(snapshot, deployment, RolloutPolicy()):
                text = trouble.text.replace(trouble.pod, "POD") if trouble.pod else trouble.text
                seen.setdefault((trouble.cause, trouble.grace_seconds), text)
    return seen


@pytest.mark.parametrize(
    ("name", "cause", "grace", "text"),
    [
        ("update-image-missing", "image", 20, "image registry.example.com/team/web:missing of pod POD cannot be pulled"),
        ("update-crash-loop", "crash loop", 0, "container app of pod POD was restarted 3 times; it ended with exit code 4"),
        ("first-deploy-fails", "probe", None, "container app of pod POD is not ready: Readiness probe failed"),
        ("quota-replicafailure", "quota", 30, "web: the quota refuses new pods: pods"),
        ("unschedulable", "unschedulable", None, "pod POD fits on no node: 0/1 nodes are available: 1 Insufficient memory"),
    ],
)  # fmt: skip
def test_the_reason_is_found(name, cause, grace, text):
    assert causes(name)[cause, grace].startswith(text)


@pytest.mark.parametrize("name", ["rolling-update", "recreate", "rollout-undo", "scale-zero-and-back"])
def test_a_rollout_that_succeeds_is_never_given_up(name):
    assert {grace for _, grace in causes(name)} <= {None}


def test_an_event_reads_as_in_kubectl_describe():
    event = {
        "metadata": {},
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container\n",
        "count": 3,
        "lastTimestamp": "2026-11-21T01:36:39Z",
        "involvedObject": {"kind": "Pod", "name": "web-1"},
    }
    assert (
        event_line(event) == "01:36:39 Warning BackOff (x3) Pod/web-1: Back-off restarting failed container"
    )


def test_a_selector_is_asked_for_as_the_api_takes_it():
    wanted = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "NotIn", "values": ["yes"]},
        {"key": "team", "operator": "Exists"},
        {"key": "canary", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": wanted}
    text = "a=1,b=2,tier in (a,b),old notin (yes),team,!canary"
    assert label_selector({"spec": {"selector": selector}}) == text
