from __future__ import annotations

from typing import Any

from include.cluster.controllers import claims
from tests.include.cluster.controllers.kit import World

Object = dict[str, Any]


def claim(**spec: Any) -> Object:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "data"}, "spec": asked}


def phase(world: World) -> str:
    return str(world.get("persistentvolumeclaims", "data")["status"]["phase"])


async def test_a_claim_is_bound_to_a_directory_that_goes_with_it(world: World) -> None:
    world.create("persistentvolumeclaims", claim())
    await world.soon(lambda: phase(world) == "Bound")
    found = world.get("persistentvolumeclaims", "data")
    folder = claims.directory(world.settings, found)
    assert found["spec"]["volumeName"] == folder.name
    assert found["status"]["capacity"] == {"storage": "1Gi"}
    (folder / "file").write_text("kept")
    world.registry.delete("persistentvolumeclaims", "shop", "data")
    await world.settle()
    assert world.list("persistentvolumeclaims") == []
    assert not folder.exists()


async def test_another_storage_class_is_waited_for(world: World) -> None:
    world.create("persistentvolumeclaims", claim(storageClassName="fast"))
    await world.settle()
    assert phase(world) == "Pending"
    assert world.events("PersistentVolumeClaim") == ['storageclass.storage.k8s.io "fast" not found']


async def test_a_claim_in_use_stays_until_its_pod_has_ended(world: World) -> None:
    world.behave = lambda pod: "run"
    world.create("persistentvolumeclaims", claim())
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    container = {"name": "main", "image": "app:1"}
    world.create(
        "pods", {"metadata": {"name": "a"}, "spec": {"containers": [container], "volumes": [volume]}}
    )
    await world.soon(lambda: world.get("pods", "a")["spec"].get("nodeName"))
    world.registry.delete("persistentvolumeclaims", "shop", "data")
    await world.run()
    assert world.get("persistentvolumeclaims", "data")["metadata"]["deletionTimestamp"]
    world.kubelet.finish(world.get("pods", "a"), 0)
    await world.settle()
    assert world.list("persistentvolumeclaims") == []
