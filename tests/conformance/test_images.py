"""Images that are there, and those that are not."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import container, pod, sh
from tests.conformance.kit.namespace import Namespace, container_status, phase

MISSING = "registry.example.com/conformance/missing:1"


def reason(item: Object) -> str:
    return str(container_status(item).get("state", {}).get("waiting", {}).get("reason", ""))


def message(item: Object) -> str:
    return str(container_status(item).get("state", {}).get("waiting", {}).get("message", ""))


def test_an_unknown_image_is_tried_and_backed_off(ns: Namespace) -> None:
    created = ns.create("pods", pod("p", container(MISSING, sh("true"))))
    start = {"resourceVersion": created["metadata"]["resourceVersion"], "fieldSelector": "metadata.name=p"}
    for event in ns.api.watch(ns.path("pods"), seconds=60, **start):  # the first reason may not stay for long
        seen = event["object"]
        if reason(seen) not in ("", "ContainerCreating"):
            break
    assert reason(seen) == "ErrImagePull"
    assert phase(seen) == "Pending"
    assert MISSING in message(seen)
    assert container_status(seen)["image"] == MISSING
    assert container_status(seen)["imageID"] == ""
    seen = ns.wait("pods", "p", "backing off", lambda item: reason(item) == "ImagePullBackOff")
    assert message(seen).startswith(f'Back-off pulling image "{MISSING}"')
    assert ns.event("p", "Pulling")["message"] == f'Pulling image "{MISSING}"'
    messages = [event["message"] for event in ns.events("p", "Failed")]
    assert any(text.startswith(f'Failed to pull image "{MISSING}"') for text in messages)
    assert "Error: ErrImagePull" in messages
    assert ns.event("p", "BackOff")["message"].startswith(f'Back-off pulling image "{MISSING}"')


def test_a_missing_image_that_may_not_be_pulled(ns: Namespace) -> None:
    body = pod("p", container(MISSING, sh("true")))
    body["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    ns.create("pods", body)
    seen = ns.wait("pods", "p", "refused", lambda item: reason(item) == "ErrImageNeverPull")
    assert message(seen) == f'Container image "{MISSING}" is not present with pull policy of Never'


def test_a_reference_that_is_none(ns: Namespace) -> None:
    ns.create("pods", pod("p", container("Not/An_Image:::", sh("true"))))
    seen = ns.wait("pods", "p", "refused", lambda item: reason(item) == "InvalidImageName")
    assert phase(seen) == "Pending"
    ns.event("p", "InspectFailed")


def test_an_image_is_put_right_in_place(ns: Namespace) -> None:
    ns.create("pods", pod("p", container(MISSING, sh("echo fine"))))
    ns.wait("pods", "p", "refused", lambda item: reason(item) in ("ErrImagePull", "ImagePullBackOff"))
    patch = [{"op": "replace", "path": "/spec/containers/0/image", "value": ns.image}]
    ns.patch("pods", "p", patch, "application/json-patch+json").expect(200)
    assert phase(ns.pod_ended("p", 120)) == "Succeeded"


@pytest.mark.parametrize("pods", [2])
def test_the_image_id_is_the_same_for_the_same_image(ns: Namespace, pods: int) -> None:
    found = {
        container_status(ns.run(pod(f"p{number}", container(ns.image, sh("true")))))["imageID"]
        for number in range(pods)
    }
    assert len(found) == 1
    assert "sha256:" in found.pop()
