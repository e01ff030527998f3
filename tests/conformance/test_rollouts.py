"""Rollouts: how many pods there are while they roll, and what a rollout that does not succeed says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.kit.api import STRATEGIC, Object
from tests.conformance.kit.manifests import IDLE, container, deployment, python, server, service, sh
from tests.conformance.kit.namespace import Namespace, condition, container_status, phase, rollout_complete


def updated(ns: Namespace, **main: Any) -> Object:
    """The Deployment after a change of its container."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "main", **main}]}}}}
    changed: Object = ns.patch("deployments", "d", body, STRATEGIC).expect(200)
    return changed


def new_env(value: str) -> Object:
    return {"env": [{"name": "VERSION", "value": value}]}


def states(ns: Namespace, change: Callable[[], Object], seconds: int = 90) -> Iterator[Object]:
    """Each state of the Deployment from the change on, until the rollout is complete."""
    start = ns.get("deployments", "d")["metadata"]["resourceVersion"]
    generation = change()["metadata"]["generation"]
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=d"}
    for event in ns.api.watch(ns.path("deployments"), seconds=seconds, **query):
        item = event["object"]
        if item["metadata"]["generation"] < generation:
            continue
        yield item
        if rollout_complete(item) and not item["status"].get("terminatingReplicas"):
            return
    pytest.fail(f"the rollout did not complete in {seconds} s")


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"),
    [(1, 0, 4, 3), (0, 1, 3, 2), ("34%", "34%", 5, 2)],
)
def test_rolling_update_keeps_its_bounds(
    ns: Namespace, surge: int | str, unavailable: int | str, most: int, least: int
) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    ns.create("deployments", deployment("d", server(ns.image), replicas=3, strategy=strategy))
    ns.rolled_out("d")
    totals, available, versions = [], [], set()
    for item in states(ns, lambda: updated(ns, **new_env("2"))):
        if item["status"]["observedGeneration"] < item["metadata"]["generation"]:
            continue
        totals.append(item["status"].get("replicas", 0))
        available.append(item["status"].get("availableReplicas", 0))
    assert max(totals) <= most
    assert min(available) >= least
    for pod in ns.list("pods"):
        if "deletionTimestamp" in pod["metadata"]:
            continue
        versions |= {env["value"] for env in pod["spec"]["containers"][0]["env"] if env["name"] == "VERSION"}
    assert versions == {"2"}


def test_service_answers_throughout_a_rolling_update(ns: Namespace) -> None:
    hook = {"lifecycle": {"preStop": {"exec": {"command": sh("sleep 1")}}}}
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    ns.create("services", service("web", app="d"))
    ns.create("deployments", deployment("d", server(ns.image, **hook), replicas=2, strategy=strategy))
    ns.rolled_out("d")
    updated(ns, **new_env("2"))
    seen = set()
    while not rollout_complete(ns.get("deployments", "d")):
        answer = ns.fetch("services", "web:http", "/")
        assert answer.code == 200, answer.text
        seen.add(answer.body["version"])
    seen.add(ns.fetch("services", "web:http", "/").body["version"])
    assert "2" in seen


def test_recreate_ends_the_old_before_the_new(ns: Namespace) -> None:
    body = deployment("d", container(ns.image, python(IDLE)), replicas=2, strategy={"type": "Recreate"})
    ns.create("deployments", body)
    ns.rolled_out("d")
    old = {pod["metadata"]["uid"] for pod in ns.list("pods")}
    start = ns.api.request("GET", ns.path("pods")).expect(200)["metadata"]["resourceVersion"]
    updated(ns, **new_env("2"))
    ended: set[str] = set()
    events = ns.api.watch(ns.path("pods"), seconds=60, resourceVersion=start)
    for event in events:
        uid = event["object"]["metadata"]["uid"]
        if event["type"] == "DELETED" or phase(event["object"]) in ("Succeeded", "Failed"):
            ended.add(uid)
        if uid not in old:
            break
    events.close()  # type: ignore[attr-defined]
    assert ended == old
    ns.rolled_out("d")


