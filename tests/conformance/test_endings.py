"""How a pod is ended: grace, hooks, force; and what its deletion answers."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import HELD, IDLE, container, pod, python, sh
from tests.conformance.kit.namespace import Namespace, phase

# Reports its own end to a file that outlives the container.
REPORTER = """
import signal, sys, time
def end(*_):
    print("term", flush=True)
    time.sleep(%s)
    print("done", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"


def running(ns: Namespace, body: Object, text: str = "up\n") -> None:
    """Create the pod and wait until its program says that it is ready for signals."""
    name = body["metadata"]["name"]
    ns.create("pods", body)
    ns.pod_ready(name)
    until("the program is up", lambda: ns.log(name) == text, 20)


def followed(ns: Namespace, name: str = "p") -> Any:
    """The log from now to the end of the container; opened at once, as it is gone after the pod."""
    return ns.api.follow(ns.path("pods", name, "log"), follow=True, seconds=60)


def test_deletion_is_announced_and_the_program_may_finish(ns: Namespace) -> None:
    running(ns, pod("p", container(ns.image, python(REPORTER % 1)), terminationGracePeriodSeconds=20))
    log = followed(ns)
    assert next(log) == b"up\n"
    begun = time.monotonic()
    answer = ns.delete("pods", "p").expect(200)
    assert answer["kind"] == "Pod"
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 20
    assert answer["metadata"]["deletionTimestamp"]
    assert phase(answer) == "Running"
    assert b"".join(log) == b"term\ndone\n"
    ns.gone("pods", "p")
    assert 0.9 <= time.monotonic() - begun < 15
    assert ns.event("p", "Killing")["message"] == "Stopping container main"


def test_who_does_not_listen_is_killed_after_the_grace_period(ns: Namespace) -> None:
    running(ns, pod("p", container(ns.image, python(STUBBORN)), terminationGracePeriodSeconds=2))
    begun = time.monotonic()
    ns.delete("pods", "p").expect(200)
    ns.gone("pods", "p")
    assert 1.8 <= time.monotonic() - begun < 15


def test_grace_is_given_with_the_deletion(ns: Namespace) -> None:
    running(ns, pod("p", container(ns.image, python(STUBBORN)), terminationGracePeriodSeconds=60))
    answer = ns.delete("pods", "p", {"gracePeriodSeconds": 1}).expect(200)
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 1
    ns.gone("pods", "p", 20)


def test_a_later_deletion_shortens_the_grace(ns: Namespace) -> None:
    running(ns, pod("p", container(ns.image, python(STUBBORN)), terminationGracePeriodSeconds=20))
    first = ns.delete("pods", "p").expect(200)
    second = ns.delete("pods", "p", gracePeriodSeconds=1).expect(200)
    assert second["metadata"]["deletionGracePeriodSeconds"] == 1
    assert second["metadata"]["deletionTimestamp"] < first["metadata"]["deletionTimestamp"]
    ns.gone("pods", "p")


def test_force_removes_the_object_at_once(ns: Namespace) -> None:
    running(ns, pod("p", container(ns.image, python(STUBBORN)), terminationGracePeriodSeconds=60))
    ns.delete("pods", "p", {"gracePeriodSeconds": 0}).expect(200)
    assert ns.read("pods", "p").code == 404


def test_pre_stop_runs_before_the_signal(ns: Namespace) -> None:
    hook = {"preStop": {"exec": {"command": sh("echo hook > /data/hook; sleep 1")}}}
    script = """
import signal, sys
def end(*_):
    print(open("/data/hook").read().strip(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""
    mount = [{"name": "v", "mountPath": "/data"}]
    main = container(ns.image, python(script), lifecycle=hook, volumeMounts=mount)
    running(ns, pod("p", main, volumes=[{"name": "v", "emptyDir": {}}], terminationGracePeriodSeconds=20))
    log = followed(ns)
    assert next(log) == b"up\n"
    begun = time.monotonic()
    ns.delete("pods", "p").expect(200)
    assert b"".join(log) == b"hook\n"
    assert time.monotonic() - begun >= 0.9
    ns.gone("pods", "p")


def test_pre_stop_sleep(ns: Namespace) -> None:
    hook = {"preStop": {"sleep": {"seconds": 2}}}
    running(ns, pod("p", container(ns.image, python(IDLE), lifecycle=hook), terminationGracePeriodSeconds=20))
    begun = time.monotonic()
    ns.delete("pods", "p").expect(200)
    ns.gone("pods", "p")
    assert 1.8 <= time.monotonic() - begun < 15


def test_a_long_pre_stop_is_cut_by_the_grace_period(ns: Namespace) -> None:
    hook = {"preStop": {"exec": {"command": sh("sleep 60")}}}
    running(ns, pod("p", container(ns.image, python(IDLE), lifecycle=hook), terminationGracePeriodSeconds=1))
    ns.delete("pods", "p").expect(200)
    ns.gone("pods", "p", 30)


def test_a_pre_stop_that_fails_is_told(ns: Namespace) -> None:
    hook = {"preStop": {"exec": {"command": sh("exit 3")}}}
    running(ns, pod("p", container(ns.image, python(IDLE), lifecycle=hook)))
    ns.delete("pods", "p").expect(200)
    ns.gone("pods", "p")
    assert ns.event("p", "FailedPreStopHook")["type"] == "Warning"


def test_a_pod_that_has_ended_is_deleted_at_once(ns: Namespace) -> None:
    ns.run(pod("p", container(ns.image, sh("true")), terminationGracePeriodSeconds=60))
    ns.delete("pods", "p").expect(200)
    ns.gone("pods", "p", 15)


def test_an_unscheduled_pod_is_deleted_at_once(ns: Namespace) -> None:
    ns.create("pods", pod("p", container(ns.image, sh("true"), **HELD)))
    event = ns.event("p", "FailedScheduling")
    assert event["type"] == "Warning"
    assert "Insufficient cpu" in event["message"]
    seen = ns.get("pods", "p")
    (scheduled,) = [item for item in seen["status"]["conditions"] if item["type"] == "PodScheduled"]
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    assert ns.read("pods", "p", "log", accept="*/*").code == 204
    ns.delete("pods", "p").expect(200)
    assert ns.read("pods", "p").code == 404


def test_children_of_the_program_end_with_it(ns: Namespace) -> None:
    child = (
        "import subprocess, sys; subprocess.Popen(['sleep', '300']); print('left', flush=True); sys.exit(0)"
    )
    ended = ns.run(pod("p", container(ns.image, python(child))), 30)
    assert phase(ended) == "Succeeded"
