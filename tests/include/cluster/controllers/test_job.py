from __future__ import annotations

from typing import Any

import pytest

from include.cluster.controllers.job import indexes
from include.cluster.controllers.job.backoff import Record
from include.cluster.registry import DeleteOptions
from include.cluster.registry.clock import now
from tests.include.cluster.controllers.kit import World, job

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("found", "text"), [({0}, "0"), ({0, 1}, "0,1"), ({0, 2, 3, 4, 7}, "0,2-4,7"), (set(), "")]
)
def test_indexes_have_a_short_text(found: set[int], text: str) -> None:
    assert indexes.render(found) == text
    assert indexes.parse(text) == found


async def test_never_more_pods_than_parallelism_and_exactly_as_many_as_completions(world: World) -> None:
    world.behave = lambda pod: "exit 0"
    world.create("jobs", job(parallelism=3, completions=7))
    most = 0
    while not world.conditions("jobs", "job").get("Complete"):
        await world.run(1)
        running = [pod for pod in world.list("pods") if pod["status"]["phase"] in ("Pending", "Running")]
        most = max(most, len(running))
    assert most == 3
    assert len(world.list("pods")) == 7
    assert world.get("jobs", "job")["status"]["succeeded"] == 7


async def test_less_parallelism_ends_pods_without_counting_them(world: World) -> None:
    world.behave = lambda pod: "run"
    world.create("jobs", job(parallelism=3, completions=3))
    await world.run()
    world.patch("jobs", "job", {"spec": {"parallelism": 1}}, "merge-patch+json")
    await world.run()
    status = world.get("jobs", "job")["status"]
    assert (status["active"], status.get("failed"), len(world.list("pods"))) == (1, None, 1)


async def test_a_failure_is_tried_again_after_the_back_off(world: World) -> None:
    object.__setattr__(world.settings, "job_backoff_initial", 1.0)
    codes = iter([1, 0])
    world.behave = lambda pod: f"exit {next(codes)}"
    world.create("jobs", job())
    await world.run()
    assert len(world.list("pods")) == 1
    await world.soon(lambda: world.conditions("jobs", "job").get("Complete"))
    status = world.get("jobs", "job")["status"]
    assert (status["succeeded"], status["failed"]) == (1, 1)


def test_the_back_off_doubles_up_to_its_limit_and_starts_anew_after_a_success(world: World) -> None:
    object.__setattr__(world.settings, "job_backoff_initial", 10.0)
    object.__setattr__(world.settings, "job_backoff_max", 25.0)
    waits = [Record(failures, now()).wait(world.settings) for failures in (1, 2, 3)]
    assert waits == [pytest.approx(10, abs=1), pytest.approx(20, abs=1), pytest.approx(25, abs=1)]
    succeeded = {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, "status": {}}
    assert Record(3, now()).after([succeeded], []).wait(world.settings) == 0


async def test_a_finished_job_goes_after_its_time_with_its_pods(world: World) -> None:
    world.behave = lambda pod: "exit 0"
    world.create("jobs", job(ttlSecondsAfterFinished=1))
    await world.run()
    assert world.conditions("jobs", "job")["Complete"][0] == "True"
    await world.soon(lambda: not world.list("jobs"))
    assert world.list("pods") == []


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_deleting_a_job_frees_and_ends_its_pods(world: World, policy: str) -> None:
    world.behave = lambda pod: "run"
    world.create("jobs", job(parallelism=2, completions=2))
    await world.run()
    world.registry.delete("jobs", "shop", "job", DeleteOptions(policy))
    await world.run()
    assert world.list("jobs") == []
    assert world.list("pods") == []


async def test_deleting_a_job_without_options_leaves_its_pods(world: World) -> None:
    world.behave = lambda pod: "run"
    world.create("jobs", job())
    await world.run()
    world.registry.delete("jobs", "shop", "job", DeleteOptions())
    await world.run()
    left = world.list("pods")[0]["metadata"]
    assert world.list("jobs") == []
    assert "ownerReferences" not in left
    assert "finalizers" not in left


async def test_a_pod_deleted_by_somebody_counts_as_failed_and_is_replaced(world: World) -> None:
    world.behave = lambda pod: "run"
    world.create("jobs", job())
    await world.run()
    first = world.list("pods")[0]["metadata"]["name"]
    world.registry.delete("pods", "shop", first)
    await world.run()
    assert world.get("jobs", "job")["status"]["failed"] == 1
    assert [pod["metadata"]["name"] for pod in world.list("pods")] != [first]


async def test_ignored_failures_do_not_use_up_retries(world: World) -> None:
    codes = iter([42, 42, 0])
    world.behave = lambda pod: f"exit {next(codes)}"
    rule = {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}
    world.create("jobs", job(backoffLimit=0, podFailurePolicy={"rules": [rule]}))
    await world.soon(lambda: world.conditions("jobs", "job").get("Complete"))
    assert "failed" not in world.get("jobs", "job")["status"]


async def test_an_indexed_job_completes_each_index_once(world: World) -> None:
    world.behave = lambda pod: "exit 0"
    world.create("jobs", job(parallelism=2, completions=4, completionMode="Indexed"))
    await world.run()
    status = world.get("jobs", "job")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (4, "0-3")
    assert sorted(indexes.of_pod(pod) for pod in world.list("pods")) == [0, 1, 2, 3]