def test_min_ready_seconds_delays_availability(ns: Namespace) -> None:
    ns.create("deployments", deployment("d", container(ns.image, python(IDLE)), minReadySeconds=3))
    ready = ns.wait(
        "deployments", "d", "a ready pod", lambda item: item.get("status", {}).get("readyReplicas") == 1
    )
    assert "availableReplicas" not in ready["status"]
    assert ready["status"]["unavailableReplicas"] == 1
    assert condition(ready, "Available")["status"] == "False"
    ns.rolled_out("d")


def test_progress_deadline(ns: Namespace) -> None:
    never = {"readinessProbe": {"exec": {"command": sh("exit 1")}, "periodSeconds": 1}}
    ns.create(
        "deployments", deployment("d", container(ns.image, python(IDLE), **never), progressDeadlineSeconds=3)
    )
    failed = ns.wait(
        "deployments",
        "d",
        "past its deadline",
        lambda item: condition(item, "Progressing").get("reason") == "ProgressDeadlineExceeded",
    )
    progressing = condition(failed, "Progressing")
    (replicas,) = ns.list("replicasets")
    assert progressing["status"] == "False"
    assert progressing["message"] == f'ReplicaSet "{replicas["metadata"]["name"]}" has timed out progressing.'
    available = condition(failed, "Available")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert available["message"] == "Deployment does not have minimum availability."
    assert failed["status"]["unavailableReplicas"] == 1
    updated(ns, readinessProbe={"exec": {"command": sh("exit 0")}})
    done = ns.rolled_out("d")
    assert condition(done, "Available")["status"] == "True"


def test_update_to_a_missing_image_leaves_the_old_pods(ns: Namespace) -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    body = deployment("d", container(ns.image, python(IDLE)), strategy=strategy, progressDeadlineSeconds=5)
    before = ns.create("deployments", body)
    ns.rolled_out("d")
    (old,) = ns.list("pods")
    updated(ns, image="registry.example.com/conformance/missing:1")
    failed = ns.wait(
        "deployments",
        "d",
        "past its deadline",
        lambda item: condition(item, "Progressing").get("reason") == "ProgressDeadlineExceeded",
    )
    assert condition(failed, "Available")["status"] == "True"
    assert failed["status"]["availableReplicas"] == 1
    assert failed["status"]["updatedReplicas"] == 1
    (new,) = [pod for pod in ns.list("pods") if pod["metadata"]["uid"] != old["metadata"]["uid"]]
    reason = container_status(new)["state"]["waiting"]["reason"]
    assert reason in ("ErrImagePull", "ImagePullBackOff")
    undo = [{"op": "replace", "path": "/spec/template", "value": before["spec"]["template"]}]
    ns.patch("deployments", "d", undo, "application/json-patch+json").expect(200)
    ns.rolled_out("d")
    ns.gone("pods", new["metadata"]["name"])
    assert ns.get("pods", old["metadata"]["name"])["metadata"]["uid"] == old["metadata"]["uid"]


def test_update_that_crashes_leaves_the_old_pods(ns: Namespace) -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    body = deployment("d", server(ns.image), strategy=strategy)
    ns.create("deployments", body)
    ns.rolled_out("d")
    (old,) = ns.list("pods")
    updated(ns, command=sh("echo broken; exit 3"))

    def crashing(item: Object) -> bool:
        new = [pod for pod in ns.list("pods") if pod["metadata"]["uid"] != old["metadata"]["uid"]]
        return bool(new) and container_status(new[0]).get("restartCount", 0) >= 1

    seen = ns.wait("deployments", "d", "a new pod that was started again", crashing)
    assert seen["status"]["availableReplicas"] == 1
    assert condition(seen, "Available")["status"] == "True"
    assert not rollout_complete(seen)
