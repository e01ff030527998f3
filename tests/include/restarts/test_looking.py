"""A fresh look asks for one Deployment's own pods and events, and its owners decide what belongs to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.restarts import looking
from include.restarts.looking import look
from tests.include.restarts.pressing import make
from tests.include.restarts.watch.shown import Shown


class Asked:
    """A cluster that notes what is listed of it, and how much that was."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.lists: list[tuple[str, int]] = []

    def list(self, kind: str, namespace: str, **selectors: str) -> Any:
        found = self._cluster.list(kind, namespace, **selectors)
        self.lists.append((kind, len(found)))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


@pytest.fixture
def asked(cluster: Any) -> Asked:
    return Asked(cluster.connect())


def test_the_pods_events_and_replica_sets_of_others_are_not_even_listed(asked, namespace):
    mine, other = (Shown(asked._cluster, namespace, name, replicas=2).create() for name in ("mine", "other"))
    for each in (mine, other):
        for pod in each.pods():
            each.event(pod, "BackOff", f"back-off of {each.name}")
    view, notes = look(asked, namespace, "mine", datetime.now(UTC))
    assert sorted(each["metadata"]["name"] for each in view.pods) == sorted(
        each["metadata"]["name"] for each in mine.pods()
    )
    assert [each["message"] for some in view.events_by_pod_uid.values() for each in some] == [
        "back-off of mine"
    ] * 2
    assert notes == []
    assert [each for each in asked.lists if each[0] != "Node"] == [
        ("Deployment", 1), ("ReplicaSet", 1), ("Pod", 2), ("Event", 1), ("Event", 1),
    ]  # fmt: skip


def test_the_events_of_many_pods_are_one_list(asked, namespace, monkeypatch):
    monkeypatch.setattr(looking, "FEW_PODS", 1)
    mine = Shown(asked._cluster, namespace, "mine", replicas=2).create()
    for pod in mine.pods():
        mine.event(pod, "BackOff", "back-off")
    view, _ = look(asked, namespace, "mine", datetime.now(UTC), nodes=False)
    assert len(view.events_by_pod_uid) == 2
    assert [kind for kind, _ in asked.lists] == ["Deployment", "ReplicaSet", "Pod", "Event"]


def test_a_pod_with_the_same_labels_belongs_to_it_only_when_it_owns_it(asked, namespace):
    make(asked, namespace, "web", 1)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "by-hand", "labels": {"app": "web"}, "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "uid-j", "controller": True}]},
        "spec": {"schedulingGates": [{"name": "test/held"}], "containers": [{"name": "main", "image": "python:3"}]},
    }  # fmt: skip
    asked.create(pod, namespace)
    view, _ = look(asked, namespace, "web", datetime.now(UTC))
    assert "by-hand" not in [each["metadata"]["name"] for each in view.pods]


def test_a_deployment_that_is_not_there_needs_one_question(asked, namespace):
    view, _ = look(asked, namespace, "absent", datetime.now(UTC), nodes=False)
    assert (view.deployment, asked.lists) == (None, [("Deployment", 0)])
