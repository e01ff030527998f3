from __future__ import annotations

from typing import Any

from include.cluster.controllers import pods
from include.cluster.registry.clock import stamp
from tests.include.cluster.controllers.kit import World, deployment

Object = dict[str, Any]


def pod(name: str, **changed: Any) -> Object:
    made: Object = {
        "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "containerStatuses": [{"restartCount": 0}],
        },
    }
    for path, value in changed.items():
        part, _, field = path.partition("_")
        made[part][field] = value
    return made


def test_pods_are_given_up_in_the_order_of_kubernetes() -> None:
    unready = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    lately = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp()}]
    expected = [
        pod("unassigned", spec_nodeName=None),
        pod("pending", status_phase="Pending"),
        pod("unready", status_conditions=unready),
        pod("cheap", metadata_annotations={pods.DELETION_COST: "-5"}),
        pod("lately-ready", status_conditions=lately),
        pod("restarted", status_containerStatuses=[{"restartCount": 3}]),
        pod("young", metadata_creationTimestamp=stamp()),
        pod("a-plain-one"),
        pod("dear", metadata_annotations={pods.DELETION_COST: "100"}),
    ]
    ordered = pods.deletion_order(sorted(expected, key=lambda one: one["metadata"]["name"]))
    assert [one["metadata"]["name"] for one in ordered] == [one["metadata"]["name"] for one in expected]


async def test_a_relabelled_pod_is_released_and_replaced(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    name = world.list("pods")[0]["metadata"]["name"]
    world.patch("pods", name, {"metadata": {"labels": {"app": "aside"}}}, "merge-patch+json")
    await world.run()
    assert "ownerReferences" not in world.get("pods", name)["metadata"]
    assert len(world.list("pods")) == 2
    assert world.get("deployments", "web")["status"]["availableReplicas"] == 1


async def test_a_pod_that_fits_is_adopted(world: World) -> None:
    world.create("deployments", deployment(replicas=2))
    await world.run()
    mine = world.list("replicasets")[0]
    labels = mine["spec"]["template"]["metadata"]["labels"]
    spec = deployment()["spec"]["template"]["spec"]
    world.create("pods", {"metadata": {"name": "stray", "labels": labels}, "spec": spec})
    await world.run()
    # Two are enough: the adopted one, the youngest, goes again.
    assert len(world.list("pods")) == 2
    assert "Deleted pod: stray" in world.events("ReplicaSet", "SuccessfulDelete")


async def test_a_failed_pod_is_replaced(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    first = world.list("pods")[0]
    world.kubelet.finish(first, 137)
    await world.run()
    assert len([one for one in world.list("pods") if one["status"]["phase"] == "Running"]) == 1
    assert (
        world.get("replicasets", world.list("replicasets")[0]["metadata"]["name"])["status"]["replicas"] == 1
    )
