"""A release whose client is killed at one of its first changes ends as if nothing had happened.

These are the first three points; ``make chaos`` has all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import pytest

from tests.chaos.counting import Change, When
from tests.chaos.points import Chaos, Left
from tests.standin import Standin

Point: TypeAlias = tuple[str, str, When]
Runs: TypeAlias = dict[Point | None, Left]
LEASE, RECORD, JOB = "POST /apis/coordination.k8s.io/v1/leases", "records: commit", "POST /apis/batch/v1/jobs"
FIRST: list[Point] = [("lock", LEASE, "before"), ("lock", LEASE, "after"), ("lock", RECORD, "before")]
MORE: list[Point] = [("lock", RECORD, "after"), ("migrate", JOB, "before"), ("migrate", JOB, "after")]


@pytest.fixture(scope="module")
def chaos(cluster: Standin, tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    """Releases on the stand-in cluster."""
    return Chaos(cluster, tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="module")
def runs(chaos: Chaos) -> Runs:
    """An undisturbed release (None), and one killed at each of the first points."""
    with ThreadPoolExecutor() as pool:
        undisturbed = pool.submit(chaos.run)
        return {**killed(chaos, pool, FIRST), None: undisturbed.result()}


def killed(chaos: Chaos, pool: ThreadPoolExecutor, points: list[Point]) -> Runs:
    """A release that is killed at each of these points and run again."""
    tried = {point: pool.submit(chaos.run, Change(0, *point[:2]), point[2]) for point in points}
    return {point: each.result() for point, each in tried.items()}


@pytest.mark.parametrize("point", FIRST, ids=" ".join)
def test_a_killed_release_ends_as_if_nothing_had_happened(runs, point):
    left = runs[point]
    assert left.killed is not None
    assert runs[None].difference(left) == ""


@pytest.mark.long
def test_a_release_killed_while_it_migrates_ends_as_if_nothing_had_happened(runs, chaos):
    with ThreadPoolExecutor() as pool:
        for left in killed(chaos, pool, MORE).values():
            assert left.killed is not None
            assert runs[None].difference(left) == ""


def test_an_undisturbed_release_changes_the_cluster_the_records_and_tells_people(runs):
    left = runs[None]
    assert left.killed is None
    assert left.states["run"] == "success"
    said = "\n".join(each.what for each in left.changes)
    for what in (
        "/leases",
        "/configmaps",
        "/jobs",
        "/deployments/app-deployment",
        "records: commit",
        "document:",
        "/chat",
    ):
        assert what in said
    new = [entry for entry in left.ledger if " r2-" in entry]
    steps = ("r2-203-exotic-catalog", "r2-202-menu-catalog", "r2-201-orders", "r2-201-order-problems")
    assert new == [f"up {step}" for step in steps]


def test_what_differs_is_seen(runs):
    left = runs[None]
    twice = Left(**{**vars(left), "ledger": [*left.ledger, left.ledger[-1]]})
    assert "+- up r2-201-order-problems" in left.difference(twice)
