"""Waiting for pods on their way out, and whether the shipped releases give them the time they need."""

from __future__ import annotations

from typing import Any

import pytest

from include.release import draining
from include.release.draining import wait_for_leaving_pods
from include.release.loading import Sources

WEB = {"spec": {"selector": {"matchLabels": {"app": "web", "tier": "front"}}}}


class Pods:
    """Answers with one list of pods after the other, the last one for ever."""

    def __init__(self, *lists: list[dict[str, Any]]) -> None:
        self.lists, self.asked = list(lists), []

    def list(self, kind: str, namespace: str, *, labels: str) -> list[dict[str, Any]]:
        self.asked.append((kind, namespace, labels))
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]


def pod(name: str, *, leaving: bool, grace: int = 0) -> dict[str, Any]:
    told = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
    return {"metadata": {"name": name, **(told if leaving else {})}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(draining, "SPARE_SECONDS", 0.05)


def test_pods_that_stay_are_not_waited_for():
    said: list[str] = []
    cluster = Pods([pod("new", leaving=False)])
    assert wait_for_leaving_pods(cluster, "shop", [WEB], said.append) == []
    assert (cluster.asked, said) == ([("Pod", "shop", "app=web,tier=front")], [])


def test_it_waits_until_the_last_has_ended():
    said: list[str] = []
    both, one = [pod("a", leaving=True, grace=30), pod("b", leaving=True, grace=30)], [pod("b", leaving=True)]
    cluster = Pods(both, one, [pod("new", leaving=False)])
    assert wait_for_leaving_pods(cluster, "shop", [WEB], said.append) == []
    assert said == ["2 pods of the build before still answer requests: waiting for them"]


def test_pods_that_a_dead_node_keeps_are_named():
    stuck = [pod("b", leaving=True), pod("a", leaving=True)]
    assert wait_for_leaving_pods(Pods(stuck), "shop", [WEB], lambda line: None) == ["a", "b"]


@pytest.mark.parametrize("name", Sources.from_environment().release_names())
def test_the_grace_period_holds_everything_that_a_pod_does_at_its_end(name):
    """preStop (longer than a change takes to reach every proxy), draining, and requests in flight."""
    release = Sources.from_environment().read_release(name).release
    maps = {each.name: each.data for each in release.configuration.config_maps}
    ports = [each for each in release.objects if each["kind"] == "Service"]
    for manifest in (each for each in release.objects if each["kind"] == "Deployment"):
        pod_spec = manifest["spec"]["template"]["spec"]
        labels = manifest["spec"]["template"]["metadata"]["labels"].items()
        served = any(service["spec"]["selector"].items() <= labels for service in ports)
        for container in pod_spec["containers"]:
            given = [maps.get(each["configMapRef"]["name"], {}) for each in container.get("envFrom", [])]
            settings = {key: value for each in given for key, value in each.items()}
            hook = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            drain = float(settings.get("DRAIN_SECONDS", 1)) + float(settings.get("SHUTDOWN_SECONDS", 20))
            assert hook + drain < pod_spec["terminationGracePeriodSeconds"], manifest["metadata"]["name"]
            if served:
                assert hook >= 2, f"{manifest['metadata']['name']} ends before every proxy knows"
                assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
                assert manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
