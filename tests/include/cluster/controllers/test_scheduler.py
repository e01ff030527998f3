from __future__ import annotations

from decimal import Decimal
from typing import Any

from include.cluster.controllers.scheduler import requests
from tests.include.cluster.controllers.kit import NS, World

Object = dict[str, Any]


def pod(name: str, cpu: str = "1", memory: str = "1Gi", **spec: Any) -> Object:
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    container = {"name": "app", "image": "app:1", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def scheduled(found: Object) -> Object:
    return next(one for one in found["status"]["conditions"] if one["type"] == "PodScheduled")


async def test_a_pod_that_fits_is_bound_in_one_write(world: World) -> None:
    world.create("pods", pod("a"))
    await world.settle()
    found = world.get("pods", "a")
    assert found["spec"]["nodeName"] == "node-1"
    assert (scheduled(found)["status"], found["metadata"]["generation"]) == ("True", 1)
    bound = [one.object for one in world.changes if one.key == ("pods", "shop", "a")][1]
    assert bound["spec"]["nodeName"] and bound["status"]["conditions"]
    assert world.events("Pod", "Scheduled") == ["Successfully assigned shop/a to node-1"]


async def test_what_never_fits_is_told_as_on_a_cluster(world: World) -> None:
    world.create("pods", pod("big", cpu="100", memory="500Gi"))
    await world.settle()
    text = (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    assert world.events("Pod") == [text]
    assert (
        scheduled(world.get("pods", "big"))["reason"],
        scheduled(world.get("pods", "big"))["message"],
    ) == (
        "Unschedulable",
        text,
    )


async def test_a_waiting_pod_gets_the_room_that_another_frees(world: World) -> None:
    world.behave = lambda found: "run"
    world.create("pods", {**pod("first", cpu="6")})
    await world.settle()
    world.create("pods", pod("second", cpu="6"))
    await world.settle()
    assert "1 No preemption victims found for incoming pod." in world.events("Pod", "FailedScheduling")[0]
    assert "nodeName" not in world.get("pods", "second")["spec"]
    world.kubelet.finish(world.get("pods", "first"), 0)
    await world.settle()
    assert world.get("pods", "second")["spec"]["nodeName"] == "node-1"


async def test_gates_hold_a_pod_back(world: World) -> None:
    world.create("pods", pod("gated", schedulingGates=[{"name": "wait"}]))
    await world.settle()
    assert scheduled(world.get("pods", "gated"))["reason"] == "SchedulingGated"
    world.registry.edit("pods", NS, "gated", lambda new: new["spec"].pop("schedulingGates"), manager="test")
    await world.settle()
    assert world.get("pods", "gated")["spec"]["nodeName"] == "node-1"


async def test_a_pod_waits_for_its_claim(world: World) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    world.create("pods", pod("a", volumes=[volume]))
    await world.settle()
    assert 'persistentvolumeclaim "data" not found' in world.events("Pod", "FailedScheduling")[0]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    world.create("persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": claim})
    await world.soon(lambda: world.get("pods", "a")["spec"].get("nodeName"))


def test_init_containers_count_where_they_need_more_and_sidecars_always() -> None:
    made = pod("a", cpu="1", memory="1Gi")
    made["spec"]["initContainers"] = [
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
        {"name": "big", "resources": {"requests": {"memory": "3Gi", "cpu": "100m"}}},
    ]
    assert requests(made) == {"cpu": Decimal("1.5"), "memory": Decimal(3 * 1024**3)}
