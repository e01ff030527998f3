"""Pods from start to end, on real processes."""

import contextlib
import re
from pathlib import Path

import pytest

from include.cluster.images import BASE_REFERENCE, ImageStore


async def test_pod_runs_and_is_ready(cluster):
    cluster.run("p", "echo hello; exec sleep 60")
    await cluster.until(lambda: cluster.conditions("p")["Ready"]["status"] == "True")
    pod = cluster.pod("p")
    status = pod["status"]
    assert status["phase"] == "Running"
    assert status["hostIP"] == "127.0.0.1"
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["podIP"].startswith("127.")
    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    container = cluster.status("p")
    assert container["ready"] and container["started"] and container["restartCount"] == 0
    assert re.fullmatch(r"standin\.local/python@sha256:[0-9a-f]{64}", container["imageID"])
    assert [event[1:] for event in cluster.events("p")] == [
        (
            "Pulled",
            f'Container image "{container["image"]}" already present on machine and can be accessed by the pod',
        ),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


async def test_states_before_running_are_shown(cluster):
    cluster.run("p", "exec sleep 60")
    await cluster.phase("p", "Running")
    first = next(pod["status"] for pod in cluster.states["p"] if pod["status"].get("containerStatuses"))
    assert first["phase"] == "Pending"
    assert first["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    ready = next(entry for entry in first["conditions"] if entry["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == (
        "ContainersNotReady",
        "containers with unready status: [app]",
    )


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [
        ("Never", 0, "Succeeded", "Completed"),
        ("Never", 3, "Failed", "Error"),
        ("OnFailure", 0, "Succeeded", "Completed"),
    ],
)
async def test_finished_pods(cluster, policy, code, phase, reason):
    cluster.run("p", f"exit {code}", restartPolicy=policy)
    ended = await cluster.ended("p")
    assert (ended["exitCode"], ended["reason"]) == (code, reason)
    assert cluster.pod("p")["status"]["phase"] == phase
    conditions = cluster.conditions("p")
    assert conditions["Ready"]["reason"] == {"Succeeded": "PodCompleted", "Failed": "PodFailed"}[phase]
    assert conditions["PodReadyToStartContainers"]["status"] == "False"


async def test_crash_loop(cluster):
    pod = cluster.run("p", "echo try; exit 4")
    waiting = await cluster.until(lambda: cluster.status("p")["state"].get("waiting", {}).get("message"))
    where = f"p_shop({pod['metadata']['uid']})"
    assert waiting == f"back-off 200ms restarting failed container=app pod={where}"
    assert cluster.status("p")["restartCount"] == 1, "the first restart is immediate"
    assert cluster.status("p")["lastState"]["terminated"]["exitCode"] == 4
    assert cluster.pod("p")["status"]["phase"] == "Running"
    assert (
        "Warning",
        "BackOff",
        f"Back-off restarting failed container app in pod {where}",
    ) in cluster.events("p")
    await cluster.until(lambda: cluster.status("p")["restartCount"] >= 2)
    seen = [
        pod["status"]["containerStatuses"][0]["state"]
        for pod in cluster.states["p"]
        if "containerStatuses" in pod["status"]
    ]
    assert any("terminated" in state for state in seen), "the end itself can be watched"


async def test_signal_is_128_and_its_number(cluster):
    cluster.run("p", "sh -c 'kill -TERM $$$$'; exit $?", restartPolicy="Never")
    assert (await cluster.ended("p"))["exitCode"] == 143


async def test_first_process_ignores_signals_that_it_does_not_handle(cluster):
    cluster.run("p", "kill -TERM $$$$; exit 5", restartPolicy="Never")
    assert (await cluster.ended("p"))["exitCode"] == 5


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
        (["/gone"], 'exec: "/gone": stat /gone: no such file or directory'),
        (["gone"], 'exec: "gone": executable file not found in $PATH'),
    ],
)
async def test_what_cannot_be_executed(cluster, command, text):
    cluster.run("p", {"command": command}, restartPolicy="Never")
    ended = await cluster.ended("p")
    message = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f"runc create failed: unable to start container process: {text}"
    )
    assert ended["message"] == message
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert ended["startedAt"] == "1970-01-01T00:00:00Z"
    assert ("Warning", "Failed", f"Error: {message}") in cluster.events("p")


