"""Requests during updates and rollbacks: the shop answers every one, and a program that does not drain loses some."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from include.release.applying import apply_object, ensure_immutable
from include.release.draining import wait_for_leaving_pods
from include.release.environments import RolloutPolicy
from include.release.following import Follower, Outcome
from include.release.frozen import Frozen, freeze
from include.release.kube import Cluster
from include.release.kube_async import AsyncCluster
from include.release.loading import Sources
from include.release.migrating import Runner
from include.release.spec import Migration
from tests.standin import install_shop
from tools.bench.load import SHOP_CALLS, USER_CALL, Load, Report, under_load

REQUESTS = 5_000
PODS = 2
Release = Callable[..., Any]


@pytest.fixture
def shop(cluster: Any, namespace: str, sources: Sources) -> Callable[[str], Frozen]:
    """Installs the shop; freezes its releases for the test's namespace, with few pods."""
    install_shop(cluster.connect(), namespace)
    environment = sources.environments().environments[0].model_copy(update={"namespace": namespace})

    def frozen(name: str) -> Frozen:
        found = freeze(sources.read_release(name), environment, sources.image_lock(environment))
        for manifest in found.deployments():
            manifest["spec"]["replicas"] = min(manifest["spec"]["replicas"], PODS)
        return found

    return frozen


@pytest.fixture
def roll_out(cluster: Any) -> Release:
    """Brings a frozen release's objects into the cluster, and follows the rollout to its end."""

    async def go(frozen: Frozen) -> None:
        client, namespace = cluster.connect(), frozen.environment.namespace
        for manifest in frozen.config_maps:
            ensure_immutable(client, manifest, namespace)
        for manifest in frozen.objects:
            apply_object(client, manifest, frozen, "traffic", dry_run=False)
        names = [each["metadata"]["name"] for each in frozen.deployments()]
        outcome = await follow(cluster, frozen, names)
        assert outcome.complete, outcome.text

    return go


async def follow(cluster: Any, frozen: Frozen, names: list[str]) -> Outcome:
    from kubernetes_asyncio import client
    from kubernetes_asyncio.config import load_kube_config

    configuration = client.Configuration()
    await load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        where = (frozen.environment.namespace, frozen.release.app, names)
        policy = RolloutPolicy(timeout_seconds=60)
        return await Follower(AsyncCluster(api), *where, frozen.title, policy, lambda line: None).follow()


def migrate(client: Cluster, frozen: Frozen) -> None:
    assert frozen.release.migrations is not None
    for step in frozen.release.migrations.steps:
        Runner(client, frozen, "traffic", lambda line: None).run(step)


def undo(client: Cluster, frozen: Frozen) -> None:
    """Take the release's migrations back, newest first, by its own build."""
    assert frozen.release.migrations is not None
    for step in reversed(frozen.release.migrations.steps):
        back: Migration = step.model_copy(update={"up": step.down})
        Runner(client, frozen, "traffic", lambda line: None).run(back)


def address(client: Cluster, namespace: str, service: str) -> tuple[str, int]:
    spec = (client.get("Service", namespace, service) or {})["spec"]
    return spec["clusterIP"], spec["ports"][0]["port"]


def wait_for_end_of_pods(client: Cluster, frozen: Frozen, manifests: list[dict[str, Any]]) -> None:
    assert wait_for_leaving_pods(client, frozen.environment.namespace, manifests, lambda line: None) == []


def orders(client: Cluster, namespace: str) -> int:
    """How many orders the shop has."""
    pods = client.list("Pod", namespace, labels="app=app-deployment")
    status, text = client.ask_pod(namespace, pods[0]["metadata"]["name"], 8080, "/orders")
    assert status == 200, text
    return sum(json.loads(text).values())


def explained(report: Report, client: Cluster, namespace: str) -> str:
    """The report, with what happened to pods at that time."""
    events = client.list("Event", namespace)
    told = [
        f"  {each['lastTimestamp'][11:19]}  {each['involvedObject']['name']}: {each['reason']} {each['message']}"
        for each in sorted(events, key=lambda one: str(one["lastTimestamp"]))
        if each["reason"] in ("Killing", "Started", "Unhealthy")
    ]
    return "\n".join([report.text(), "Pods meanwhile:", *told])


async def test_every_request_is_answered_during_an_update_and_a_rollback(cluster, namespace, shop, roll_out):
    client = cluster.connect()
    first, second = shop("release-1"), shop("release-2")
    migrate(client, first)
    await roll_out(first)
    time.sleep(1.5)  # until the Service's last pod is known to the proxy
    load = Load(*address(client, namespace, "app-service"), (*SHOP_CALLS * 4, USER_CALL))
    before = orders(client, namespace)
    with under_load(load) as reports:
        migrate(client, second)
        await roll_out(second)
        # Back: the pods first, because release 1 works on the new tables; then the tables, by release 2's build,
        # when no pod of it serves any more.
        await roll_out(first)
        client.delete("Deployment", namespace, "order-processor")
        time.sleep(0.5)  # until its pod is told
        wait_for_end_of_pods(client, second, second.deployments())
        undo(client, second)
        while load.requests < REQUESTS:
            time.sleep(0.2)
    (report,) = reports
    assert report.failed == 0, explained(report, client, namespace)
    assert report.requests >= REQUESTS
    for call in ("GET /menu", "POST /orders", "POST /users"):
        assert report.answered(call) > 100, report.text()
    assert orders(client, namespace) - before == report.answered("POST /orders")


def without_drain(frozen: Frozen) -> list[dict[str, Any]]:
    """The release's main application under another name, ending at once when it is told to."""
    made = copy.deepcopy([each for each in frozen.objects if each["kind"] in ("Service", "Deployment")])
    for manifest in made:
        manifest["metadata"] = {"name": "control", "namespace": frozen.environment.namespace}
        spec = manifest["spec"]
        if manifest["kind"] == "Service":
            spec["selector"] = {"app": "control"}
            continue
        spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = {"app": "control"}
        (container,) = spec["template"]["spec"]["containers"]
        del container["lifecycle"]
        container["env"].append({"name": "DRAIN_SECONDS", "value": "0"})
    return made


async def test_a_program_that_does_not_drain_loses_requests(cluster, namespace, shop, roll_out):
    """The control: the test above sees what is lost."""
    client = cluster.connect()
    frozen = shop("release-1")
    migrate(client, frozen)
    control = without_drain(frozen)
    for manifest in frozen.config_maps:
        ensure_immutable(client, manifest, namespace)
    for manifest in control:
        client.apply(manifest, namespace, manager="control", force=True)
    assert (await follow(cluster, frozen, ["control"])).complete
    time.sleep(1.5)  # until the proxy knows the last pod
    calls = [call for call in SHOP_CALLS if call.method == "GET"]
    with under_load(Load(*address(client, namespace, "control"), calls)) as reports:
        time.sleep(0.5)
        control[-1]["spec"]["template"]["metadata"]["annotations"] = {"again": "1"}
        client.apply(control[-1], namespace, manager="control", force=True)
        assert (await follow(cluster, frozen, ["control"])).complete
        wait_for_end_of_pods(client, frozen, control[1:])
        time.sleep(1.5)
    (report,) = reports
    assert report.failed > 0, report.text()
    assert report.requests > report.failed
