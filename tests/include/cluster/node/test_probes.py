"""Probes and lifecycle hooks."""

import pytest

SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/good' else 500)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer((os.environ['POD_IP'], 8080), Handler).serve_forever()
"""
POD_IP = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
FAST = {"periodSeconds": 1, "timeoutSeconds": 1}


def server(**extra) -> dict:
    return {
        "command": ["python3", "-c", SERVER],
        "env": POD_IP,
        "ports": [{"name": "http", "containerPort": 8080}],
        **extra,
    }


def http(path: str, **extra) -> dict:
    return {"httpGet": {"path": path, "port": "http"}, "failureThreshold": 2, **FAST, **extra}


def shell(script: str, **extra) -> dict:
    return {"exec": {"command": ["sh", "-c", script]}, "failureThreshold": 1, **FAST, **extra}


async def test_readiness_by_http(cluster):
    cluster.run("p", server(readinessProbe=http("/good")))
    await cluster.phase("p", "Running")
    assert not cluster.status("p")["ready"]
    await cluster.until(lambda: cluster.conditions("p")["Ready"]["status"] == "True")


async def test_readiness_comes_and_goes(cluster):
    probe = shell("test -e /tmp/ok")
    cluster.run(
        "p",
        {
            "command": ["sh", "-c", "touch /tmp/ok; sleep 1.2; rm /tmp/ok; exec sleep 60"],
            "readinessProbe": probe,
        },
    )
    await cluster.until(lambda: cluster.status("p").get("ready"))
    await cluster.until(lambda: not cluster.status("p")["ready"])
    assert cluster.conditions("p")["ContainersReady"]["message"] == "containers with unready status: [app]"
    assert ("Warning", "Unhealthy", "Readiness probe failed: ") in cluster.events("p")
    assert cluster.status("p")["restartCount"] == 0


async def test_liveness_by_http(cluster):
    cluster.run("p", server(livenessProbe=http("/bad", failureThreshold=1, initialDelaySeconds=1)))
    ended = await cluster.until(lambda: cluster.status("p")["lastState"].get("terminated"))
    assert ended["exitCode"] == 137 and ended["reason"] == "Error"
    events = cluster.events("p")
    assert ("Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500") in events
    assert ("Normal", "Killing", "Container app failed liveness probe, will be restarted") in events


async def test_startup_by_tcp(cluster):
    script = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    # The shell needs a moment to set its trap.
    probe = {"tcpSocket": {"port": 8080}, "failureThreshold": 1, **FAST, "initialDelaySeconds": 1}
    cluster.run("p", {"command": ["sh", "-c", script], "startupProbe": probe})
    ended = await cluster.until(lambda: cluster.status("p")["lastState"].get("terminated"))
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed"), "it handled TERM"
    address = cluster.pod("p")["status"]["podIP"]
    text = f"Startup probe failed: dial tcp {address}:8080: connect: connection refused"
    assert ("Warning", "Unhealthy", text) in cluster.events("p")
    assert ("Normal", "Killing", "Container app failed startup probe, will be restarted") in cluster.events(
        "p"
    )


async def test_startup_holds_the_others_back(cluster):
    container = {
        "command": ["sh", "-c", "sleep 0.3; touch /tmp/up; exec sleep 60"],
        "startupProbe": shell("test -e /tmp/up", failureThreshold=5),
        "livenessProbe": shell("test -e /tmp/up"),
    }
    cluster.run("p", container)
    await cluster.phase("p", "Running")
    assert not cluster.status("p")["started"]
    await cluster.until(lambda: cluster.status("p")["started"] and cluster.status("p")["ready"])
    assert not [event for event in cluster.events("p") if event[2].startswith("Liveness")]


@pytest.mark.parametrize("settings", ["always", "never"], indirect=True)
async def test_what_an_exec_probe_says(cluster):
    container = {
        "command": ["sh", "-c", "exec sleep 60"],
        "livenessProbe": shell("touch '/scratch/here' && ls '/scratch' && exit 1", failureThreshold=9),
        "readinessProbe": {"exec": {"command": ["sleep", "20"]}, **FAST},
        "volumeMounts": [{"name": "work", "mountPath": "/scratch"}],
    }
    cluster.run("p", container, volumes=[{"name": "work", "emptyDir": {}}])
    expected = {
        "Liveness probe failed: here\n",
        'Readiness probe failed: command timed out: "sleep 20" timed out after 1s',
    }
    await cluster.until(
        lambda: expected <= {text for _, reason, text in cluster.events("p") if reason == "Unhealthy"}
    )


async def test_http_probe_refused(cluster):
    cluster.run(
        "p",
        {
            "command": ["sh", "-c", "exec sleep 60"],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        },
    )
    await cluster.phase("p", "Running")
    address = cluster.pod("p")["status"]["podIP"]
    text = f'Readiness probe failed: Get "http://{address}:8080/ready": dial tcp {address}:8080: connect: connection refused'
    await cluster.until(lambda: ("Warning", "Unhealthy", text) in cluster.events("p"))


async def test_post_start(cluster):
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo hooked > /tmp/hook"]}}}
    cluster.run(
        "p", {"command": ["sh", "-c", "sleep 0.3; cat /tmp/hook"], "lifecycle": hook}, restartPolicy="Never"
    )
    await cluster.ended("p")
    assert await cluster.log("p") == "hooked\n"


async def test_failed_post_start(cluster):
    command = ["sh", "-c", "echo hook: registration failed >&2; exit 1"]
    container = {
        "command": ["sh", "-c", "exec sleep 60"],
        "lifecycle": {"postStart": {"exec": {"command": command}}},
    }
    pod = cluster.run("p", container)
    await cluster.until(
        lambda: cluster.status("p")["state"].get("waiting", {}).get("reason") == "PostStartHookError"
    )
    shown = "sh -c echo hook: registration failed >&2; exit 1"
    assert cluster.status("p")["state"]["waiting"]["message"] == (
        f'Exec lifecycle hook ([{shown}]) for Container "app" in Pod "p_shop({pod["metadata"]["uid"]})" failed - error: '
        f"command '{shown}' exited with 1: hook: registration failed\n, message: \"hook: registration failed\\n\""
    )
    assert cluster.status("p")["lastState"]["terminated"]["exitCode"] == 137
    assert ("Warning", "FailedPostStartHook", "PostStartHook failed") in cluster.events("p")
    assert ("Normal", "Killing", "FailedPostStartHook") in cluster.events("p")
