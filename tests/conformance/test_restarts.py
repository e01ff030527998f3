"""How containers end, whether they are started again, and what is kept of the time before."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import IDLE, container, pod, python, sh
from tests.conformance.kit.namespace import (
    Namespace,
    condition,
    container_status,
    last_terminated,
    phase,
    terminated,
)


def restarted(ns: Namespace, times: int = 1, name: str = "p") -> Object:
    return ns.wait(
        "pods",
        name,
        f"started again {times} times",
        lambda item: container_status(item).get("restartCount", 0) >= times,
        120,
    )


def waiting_reason(item: Object) -> str:
    return str(container_status(item).get("state", {}).get("waiting", {}).get("reason", ""))


@pytest.mark.parametrize(
    ("policy", "code", "end"),
    [("Never", 0, "Succeeded"), ("Never", 5, "Failed"), ("OnFailure", 0, "Succeeded")],
)
def test_a_container_that_is_not_started_again(ns: Namespace, policy: str, code: int, end: str) -> None:
    ended = ns.run(pod("p", container(ns.image, sh(f"exit {code}")), restartPolicy=policy))
    assert phase(ended) == end
    how = terminated(ended)
    assert how["exitCode"] == code
    assert how["reason"] == ("Completed" if code == 0 else "Error")
    assert container_status(ended)["restartCount"] == 0
    assert condition(ended, "Ready")["status"] == "False"
    assert condition(ended, "Ready")["reason"] == ("PodCompleted" if end == "Succeeded" else "PodFailed")


@pytest.mark.parametrize(("policy", "code"), [("Always", 0), ("Always", 3), ("OnFailure", 3)])
def test_a_container_that_is_started_again(ns: Namespace, policy: str, code: int) -> None:
    ns.create("pods", pod("p", container(ns.image, sh(f"exit {code}")), restartPolicy=policy))
    seen = restarted(ns)
    how = last_terminated(seen) or terminated(seen)
    assert how["exitCode"] == code
    assert how["reason"] == ("Completed" if code == 0 else "Error")
    assert phase(seen) == "Running"


def test_crash_loop_back_off(ns: Namespace) -> None:
    ns.create("pods", pod("p", container(ns.image, sh("echo broken; exit 3")), restartPolicy="Always"))
    seen = ns.wait("pods", "p", "backing off", lambda item: waiting_reason(item) == "CrashLoopBackOff", 120)
    status = container_status(seen)
    assert status["restartCount"] >= 1
    assert (status["ready"], status["started"]) == (False, False)
    message = status["state"]["waiting"]["message"]
    uid = seen["metadata"]["uid"]
    assert message.startswith("back-off ")
    assert message.endswith(f"s restarting failed container=main pod=p_{ns.name}({uid})")
    how = status["lastState"]["terminated"]
    assert (how["exitCode"], how["reason"]) == (3, "Error")
    assert phase(seen) == "Running"
    assert condition(seen, "Ready")["reason"] == "ContainersNotReady"
    assert condition(seen, "Ready")["message"] == "containers with unready status: [main]"
    event = ns.event("p", "BackOff")
    assert event["type"] == "Warning"
    assert event["message"].startswith("Back-off restarting failed container main in pod p_")
    assert ns.log("p") == "broken\n"


def test_state_and_log_of_the_time_before(ns: Namespace) -> None:
    volume = {"name": "v", "emptyDir": {}}
    script = """
import os, signal, sys, time
if not os.path.exists("/data/tried"):
    open("/data/tried", "w").close()
    print("first", flush=True)
    open("/dev/termination-log", "w").write("why it died")
    sys.exit(7)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("second", flush=True)
signal.pause()
"""
    main = container(ns.image, python(script), volumeMounts=[{"name": "v", "mountPath": "/data"}])
    ns.create("pods", pod("p", main, restartPolicy="Always", volumes=[volume]))
    restarted(ns)
    seen = ns.pod_ready("p")
    status = container_status(seen)
    assert status["restartCount"] == 1
    how = last_terminated(seen)
    assert (how["exitCode"], how["reason"], how["message"]) == (7, "Error", "why it died")
    assert how["containerID"] != status["containerID"]
    assert "running" in status["state"]
    assert ns.log("p", previous=True) == "first\n"
    ns.wait("pods", "p", "second", lambda item: ns.log("p") == "second\n")


def test_ended_by_a_signal(ns: Namespace) -> None:
    script = "sleep 60 & kill -9 $!; wait $!"
    assert terminated(ns.run(pod("child", container(ns.image, sh(script)))))["exitCode"] == 137
    abort = "import os; os.kill(os.getpid(), 6) if os.fork() == 0 else os._exit(128 + (os.wait()[1] & 127))"
    assert terminated(ns.run(pod("abort", container(ns.image, python(abort)))))["exitCode"] == 134


def test_termination_message_from_its_file(ns: Namespace) -> None:
    named = container(ns.image, sh("echo said > /dev/termination-log; exit 1"), "named")
    path = container(ns.image, sh("echo there > /tmp/why; exit 0"), "path", terminationMessagePath="/tmp/why")
    silent = container(ns.image, sh("echo only in the log; exit 1"), "silent")
    ended = ns.run(pod("p", named, path, silent))
    assert terminated(ended, "named")["message"] == "said\n"
    assert terminated(ended, "path")["message"] == "there\n"
    assert "message" not in terminated(ended, "silent")


def test_termination_message_from_the_log(ns: Namespace) -> None:
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    failed = container(ns.image, sh("echo one; echo two; exit 1"), "failed", **fallback)
    good = container(ns.image, sh("echo one; exit 0"), "good", **fallback)
    both = container(ns.image, sh("echo log; echo file > /dev/termination-log; exit 1"), "both", **fallback)
    ended = ns.run(pod("p", failed, good, both))
    assert terminated(ended, "failed")["message"] == "one\ntwo\n"
    assert "message" not in terminated(ended, "good")
    assert terminated(ended, "both")["message"] == "file\n"


def test_long_messages_are_cut(ns: Namespace) -> None:
    script = "import sys; print('x' * 5000); open('/dev/termination-log', 'w').write('y' * 6000); sys.exit(1)"
    ended = ns.run(pod("p", container(ns.image, python(script))))
    assert terminated(ended)["message"] == "y" * 4096


def test_one_container_of_two_is_started_again(ns: Namespace) -> None:
    stays = container(ns.image, python(IDLE), "stays")
    falls = container(ns.image, sh("exit 1"), "main")
    ns.create("pods", pod("p", stays, falls, restartPolicy="Always"))
    seen = restarted(ns)
    assert container_status(seen, "stays")["restartCount"] == 0
    assert "running" in container_status(seen, "stays")["state"]
    text = "containers with unready status: [main]"
    ns.wait("pods", "p", text, lambda item: condition(item, "ContainersReady").get("message") == text)


def test_memory_limit_kills(ns: Namespace) -> None:
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    hog = "x = [bytearray(1 << 20) for _ in range(400)]; print(len(x))"
    ended = ns.run(pod("p", container(ns.image, python(hog), **limits)))
    how = terminated(ended)
    assert (how["reason"], how["exitCode"]) == ("OOMKilled", 137)
    assert phase(ended) == "Failed"
