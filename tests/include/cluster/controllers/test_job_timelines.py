"""What a Job's status and events say, in which order, as on a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.include.cluster.controllers import timelines
from tests.include.cluster.controllers.kit import World

Object = dict[str, Any]

TYPES = ("SuccessCriteriaMet", "FailureTarget", "Complete", "Failed", "Suspended")


def index(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get("batch.kubernetes.io/job-completion-index", ""))


SCENARIOS: dict[str, Any] = {
    "job-succeeded-parallel": lambda pod: "exit 0",
    "job-failed-backofflimit": lambda pod: "exit 7",
    "job-failed-onfailure": lambda pod: "crash",
    "job-active-deadline": lambda pod: "run",
    "job-failed-image": lambda pod: "missing",
    "job-podfailurepolicy": lambda pod: "exit 42",
    "job-indexed-one-fails": lambda pod: "exit 0" if index(pod) == "0" else "exit 1",
    "job-ttl": lambda pod: "exit 0",
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_conditions_counts_and_events_come_as_recorded(world: World, name: str) -> None:
    world.behave = SCENARIOS[name]
    requests = [record["request"] for record in timelines.records(name) if record["kind"] == "REQUEST"]
    world.create("jobs", requests[0]["body"])
    await world.run()
    if name in ("job-active-deadline", "job-failed-image"):
        world.backdate("jobs", "job", started_long_ago)
    await world.soon(lambda: not world.registry.find("jobs", "shop", "job") or TYPES_AT_END & ended(world))
    check(world, name)


TYPES_AT_END = {"Complete", "Failed"}


def ended(world: World) -> set[str]:
    return set(world.conditions("jobs", "job"))


def started_long_ago(job: Object) -> None:
    job["status"]["startTime"] = "2020-01-01T00:00:00Z"


def check(world: World, name: str) -> None:
    real, ours = timelines.recorded(name, "Job"), timelines.happened(world.changes, "jobs")
    for type_ in TYPES:
        assert timelines.conditions(ours, type_) == timelines.conditions(real, type_), type_
    assert timelines.happened_events(world.changes, "Job") == timelines.recorded_events(name, "Job")
    wanted = timelines.counts(real)[-1]
    assert timelines.counts(ours)[-1] == wanted
    status = ours[-1]["status"]
    assert set(status) == set(real[-1]["status"])
    assert status["uncountedTerminatedPods"] == {}
    # The condition that decides comes in a write of its own, before the one that ends the Job.
    assert order(ours) == order(real)


def order(states: list[Object]) -> list[list[str]]:
    found: list[list[str]] = []
    for state in states:
        types = [condition["type"] for condition in state.get("status", {}).get("conditions", [])]
        if found[-1:] != [types]:
            found.append(types)
    return found


async def test_suspending_ends_the_pods_and_resuming_starts_anew(world: World) -> None:
    name = "job-suspended"
    requests = [record["request"] for record in timelines.records(name) if record["kind"] == "REQUEST"]
    world.behave = lambda pod: "run"
    world.create("jobs", requests[0]["body"])
    await world.run()
    assert "startTime" not in world.get("jobs", "job")["status"]
    assert world.list("pods") == []
    for request in requests[1:]:
        world.patch("jobs", "job", request["body"], "merge-patch+json")
        await world.run()
        if request["body"]["spec"]["suspend"]:
            assert "startTime" not in world.get("jobs", "job")["status"]
            assert world.list("pods") == []
    world.kubelet.finish(world.list("pods")[0], 0)
    await world.run()
    check(world, name)


@pytest.mark.parametrize("name", ["job-succeeded-parallel", "job-indexed-one-fails"])
async def test_pods_are_made_as_recorded(world: World, name: str) -> None:
    world.behave = SCENARIOS[name]
    record = next(record for record in timelines.records(name) if record["kind"] == "REQUEST")
    job = world.create("jobs", record["request"]["body"])
    await world.run()
    real = timelines.recorded(name, "Pod")[0]
    ours = timelines.happened(world.changes, "pods")[0]
    for field in ("annotations", "finalizers", "generateName"):
        assert ours["metadata"].get(field) == real["metadata"].get(field)
    assert set(ours["metadata"]["labels"]) == set(real["metadata"]["labels"])
    assert ours["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == job["metadata"]["uid"]
    assert ours["spec"].get("hostname") == real["spec"].get("hostname")
    assert ours["spec"]["containers"][0].get("env") == real["spec"]["containers"][0].get("env")