async def test_what_cannot_be_executed_is_tried_again(cluster):
    cluster.run("p", {"command": ["/etc/passwd"]})
    await cluster.until(lambda: cluster.status("p")["restartCount"] >= 1)
    states = [
        pod["status"]["containerStatuses"][0]["state"]
        for pod in cluster.states["p"]
        if "containerStatuses" in pod["status"]
    ]
    assert any(state.get("waiting", {}).get("reason") == "RunContainerError" for state in states)
    assert cluster.status("p")["lastState"]["terminated"]["reason"] == "StartError"
    assert cluster.pod("p")["status"]["phase"] == "Running"


async def test_shell_reports_126_and_127_itself(cluster):
    cluster.run("a", "/etc/passwd", restartPolicy="Never")
    cluster.run("b", "no-such-program", restartPolicy="Never")
    assert (await cluster.ended("a"))["exitCode"] == 126
    assert (await cluster.ended("b"))["exitCode"] == 127


async def test_memory_limit(cluster):
    program = "import time\nx = bytearray(300 << 20)\ntime.sleep(30)"
    container = {"command": ["python3", "-c", program], "resources": {"limits": {"memory": "100Mi"}}}
    cluster.run("p", container, restartPolicy="Never")
    ended = await cluster.ended("p")
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_memory_limit_hits_the_largest_child(cluster):
    program = "python3 -c 'import time; x = bytearray(300 << 20); time.sleep(30)'; exit 1"
    container = {"command": ["sh", "-c", program], "resources": {"limits": {"memory": "100Mi"}}}
    cluster.run("p", container, restartPolicy="Never")
    ended = await cluster.ended("p")
    assert (ended["exitCode"], ended["reason"]) == (1, "OOMKilled")


@pytest.mark.parametrize(
    ("script", "policy", "message"),
    [
        ("printf why > /dev/termination-log; exit 1", "File", "why"),
        ("echo said; exit 1", "File", None),
        ("echo said; exit 1", "FallbackToLogsOnError", "said\n"),
        ("echo said; exit 0", "FallbackToLogsOnError", None),
    ],
)
async def test_termination_message(cluster, script, policy, message):
    cluster.run(
        "p", {"command": ["sh", "-c", script], "terminationMessagePolicy": policy}, restartPolicy="Never"
    )
    assert (await cluster.ended("p")).get("message") == message


async def test_termination_message_at_another_path(cluster):
    container = {
        "command": ["sh", "-c", "echo -n x > /var/log/last"],
        "terminationMessagePath": "/var/log/last",
    }
    cluster.run("p", container, restartPolicy="Never")
    assert (await cluster.ended("p"))["message"] == "x"


async def test_active_deadline(cluster):
    cluster.run("p", "exec sleep 60", activeDeadlineSeconds=1)
    await cluster.phase("p", "Failed")
    status = cluster.pod("p")["status"]
    assert status["reason"] == "DeadlineExceeded"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


async def test_new_image_restarts_the_container(cluster):
    cluster.run("p", "exec sleep 60")
    await cluster.phase("p", "Running")
    store = ImageStore(cluster.settings.images_dir)
    store.tag(store.resolve(BASE_REFERENCE), "registry.example.com/web:2")

    def change(pod):
        pod["spec"]["containers"][0]["image"] = "registry.example.com/web:2"

    cluster.registry.edit("pods", "shop", "p", change, manager="test")
    await cluster.until(lambda: cluster.status("p")["restartCount"] == 1)
    assert cluster.status("p")["image"] == "registry.example.com/web:2"
    assert ("Normal", "Killing", "Container app definition changed, will be restarted") in cluster.events("p")


@pytest.mark.parametrize("settings", ["always", "never"], indirect=True)
async def test_nothing_outlives_the_node(cluster):
    cluster.run("p", "sleep 987 & exec sleep 986")
    await cluster.phase("p", "Running")
    await cluster.node.stop(grace=0)
    left = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            left.append(place.read_text())
    assert not [
        line
        for line in left
        if "\x00987" in line or "\x00986" in line or str(cluster.settings.state_dir) in line
    ]
