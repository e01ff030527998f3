"""What serving pods run, compared with what was released."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.release.verifying import failure_text, image_digest, strangers, verify_workload

RIGHT, OTHER = "sha256:" + "2" * 64, "sha256:" + "1" * 64
BUILD = "2" * 64


def pod(
    name: str, digest: str = RIGHT, *, app: str = "app-deployment", container: str = "main-app", **more: Any
) -> Any:
    metadata = {"name": name, "labels": {"app": app}} | more.pop("metadata", {})
    status = {
        "conditions": [{"type": "Ready", "status": more.pop("ready", "True")}],
        "containerStatuses": [{"name": container, "imageID": f"registry.example.com/shop@{digest}"}],
    }
    return {"metadata": metadata, "status": status | more}


def says(build: str, status: int = 200) -> Any:
    def ask(name: str, port: int, path: str) -> tuple[int, str]:
        assert (port, path) == (8080, "/version")
        return status, json.dumps({"build": build})

    return ask


def look(frozen: Any, *pods: Any, ask: Any = None) -> list[str]:
    """The fault of each container, by pod."""
    deployment = next(each for each in frozen.deployments() if each["metadata"]["name"] == "app-deployment")
    seen = verify_workload(frozen, deployment, list(pods), ask or says(BUILD))
    return [f"{each.pod}: {each.fault}" for each in seen]


def test_pods_that_run_what_was_released(frozen):
    assert look(frozen, pod("b"), pod("a")) == ["a: ", "b: "]


def test_a_pod_of_another_build_is_named(frozen):
    [fault] = look(frozen, pod("a", OTHER))
    assert fault == f"a: image {OTHER[:19]}, which is no build of this release, instead of {RIGHT[:19]}"


def test_a_program_of_another_build_is_named(frozen):
    [fault] = look(frozen, pod("a"), ask=says("1" * 64))
    assert fault == "a: build 111111111111 instead of 222222222222"


@pytest.mark.parametrize("ask", [says(""), says(BUILD, 500), lambda *_: (200, "no JSON")])
def test_a_program_that_does_not_tell_its_build(frozen, ask):
    [fault] = look(frozen, pod("a"), ask=ask)
    assert fault.startswith("a: /version gives no build id (status ")


def test_pods_that_take_no_traffic_do_not_count(frozen):
    ending = pod("old", OTHER, metadata={"deletionTimestamp": "2026-03-04T05:06:00Z"})
    assert look(frozen, pod("a"), ending, pod("starting", OTHER, ready="False")) == ["a: "]
    assert look(frozen, ending) == ["(none): no pod serves"]


def test_a_container_that_is_missing_is_a_fault_and_an_injected_one_is_not(frozen):
    assert look(frozen, pod("a", container="other")) == ["a: the pod has no such container"]
    injected = pod("a")
    injected["status"]["containerStatuses"].append({"name": "proxy", "imageID": f"mesh@{OTHER}"})
    assert look(frozen, injected) == ["a: "]


def test_pods_that_serve_behind_the_service_without_a_deployment_of_the_release(frozen):
    service = next(each for each in frozen.objects if each["kind"] == "Service")
    service["spec"]["selector"] = {"tier": "web"}
    ours = pod("ours", metadata={"labels": {"app": "app-deployment", "tier": "web"}})
    stray = pod("stray", OTHER, metadata={"labels": {"app": "canary", "tier": "web"}})
    elsewhere = pod("elsewhere", metadata={"labels": {"app": "canary"}})
    resting = pod("resting", OTHER, ready="False", metadata={"labels": {"app": "canary", "tier": "web"}})
    [found] = strangers(frozen, [ours, stray, elsewhere, resting])
    assert (found.pod, found.digest) == ("stray", OTHER)
    assert "serves behind Service app-service, and no Deployment of the release owns it" in found.fault


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"registry/shop@{RIGHT}", RIGHT),
        (f"docker-pullable://registry/shop@{RIGHT}", RIGHT),
        (f"docker://{RIGHT}", RIGHT),
        (RIGHT, RIGHT),
        ("registry/shop:2.0.0", ""),
        (None, ""),
    ],
)
def test_digests_as_container_runtimes_write_them(image_id, digest):
    assert image_digest({"imageID": image_id}) == digest


def test_the_failure_names_every_pod(frozen):
    deployment = next(each for each in frozen.deployments() if each["metadata"]["name"] == "app-deployment")
    seen = verify_workload(frozen, deployment, [pod("a", OTHER), pod("b")], says(BUILD))
    text = failure_text(frozen.title, seen)
    assert text.startswith(
        "release-2 (shop) in production: 1 pod that takes traffic does not run what was released."
    )
    assert f"  a main-app: image {OTHER[:19]}" in text
    assert "  b " not in text
