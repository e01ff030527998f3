"""Rules of a rollout that the timelines do not show."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from include.cluster.controllers.deployment import amounts, revisions
from tests.include.cluster.controllers.kit import World, deployment, version

Object = dict[str, Any]


def rolling(surge: Any, unavailable: Any) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (3, "25%", "25%", (1, 0)),
        (4, "25%", "25%", (1, 1)),
        (10, "30%", "0%", (3, 0)),
        (3, 0, "10%", (0, 1)),
        (100, "29%", "29%", (29, 29)),
        (5, 2, 1, (2, 1)),
    ],
)
def test_percentages_round_up_for_surge_and_down_for_unavailability(
    replicas: int, surge: Any, unavailable: Any, expected: tuple[int, int]
) -> None:
    made = deployment(replicas=replicas, strategy=rolling(surge, unavailable))
    assert amounts.fenceposts(made) == expected


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1), ("50%", "50%"), (2, "25%"), ("100%", 0)])
async def test_a_rollout_keeps_its_bounds_whatever_the_order_of_pods(
    world: World, surge: Any, unavailable: Any
) -> None:
    made = deployment(replicas=4, strategy=rolling(surge, unavailable))
    world.create("deployments", made)
    await world.run()
    most = 4 + amounts.max_surge(made)
    least = 4 - amounts.max_unavailable(made)
    world.patch("deployments", "web", version(2))
    await world.settle()
    choose = random.Random(7)
    while world.kubelet.step(choose.randrange):
        await world.settle()
        pods = [pod for pod in world.list("pods") if not pod["metadata"].get("deletionTimestamp")]
        assert len(pods) <= most
        assert sum(1 for pod in pods if is_ready(pod)) >= least
    assert world.conditions("deployments", "web")["Progressing"] == ("True", "NewReplicaSetAvailable")
    assert {pod["spec"]["containers"][0]["env"][0]["value"] for pod in world.list("pods")} == {"2"}


def is_ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])


async def test_pods_are_available_only_after_min_ready_seconds(world: World) -> None:
    world.create("deployments", deployment(replicas=1, minReadySeconds=2))
    await world.run()
    status = world.get("deployments", "web")["status"]
    assert (status.get("readyReplicas"), status.get("availableReplicas")) == (1, None)
    await world.soon(lambda: world.get("deployments", "web")["status"].get("availableReplicas") == 1)


async def test_the_progress_deadline_is_looked_at_by_itself(world: World) -> None:
    world.behave = lambda pod: "never"
    world.create("deployments", deployment(replicas=1, progressDeadlineSeconds=1))
    expected = ("False", "ProgressDeadlineExceeded")
    await world.soon(lambda: world.conditions("deployments", "web").get("Progressing") == expected)
    world.behave = lambda pod: "ready"
    world.patch("deployments", "web", version(2))
    await world.run()
    assert world.conditions("deployments", "web")["Progressing"] == ("True", "NewReplicaSetAvailable")


async def test_old_revisions_go_beyond_the_limit(world: World) -> None:
    world.create("deployments", deployment(replicas=1, revisionHistoryLimit=2))
    for number in range(2, 7):
        await world.run()
        world.patch("deployments", "web", version(number))
    await world.run()
    assert sorted(map(revisions.revision, world.list("replicasets"))) == [4, 5, 6]


async def test_undo_takes_up_the_old_replicaset_with_a_new_revision(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    first = world.list("replicasets")[0]["metadata"]["name"]
    for number in (2, 1, 2, 1):
        world.patch("deployments", "web", version(number))
        await world.run()
    assert len(world.list("replicasets")) == 2
    annotations = world.get("replicasets", first)["metadata"]["annotations"]
    assert annotations[revisions.REVISION] == "5"
    assert annotations[revisions.REVISION_HISTORY] == "1,3"
    assert world.get("deployments", "web")["metadata"]["annotations"][revisions.REVISION] == "5"


async def test_scaling_in_the_middle_of_a_rollout_is_shared_out(world: World) -> None:
    world.create("deployments", deployment(replicas=10, strategy=rolling(3, 2)))
    await world.run()
    world.behave = lambda pod: "never"
    world.patch("deployments", "web", version(2))
    await world.run()
    assert sizes(world) == {"1": 8, "2": 5}
    world.patch("deployments", "web", {"spec": {"replicas": 15}}, "merge-patch+json")
    await world.run()
    # As in the documentation of Deployments: three more for the old one, two for the new one.
    assert sizes(world) == {"1": 11, "2": 7}


def sizes(world: World) -> dict[str, int]:
    return {
        one["metadata"]["annotations"][revisions.REVISION]: one["spec"]["replicas"]
        for one in world.list("replicasets")
    }


async def test_an_orphan_replicaset_is_adopted_and_not_made_again(world: World) -> None:
    world.create("deployments", deployment(replicas=1))
    await world.run()
    before = world.list("replicasets")[0]["metadata"]["uid"]
    world.registry.delete("deployments", "shop", "web", orphan())
    await world.run()
    assert world.registry.find("deployments", "shop", "web") is None
    assert "ownerReferences" not in world.list("replicasets")[0]["metadata"]
    again = world.create("deployments", deployment(replicas=1))
    await world.run()
    adopted = world.list("replicasets")
    assert [one["metadata"]["uid"] for one in adopted] == [before]
    assert adopted[0]["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"]
    assert world.conditions("deployments", "web")["Progressing"][1] == "NewReplicaSetAvailable"


def orphan() -> Any:
    from include.cluster.registry import DeleteOptions

    return DeleteOptions("Orphan")


async def test_a_name_that_is_another_templates_counts_a_collision(world: World) -> None:
    made = deployment(replicas=1)
    world.behave = lambda pod: "never"
    world.create("deployments", {**made, "spec": {**made["spec"], "paused": True}})
    await world.run()
    label = revisions.template_hash(world.get("deployments", "web")["spec"]["template"], 0)
    other = deployment(replicas=0)["spec"]
    other["selector"] = {"matchLabels": {"app": "other"}}
    other["template"]["metadata"]["labels"] = {"app": "other"}
    del other["strategy" if "strategy" in other else "replicas"]
    world.create("replicasets", {"metadata": {"name": f"web-{label}"}, "spec": {**other, "replicas": 0}})
    world.patch("deployments", "web", {"spec": {"paused": None}}, "merge-patch+json")
    await world.soon(lambda: any(one["spec"]["replicas"] for one in world.list("replicasets")))
    assert world.get("deployments", "web")["status"]["collisionCount"] == 1


async def test_a_settled_deployment_is_left_in_peace(world: World) -> None:
    world.create("deployments", deployment())
    await world.run()
    before = world.store.revision
    for controller in world.running.controllers if world.running else ():
        for key in list(controller.initial()):
            controller.enqueue(key)
    await world.run()
    assert world.store.revision == before


async def test_many_deployments_take_no_longer_each_than_a_few(world: World) -> None:
    taken = []
    made = 0
    for count in (40, 200):
        started = time.perf_counter()
        for _ in range(count):
            world.create("deployments", deployment(f"app-{made}", 1))
            made += 1
        await world.settle(50_000)
        taken.append((time.perf_counter() - started) / count)
    assert len(world.list("pods")) == made
    assert taken[1] < 3 * taken[0]
