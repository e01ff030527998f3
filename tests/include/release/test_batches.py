"""Nothing of a batch works when a migration begins, nor begins to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from include.release import batches
from include.release.batches import BatchStaysError, hold_batches, is_suspended

SUSPENDED = [{"type": "Suspended", "status": "True"}]


class LateCluster:
    """A cluster whose Job controller acts on what it last saw: what the stand-in's is too quick for.

    Args:
        looks: what it does before each look at the Jobs.
    """

    def __init__(self, *looks: Callable[[LateCluster], None]) -> None:
        self.job: dict[str, Any] = {
            "metadata": {"name": "order-batch-1", "annotations": {}},
            "spec": {"suspend": False},
            "status": {"conditions": list(SUSPENDED)},  # from before it was started
        }
        self.pods: list[dict[str, Any]] = []
        self.looks = list(looks)
        self.clock = 0.0

    def list(self, kind: str, namespace: str, labels: str) -> list[dict[str, Any]]:
        if kind == "Pod":
            return list(self.pods)
        if self.looks:
            self.looks.pop(0)(self)
        return [self.job]

    def patch(self, kind: str, namespace: str, name: str, change: Any) -> Any:
        self.job["metadata"]["annotations"] |= change["metadata"]["annotations"]
        self.job["spec"] |= change["spec"]
        return SimpleNamespace(object=self.job)

    def resumed(self) -> None:
        """It has seen the start, and nothing since: it makes the pod."""
        self.job["status"] = {"conditions": [{"type": "Suspended", "status": "False"}], "active": 1}
        self.pods = [{"metadata": {"name": "late"}, "spec": {}, "status": {"phase": "Running"}}]

    def suspended(self) -> None:
        """It has seen that the Job is suspended."""
        self.job["status"] = {"conditions": list(SUSPENDED)}
        self.pods = []


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that only waiting moves."""
    now = SimpleNamespace(seconds=0.0)

    def sleep(seconds: float) -> None:
        now.seconds += seconds

    monkeypatch.setattr(batches, "time", SimpleNamespace(monotonic=lambda: now.seconds, sleep=sleep))
    return now


def hold(cluster: Any) -> list[str]:
    said: list[str] = []
    assert hold_batches(cluster, "shop", "shop", "release/run-9", said.append) == ["order-batch-1"]
    return said


def nothing(_: LateCluster) -> None:
    """Nothing happens."""


def test_a_pod_that_is_made_right_after_the_batch_was_held_is_waited_for(time):
    cluster = LateCluster(nothing, nothing, nothing, LateCluster.resumed, nothing, LateCluster.suspended)
    said = hold(cluster)
    assert cluster.looks == []
    assert cluster.pods == []
    assert said[-1] == "Waiting for late to end, 60 s at most"


def test_a_batch_whose_pod_is_not_made_yet_is_waited_for_until_the_cluster_says_that_it_is_suspended(time):
    def starts(cluster: LateCluster) -> None:
        cluster.job["status"] = {"conditions": []}

    cluster = LateCluster(starts, nothing, nothing, LateCluster.suspended)
    assert hold(cluster)[-1] == "Waiting for Job order-batch-1 to be suspended, 60 s at most"
    assert cluster.looks == []


def test_a_cluster_that_suspends_nothing_is_named(time):
    def starts(cluster: LateCluster) -> None:
        cluster.job["status"] = {"conditions": []}

    with pytest.raises(
        BatchStaysError, match="does not say that these order batches are suspended: Job order-batch-1"
    ):
        hold(LateCluster(starts))
    assert time.seconds == pytest.approx(batches.SPARE_SECONDS, abs=1)


def test_a_held_batch_that_somebody_resumed_is_held_again(time):
    cluster = LateCluster()
    hold(cluster)
    cluster.job["spec"]["suspend"] = False
    hold(cluster)
    assert cluster.job["spec"]["suspend"]


def test_without_a_batch_there_is_nothing_to_wait_for(time):
    cluster = LateCluster()
    cluster.list = lambda *_, **__: []  # type: ignore[method-assign]
    assert hold_batches(cluster, "shop", "shop", "release/run-9", print) == []  # type: ignore[arg-type]
    assert time.seconds == 0


@pytest.mark.parametrize("status", [{}, {"conditions": []}, {"conditions": SUSPENDED, "active": 1}])
def test_what_does_not_say_that_a_job_is_suspended(status):
    assert not is_suspended({"spec": {"suspend": True}, "status": status})
    assert is_suspended({"spec": {"suspend": True}, "status": {"conditions": SUSPENDED}})
    assert not is_suspended({"spec": {"suspend": False}, "status": {"conditions": SUSPENDED}})
