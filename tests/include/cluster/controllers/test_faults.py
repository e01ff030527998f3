"""Whatever write fails, and whenever: the end is the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from include.cluster.controllers.deployment import revisions
from tests.include.cluster.controllers.kit import World, deployment, job, version

Object = dict[str, Any]


def let_writes_fail(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """One in four writes of the controllers fails, before it is done or after; twenty in all."""
    chance = random.Random(seed)
    left = [20]

    def faulty(write: Any) -> Any:
        def wrapped(*args: Any, **options: Any) -> Any:
            by_a_controller = options.get("manager", "kube-controller-manager") not in ("test", "kubelet")
            if not by_a_controller or args[0] == "events" or not left[0] or chance.random() > 0.25:
                return write(*args, **options)
            left[0] -= 1
            if chance.random() < 0.5:
                write(*args, **options)
            raise RuntimeError("the connection was lost")

        return wrapped

    monkeypatch.setattr(world.registry, "edit", faulty(world.registry.edit))
    monkeypatch.setattr(world.registry, "delete", faulty(world.registry.delete))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_job_counts_each_pod_once(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    codes = iter([0, 1, 0, 0, 1, 0, 0])
    world.behave = lambda pod: f"exit {next(codes)}"
    let_writes_fail(world, monkeypatch, seed)
    world.create("jobs", job(parallelism=2, completions=5))
    await world.soon(lambda: world.conditions("jobs", "job").get("Complete"), 20)
    status = world.get("jobs", "job")["status"]
    assert (status["succeeded"], status["failed"], status["uncountedTerminatedPods"]) == (5, 2, {})
    assert len(world.list("pods")) == 7
    assert not any(pod["metadata"].get("finalizers") for pod in world.list("pods"))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_rollout_ends_well(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    let_writes_fail(world, monkeypatch, seed)
    world.create("deployments", deployment(replicas=3))
    await world.soon(lambda: finished(world, 1), 20)
    world.patch("deployments", "web", version(2))
    await world.soon(lambda: finished(world, 2), 20)
    await world.soon(lambda: len(world.list("pods")) == 3, 20)
    sizes = {revisions.revision(one): one["spec"]["replicas"] for one in world.list("replicasets")}
    assert sizes == {1: 0, 2: 3}


def finished(world: World, generation: int) -> bool:
    status = world.get("deployments", "web").get("status", {})
    settled = status.get("observedGeneration") == generation and status.get("updatedReplicas") == 3
    return settled and world.conditions("deployments", "web")["Progressing"][1] == "NewReplicaSetAvailable"
