from __future__ import annotations

from typing import Any

import pytest

from include.cluster.registry import DeleteOptions
from tests.include.cluster.controllers.kit import World, deployment

Object = dict[str, Any]


def owned(name: str, *owners: Object) -> Object:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


async def test_foreground_takes_the_dependents_first(world: World) -> None:
    world.create("deployments", deployment(replicas=2))
    await world.run()
    world.registry.delete("deployments", "shop", "web", DeleteOptions("Foreground"))
    await world.settle()
    # As recorded: everything is on its way out, and held until the pods are gone.
    assert world.get("deployments", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert world.list("replicasets")[0]["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert all(pod["metadata"]["deletionTimestamp"] for pod in world.list("pods"))
    await world.run()
    assert [world.list(plural) for plural in ("deployments", "replicasets", "pods")] == [[], [], []]
    gone = [change.key[0] for change in world.changes if change.type == "DELETED"]
    assert gone == ["pods", "pods", "replicasets", "deployments"]


async def test_background_takes_the_owner_first(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    world.registry.delete("deployments", "shop", "web", DeleteOptions("Background"))
    assert world.list("deployments") == []
    await world.run()
    assert [world.list("replicasets"), world.list("pods")] == [[], []]


async def test_orphan_sets_the_dependents_free(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    world.registry.delete("deployments", "shop", "web", DeleteOptions("Orphan"))
    await world.run()
    assert world.list("deployments") == []
    assert "ownerReferences" not in world.list("replicasets")[0]["metadata"]
    assert world.list("pods")[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


async def test_an_owner_that_never_was_takes_its_dependent_along(world: World) -> None:
    ghost = {"metadata": {"name": "ghost", "uid": "11111111-1111-1111-1111-111111111111"}}
    world.create("configmaps", owned("dangling", ghost))
    await world.settle()
    assert world.registry.find("configmaps", "shop", "dangling") is None


async def test_one_owner_is_enough_to_stay(world: World) -> None:
    first = world.create("configmaps", {"metadata": {"name": "first"}})
    second = world.create("configmaps", {"metadata": {"name": "second"}})
    world.create("configmaps", owned("shared", first, second))
    await world.settle()
    world.registry.delete("configmaps", "shop", "first")
    await world.settle()
    assert [one["name"] for one in world.get("configmaps", "shared")["metadata"]["ownerReferences"]] == [
        "second"
    ]
    world.registry.delete("configmaps", "shop", "second")
    await world.settle()
    assert world.registry.find("configmaps", "shop", "shared") is None


@pytest.mark.parametrize("kind", ["Gateway", "CronJob"])
async def test_owners_of_kinds_that_are_not_served_are_believed(world: World, kind: str) -> None:
    made = owned("kept", {"metadata": {"name": "x", "uid": "some-uid"}})
    made["metadata"]["ownerReferences"][0]["kind"] = kind
    world.create("configmaps", made)
    await world.settle()
    assert world.get("configmaps", "kept")
