from __future__ import annotations

from typing import Any

import pytest

from include.cluster.errors import ApiError
from tests.include.cluster.controllers.kit import World, deployment

Object = dict[str, Any]


def pod(name: str, requests: Object | None = None) -> Object:
    container = {"name": "main", "image": "app:1", "resources": {"requests": requests} if requests else {}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def quota(**hard: str) -> Object:
    return {
        "metadata": {"name": "q"},
        "spec": {"hard": {key.replace("_", "."): text for key, text in hard.items()}},
    }


async def test_the_refusal_names_the_quota_and_the_numbers(world: World) -> None:
    world.create("resourcequotas", quota(pods="2", requests_cpu="1", memory="1Gi"))
    world.create("pods", pod("a", {"cpu": "600m", "memory": "512Mi"}))
    with pytest.raises(ApiError) as refused:
        world.create("pods", pod("b", {"cpu": "0.5", "memory": "600Mi"}))
    assert refused.value.code == 403
    assert refused.value.message == (
        'pods "b" is forbidden: exceeded quota: q, requested: memory=600Mi,requests.cpu=500m, '
        "used: memory=512Mi,requests.cpu=600m, limited: memory=1Gi,requests.cpu=1"
    )


async def test_what_a_quota_counts_has_to_be_said(world: World) -> None:
    world.create("resourcequotas", quota(requests_cpu="1", requests_memory="1Gi"))
    with pytest.raises(ApiError) as refused:
        world.create("pods", pod("a"))
    assert refused.value.message == (
        'pods "a" is forbidden: failed quota: q: must specify requests.cpu for: main; requests.memory for: main'
    )


async def test_used_is_kept_up_and_finished_pods_use_nothing(world: World) -> None:
    world.behave = lambda found: "run"
    world.create("resourcequotas", quota(pods="5", requests_memory="2Gi", configmaps="9"))
    world.create("pods", pod("a", {"memory": "1Gi"}))
    await world.run()
    status = world.get("resourcequotas", "q")["status"]
    assert status["hard"] == {"pods": "5", "requests.memory": "2Gi", "configmaps": "9"}
    assert status["used"] == {"pods": "1", "requests.memory": "1Gi", "configmaps": "1"}
    world.kubelet.finish(world.get("pods", "a"), 0)
    await world.run()
    assert world.get("resourcequotas", "q")["status"]["used"]["pods"] == "0"


async def test_a_replicaset_fills_up_once_the_quota_allows_it(world: World) -> None:
    world.create("resourcequotas", quota(pods="1"))
    world.create("deployments", deployment(replicas=2))
    await world.run()
    assert world.conditions("deployments", "web")["ReplicaFailure"] == ("True", "FailedCreate")
    world.patch("resourcequotas", "q", {"spec": {"hard": {"pods": "2"}}}, "merge-patch+json")
    await world.soon(lambda: world.get("deployments", "web")["status"].get("availableReplicas") == 2)
    assert "ReplicaFailure" not in world.conditions("deployments", "web")
