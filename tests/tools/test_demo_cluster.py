"""What the demo installs before the first release."""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.release.kube import Cluster
from include.release.pressed import NOTE_PRESSED
from tests.standin import serve
from tools.demo.cluster import UPCOMMERCE, set_up


@pytest.fixture(scope="module")
def installed() -> Any:
    """A cluster of its own: the demo's namespaces are those of production."""
    running = serve()
    cluster = next(running).connect()
    set_up(cluster, lambda: None)
    yield cluster
    running.close()


def deployment(cluster: Cluster, name: str) -> dict[str, Any]:
    found = cluster.get("Deployment", UPCOMMERCE, name)
    assert found is not None
    return found


def test_upcommerce_comes_up_without_a_restart(installed):
    deadline = time.monotonic() + 30
    names = ("gateway-app", "swype-app", "upcommerce-app")
    while time.monotonic() < deadline:
        if all((deployment(installed, name).get("status") or {}).get("readyReplicas") for name in names):
            break
        time.sleep(0.2)
    pods = installed.list("Pod", UPCOMMERCE)
    assert len(pods) == 3
    for pod in pods:
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0], pod["metadata"]


def test_a_second_start_leaves_a_pressed_deployment_at_zero(installed):
    pressed = deployment(installed, "swype-app")
    pressed["spec"]["replicas"] = 0
    pressed["metadata"].setdefault("annotations", {})[NOTE_PRESSED] = "{}"
    installed.replace(pressed, UPCOMMERCE)
    set_up(installed, lambda: None)
    assert deployment(installed, "swype-app")["spec"]["replicas"] == 0
    assert deployment(installed, "upcommerce-app")["spec"]["replicas"] == 1
