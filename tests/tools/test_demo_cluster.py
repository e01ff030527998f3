"""What the demo installs before the first release."""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.release.kube import Cluster
from include.release.pressed import NOTE_PRESSED
from tests.standin import serve
from tools.demo import gateway
from tools.demo.cluster import UPCOMMERCE, set_up


@pytest.fixture(scope="module")
def standin() -> Any:
    """A cluster of its own: the demo's namespaces are those of production."""
    running = serve()
    yield next(running)
    running.close()


@pytest.fixture(scope="module")
def installed(standin: Any) -> Any:
    cluster = standin.connect()
    set_up(cluster, lambda: None)
    return cluster


@pytest.fixture
def cluster_dir(standin: Any, tmp_path: Any) -> Any:
    """A demo's directory with the cluster in it."""
    (tmp_path / "cluster").symlink_to(standin.kubeconfig.parent)
    return tmp_path


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


def test_the_gateway_is_broken_and_mended(installed, cluster_dir, monkeypatch, capsys):
    monkeypatch.setenv("DEMO_DIR", str(cluster_dir))
    assert gateway.main(["500"]) == 0
    reply = installed.ask_service(UPCOMMERCE, "gateway-service", 5010, "/ping")
    assert (reply.status, reply.by_server) == (500, False)
    assert gateway.main(["ok"]) == 0
    assert installed.ask_service(UPCOMMERCE, "gateway-service", 5010, "/ping").status == 200
    assert "The gateway answers again" in capsys.readouterr().out


def test_without_a_demo_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    assert gateway.main(["refuse"]) == 1
    assert capsys.readouterr().err == "error: no demo is up: run make demo in another terminal first\n"


def test_a_second_start_leaves_a_pressed_deployment_at_zero(installed):
    pressed = deployment(installed, "swype-app")
    pressed["spec"]["replicas"] = 0
    pressed["metadata"].setdefault("annotations", {})[NOTE_PRESSED] = "{}"
    installed.replace(pressed, UPCOMMERCE)
    set_up(installed, lambda: None)
    assert deployment(installed, "swype-app")["spec"]["replicas"] == 0
    assert deployment(installed, "upcommerce-app")["spec"]["replicas"] == 1
