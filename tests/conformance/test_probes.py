"""Liveness, readiness and startup probes, by command, HTTP and TCP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import IDLE, POD_ENV, container, pod, python, server, sh
from tests.conformance.kit.namespace import (
    Namespace,
    condition,
    container_status,
    is_ready,
    last_terminated,
    phase,
)

FAST = {"periodSeconds": 1, "failureThreshold": 1}


def toggled(ns: Namespace, probe: str, restart: str = "Always", **fields: Any) -> Object:
    """A pod whose probe succeeds as long as /data/ok exists, which two commands to its server change."""
    script = """
import http.server, os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
open("/data/ok", "w").close()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/break" and os.path.exists("/data/ok"):
            os.remove("/data/ok")
        if self.path == "/mend":
            open("/data/ok", "w").close()
        good = self.path != "/healthz" or os.path.exists("/data/ok")
        self.send_response(200 if good else 503)
        self.end_headers()
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
    mount = [{"name": "v", "mountPath": "/data"}]
    main = container(ns.image, python(script), env=POD_ENV, volumeMounts=mount, **{probe: {**FAST, **fields}})
    return pod("p", main, restartPolicy=restart, volumes=[{"name": "v", "emptyDir": {}}])


HTTP = {"httpGet": {"path": "/healthz", "port": 8080}}
EXEC = {"exec": {"command": sh("[ -e /data/ok ]")}}


@pytest.mark.parametrize("handler", [HTTP, EXEC], ids=["http", "exec"])
def test_readiness_follows_its_probe(ns: Namespace, handler: Object) -> None:
    ns.create("pods", toggled(ns, "readinessProbe", **handler))
    ns.pod_ready("p")
    assert ns.fetch("pods", "p:8080", "/break").code == 200
    seen = ns.wait("pods", "p", "not ready", lambda item: not is_ready(item))
    assert condition(seen, "Ready")["reason"] == "ContainersNotReady"
    assert condition(seen, "Ready")["message"] == "containers with unready status: [main]"
    assert phase(seen) == "Running"
    event = ns.event("p", "Unhealthy")
    assert event["type"] == "Warning"
    assert event["message"].startswith("Readiness probe failed: ")
    ns.fetch("pods", "p:8080", "/mend")
    assert container_status(ns.pod_ready("p"))["restartCount"] == 0


def test_a_failing_liveness_probe_restarts_the_container(ns: Namespace) -> None:
    ns.create("pods", toggled(ns, "livenessProbe", **HTTP, initialDelaySeconds=1))
    ns.pod_ready("p")
    until("it is told to fail", lambda: ns.fetch("pods", "p:8080", "/break").code == 200, 20)
    seen = ns.wait("pods", "p", "started again", lambda item: container_status(item).get("restartCount") == 1)
    assert last_terminated(seen)["exitCode"] == 0
    messages = [event["message"] for event in ns.events("p", "Unhealthy")]
    assert "Liveness probe failed: HTTP probe failed with statuscode: 503" in messages
    assert ns.event("p", "Killing")["message"] == "Container main failed liveness probe, will be restarted"
    ns.pod_ready("p")


def test_a_tcp_probe(ns: Namespace) -> None:
    script = """
import os, signal, socket, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
time.sleep(1.5)
s = socket.create_server((os.environ["POD_IP"], 9000))
while True:
    s.accept()[0].close()
"""
    probe = {"readinessProbe": {**FAST, "tcpSocket": {"port": "tcp"}}}
    ports = [{"name": "tcp", "containerPort": 9000}]
    ns.create("pods", pod("p", container(ns.image, python(script), env=POD_ENV, ports=ports, **probe)))
    seen = ns.wait("pods", "p", "running", lambda item: phase(item) == "Running")
    assert not is_ready(seen)
    ns.pod_ready("p")


def test_a_container_without_a_readiness_probe_is_ready_when_it_runs(ns: Namespace) -> None:
    ns.create("pods", pod("p", container(ns.image, python(IDLE))))
    status = container_status(ns.pod_ready("p"))
    assert (status["ready"], status["started"]) == (True, True)


