"""A release whose client is killed at one of its first changes ends as if nothing had happened.

These are the first three changes; ``make chaos`` kills at every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.counting import When
from tests.chaos.points import Chaos, Left
from tests.standin import Standin

FIRST = 3


@pytest.fixture(scope="module")
def runs(
    cluster: Standin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[int, When], Left]]:
    """An undisturbed release (0), and one killed before and one after each of the first changes."""
    chaos = Chaos(cluster, tmp_path_factory.mktemp("chaos"))
    # By the order of tasks: the first one only reads, and reports its end as change 1.
    wanted: list[tuple[int, When]] = [(0, "before")]
    wanted += [(number, when) for number in range(2, 2 + FIRST) for when in ("before", "after")]
    with ThreadPoolExecutor(len(wanted)) as pool:
        found = pool.map(lambda point: chaos.run(*point), wanted)
        yield dict(zip(wanted, found, strict=True))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(2, 2 + FIRST))
def test_a_killed_release_ends_as_if_nothing_had_happened(runs, number: int, when: When):
    undisturbed, left = runs[0, "before"], runs[number, when]
    assert left.killed == left.changes[number - 1]
    assert undisturbed.difference(left) == ""


def test_an_undisturbed_release_changes_the_cluster_the_records_and_tells_people(runs):
    left = runs[0, "before"]
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
    assert new == ["up r2-203-exotic-catalog", "up r2-202-menu-catalog", "up r2-201-orders"]


def test_what_differs_is_seen(runs):
    left = runs[0, "before"]
    twice = Left(**{**vars(left), "ledger": [*left.ledger, left.ledger[-1]]})
    assert "+- up r2-201-orders" in left.difference(twice)
