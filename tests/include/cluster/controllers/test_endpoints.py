"""What EndpointSlices and Endpoints say of the pods behind a service."""

from __future__ import annotations

from typing import Any

from include.cluster.registry import DeleteOptions, WriteOptions
from include.cluster.registry.clock import stamp
from tests.include.cluster.controllers.kit import NS, World

Object = dict[str, Any]
LABEL = {"app": "web"}


def pod(
    world: World, name: str, address: str, port: int = 8080, *, ready: bool = True, **meta: Any
) -> Object:
    container = {"name": "app", "image": "app:1", "ports": [{"name": "web", "containerPort": port}]}
    world.behave = lambda found: "run"
    body = {"metadata": {"name": name, "labels": LABEL, **meta}, "spec": {"containers": [container]}}
    made = world.create("pods", body)
    told(world, name, address, ready=ready)
    return made


def told(world: World, name: str, address: str, *, ready: bool = True, phase: str = "Running") -> None:
    def change(found: Object) -> None:
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp()}
        found["status"] = {"phase": phase, "podIP": address, "conditions": [condition]}

    world.registry.edit("pods", NS, name, change, manager="test", subresource="status")


def service(world: World, target: Any = "web", **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": target}]
    meta = {"name": "web", "labels": {"tier": "front"}}
    # No cluster address: nothing has to be listened on for these tests.
    body = {"metadata": meta, "spec": {"clusterIP": "None", "selector": LABEL, "ports": ports, **spec}}
    return world.create("services", body)


def endpoints(world: World) -> dict[str, tuple[bool, bool, bool]]:
    """Each address in the slices with ready, serving, terminating."""
    return {
        one["addresses"][0]: tuple(one["conditions"][name] for name in ("ready", "serving", "terminating"))
        for found in world.list("endpointslices")
        for one in found["endpoints"] or []
    }


def subsets(world: World) -> list[tuple[list[str], list[str], list[int]]]:
    return [
        (
            [one["ip"] for one in found.get("addresses", [])],
            [one["ip"] for one in found.get("notReadyAddresses", [])],
            [one["port"] for one in found.get("ports", [])],
        )
        for found in world.get("endpoints", "web").get("subsets", [])
    ]


async def test_a_service_gets_a_slice_and_endpoints(world: World) -> None:
    made = service(world)
    one = pod(world, "a", "127.1.0.1")
    pod(world, "b", "127.1.0.2", ready=False)
    await world.settle()
    (found,) = world.list("endpointslices")
    meta = found["metadata"]
    assert len(meta["name"]) == len("web-12345")
    assert meta["labels"] == {
        "tier": "front",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "service.kubernetes.io/headless": "",
    }
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Service", made["metadata"]["uid"], True)
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    target = {"kind": "Pod", "namespace": NS, "name": "a", "uid": one["metadata"]["uid"]}
    assert found["endpoints"][0]["targetRef"] == target
    assert found["endpoints"][0]["nodeName"] == world.get("pods", "a")["spec"]["nodeName"]
    assert endpoints(world) == {"127.1.0.1": (True, True, False), "127.1.0.2": (False, False, False)}
    labels = world.get("endpoints", "web")["metadata"]["labels"]
    assert labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"
    assert subsets(world) == [(["127.1.0.1"], ["127.1.0.2"], [8080])]


async def test_a_pod_that_leaves_is_not_ready_at_once(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1", finalizers=["example.com/hold"])
    await world.settle()
    world.registry.delete("pods", NS, "a", DeleteOptions())
    await world.settle()
    assert endpoints(world) == {"127.1.0.1": (False, True, True)}
    assert subsets(world) == []
    told(world, "a", "127.1.0.1", ready=False, phase="Succeeded")
    await world.settle()
    assert endpoints(world) == {}
    (found,) = world.list("endpointslices")
    assert (found["endpoints"], found["ports"]) == (None, None)


async def test_who_publishes_unready_pods_has_them_ready(world: World) -> None:
    service(world, publishNotReadyAddresses=True)
    pod(world, "a", "127.1.0.1", ready=False)
    await world.settle()
    assert endpoints(world) == {"127.1.0.1": (True, False, False)}
    assert subsets(world) == [(["127.1.0.1"], [], [8080])]


async def test_one_slice_lives_through_changes(world: World) -> None:
    service(world)
    await world.settle()
    (empty,) = world.list("endpointslices")
    assert empty["endpoints"] is None
    pod(world, "a", "127.1.0.1")
    await world.settle()
    told(world, "a", "127.1.0.1", ready=False)
    await world.settle()
    (found,) = world.list("endpointslices")
    assert found["metadata"]["uid"] == empty["metadata"]["uid"]
    assert found["metadata"]["generation"] == 3
    assert endpoints(world) == {"127.1.0.1": (False, False, False)}


async def test_a_name_that_means_different_numbers_makes_two_slices(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1", 8080)
    pod(world, "b", "127.1.0.2", 9090)
    await world.settle()
    ports = sorted(found["ports"][0]["port"] for found in world.list("endpointslices"))
    assert ports == [8080, 9090]
    assert subsets(world) == [(["127.1.0.1"], [], [8080]), (["127.1.0.2"], [], [9090])]
    world.registry.remove_now("pods", NS, "b", world.get("pods", "b")["metadata"]["uid"])
    await world.settle()
    assert [found["ports"][0]["port"] for found in world.list("endpointslices")] == [8080]


async def test_nothing_is_written_when_nothing_changed(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1")
    await world.settle()

    def noise(found: Object) -> None:
        found["status"]["message"] = "something else"

    world.registry.edit("pods", NS, "a", noise, manager="test", subresource="status")
    seen = len(world.changes)
    world.patch("services", "web", {"metadata": {"annotations": {"a": "b"}}})
    await world.settle()
    assert {change.key[0] for change in world.changes[seen:]} == {"services"}


async def test_what_others_break_is_put_right(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1")
    await world.settle()
    (found,) = world.list("endpointslices")
    options = WriteOptions(manager="test")
    body = {**found, "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {}}]}
    world.registry.replace("endpointslices", NS, found["metadata"]["name"], body, options)
    assert any("has no effect" in text for text in options.warnings)
    world.registry.delete("endpoints", NS, "web")
    await world.settle()
    assert endpoints(world) == {"127.1.0.1": (True, True, False)}
    assert subsets(world) == [(["127.1.0.1"], [], [8080])]


async def test_both_go_with_their_service(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1")
    await world.settle()
    world.registry.delete("services", NS, "web")
    await world.settle()
    assert world.list("endpointslices") == world.list("endpoints") == []


async def test_a_service_without_a_selector_is_left_alone(world: World) -> None:
    service(world, selector=None)
    world.create("endpoints", {"metadata": {"name": "web"}, "subsets": []})
    pod(world, "a", "127.1.0.1")
    await world.settle()
    assert world.list("endpointslices") == []
    assert subsets(world) == []


async def test_a_namespace_with_services_goes(world: World) -> None:
    service(world)
    pod(world, "a", "127.1.0.1")
    await world.settle()
    world.registry.delete("namespaces", "", NS)
    await world.settle()
    world.registry.remove_now("pods", NS, "a", world.get("pods", "a")["metadata"]["uid"])
    await world.settle()
    assert world.registry.find("namespaces", "", NS) is None