def test_the_startup_probe_holds_the_others_back(ns: Namespace) -> None:
    script = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
time.sleep(3)
open("/data/ok", "w").close()
signal.pause()
"""
    check = {"exec": {"command": sh("[ -e /data/ok ]")}, "periodSeconds": 1}
    main = container(
        ns.image,
        python(script),
        volumeMounts=[{"name": "v", "mountPath": "/data"}],
        startupProbe={**check, "failureThreshold": 60},
        livenessProbe={**check, "failureThreshold": 1},
    )
    ns.create("pods", pod("p", main, restartPolicy="Always", volumes=[{"name": "v", "emptyDir": {}}]))
    seen = ns.wait("pods", "p", "running", lambda item: "running" in container_status(item).get("state", {}))
    assert container_status(seen)["started"] is False
    assert container_status(seen)["ready"] is False
    done = ns.wait("pods", "p", "started", lambda item: container_status(item).get("started"))
    assert container_status(done)["restartCount"] == 0
    assert ns.event("p", "Unhealthy")["message"].startswith("Startup probe failed: ")


def test_a_startup_probe_that_never_succeeds_restarts_the_container(ns: Namespace) -> None:
    probe = {"startupProbe": {**FAST, "failureThreshold": 2, "exec": {"command": sh("echo not yet; exit 1")}}}
    ns.create("pods", pod("p", container(ns.image, python(IDLE), **probe), restartPolicy="Always"))
    ns.wait("pods", "p", "started again", lambda item: container_status(item).get("restartCount", 0) >= 1)
    assert ns.event("p", "Unhealthy")["message"] == "Startup probe failed: not yet\n"
    assert ns.event("p", "Killing")["message"] == "Container main failed startup probe, will be restarted"


def test_liveness_with_restart_never_fails_the_pod(ns: Namespace) -> None:
    probe = {"livenessProbe": {**FAST, "exec": {"command": sh("exit 1")}}}
    ended = ns.run(pod("p", container(ns.image, python(IDLE), **probe)))
    assert phase(ended) in ("Failed", "Succeeded")
    assert container_status(ended)["restartCount"] == 0


def test_a_probe_that_takes_too_long_fails(ns: Namespace) -> None:
    probe = {"readinessProbe": {**FAST, "timeoutSeconds": 1, "exec": {"command": sh("sleep 30")}}}
    ns.create("pods", pod("p", container(ns.image, python(IDLE), **probe)))
    message = ns.event("p", "Unhealthy")["message"]
    assert "timed out" in message or "deadline exceeded" in message
    assert not is_ready(ns.get("pods", "p"))


def test_initial_delay_and_success_threshold(ns: Namespace) -> None:
    probe = {"readinessProbe": {"exec": {"command": sh("exit 0")}, "periodSeconds": 1, "successThreshold": 3}}
    ns.create("pods", pod("p", container(ns.image, python(IDLE), **probe)))
    ns.wait("pods", "p", "running", lambda item: phase(item) == "Running")
    assert not is_ready(ns.get("pods", "p"))
    ns.pod_ready("p")


def test_an_http_probe_takes_redirects_and_refuses_errors(ns: Namespace) -> None:
    good = server(ns.image, readinessProbe={**FAST, "httpGet": {"path": "/status/204", "port": "http"}})
    bad = server(ns.image, readinessProbe={**FAST, "httpGet": {"path": "/status/404", "port": "http"}})
    ns.create("pods", pod("good", good))
    ns.create("pods", pod("bad", bad))
    ns.pod_ready("good")

    def told() -> bool:
        text = "Readiness probe failed: HTTP probe failed with statuscode: 404"
        return text in [event["message"] for event in ns.events("bad", "Unhealthy")]

    until("the failed probe is told", told)
    assert not is_ready(ns.get("pods", "bad"))
