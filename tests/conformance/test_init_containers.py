"""Init containers, one after the other, and sidecars, which go on running."""

from __future__ import annotations

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import IDLE, container, pod, python, sh
from tests.conformance.kit.namespace import Namespace, condition, container_status, phase, terminated

DATA = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}


def waiting(item: Object, name: str) -> str:
    return str(container_status(item, name).get("state", {}).get("waiting", {}).get("reason", ""))


def test_init_containers_run_in_order_before_the_others(ns: Namespace) -> None:
    first = container(ns.image, sh("sleep 1; echo first >> /data/log"), "first", **MOUNT)
    second = container(ns.image, sh("echo second >> /data/log"), "second", **MOUNT)
    main = container(ns.image, sh("cat /data/log; echo main"), **MOUNT)
    ns.create("pods", pod("p", main, initContainers=[first, second], **DATA))
    seen = ns.wait(
        "pods", "p", "in the first", lambda item: "running" in container_status(item, "first").get("state", {})
    )  # fmt: skip
    assert phase(seen) == "Pending"
    assert waiting(seen, "main") == "PodInitializing"
    initialized = condition(seen, "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [first second]"
    ended = ns.pod_ended("p")
    assert phase(ended) == "Succeeded"
    assert ns.log("p", "main") == "first\nsecond\nmain\n"
    for name in ("first", "second"):
        assert terminated(ended, name)["reason"] == "Completed"
        assert container_status(ended, name)["ready"] is True
    assert terminated(ended, "first")["finishedAt"] <= terminated(ended, "second")["startedAt"]
    assert condition(ended, "Initialized")["status"] == "True"


def test_a_failed_init_container_fails_a_pod_that_is_not_restarted(ns: Namespace) -> None:
    init = container(ns.image, sh("echo no; exit 5"), "init")
    ended = ns.run(pod("p", container(ns.image, sh("true")), initContainers=[init]))
    assert phase(ended) == "Failed"
    assert terminated(ended, "init")["exitCode"] == 5
    assert waiting(ended, "main") == "PodInitializing"
    assert ns.log("p", "init") == "no\n"


def test_a_failed_init_container_is_tried_again(ns: Namespace) -> None:
    script = "[ -e /data/tried ] && exit 0; echo x > /data/tried; exit 1"
    init = container(ns.image, sh(script), "init", **MOUNT)
    main = container(ns.image, python(IDLE))
    ns.create("pods", pod("p", main, restartPolicy="Always", initContainers=[init], **DATA))
    seen = ns.pod_ready("p")
    assert container_status(seen, "init")["restartCount"] == 1
    assert container_status(seen, "main")["restartCount"] == 0


def test_an_init_container_that_keeps_failing_backs_off(ns: Namespace) -> None:
    init = container(ns.image, sh("exit 1"), "init")
    ns.create(
        "pods", pod("p", container(ns.image, sh("true")), restartPolicy="Always", initContainers=[init])
    )
    seen = ns.wait("pods", "p", "backing off", lambda item: waiting(item, "init") == "CrashLoopBackOff", 120)
    assert phase(seen) == "Pending"
    assert waiting(seen, "main") == "PodInitializing"
    assert container_status(seen, "init")["lastState"]["terminated"]["exitCode"] == 1


def sidecar(ns: Namespace, command: list[str], **fields: object) -> Object:
    return container(ns.image, command, "side", restartPolicy="Always", **fields)


def test_a_sidecar_starts_first_and_ends_with_the_pod(ns: Namespace) -> None:
    script = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(1)
open("/data/side", "w").close()
while True: signal.pause()
"""
    startup = {"startupProbe": {"exec": {"command": sh("[ -e /data/side ]")}, "periodSeconds": 1}}
    side = sidecar(ns, python(script), **MOUNT, **startup)
    main = container(ns.image, sh("[ -e /data/side ] && echo found"), **MOUNT)
    ended = ns.run(pod("p", main, initContainers=[side], **DATA))
    assert phase(ended) == "Succeeded"
    assert ns.log("p", "main") == "found\n"
    assert terminated(ended, "side")["exitCode"] == 0


def test_a_sidecar_that_ends_is_started_again(ns: Namespace) -> None:
    script = "[ -e /data/tried ] && exec sleep 300; echo x > /data/tried; exit 1"
    side = sidecar(ns, sh(script), **MOUNT)
    ns.create("pods", pod("p", container(ns.image, python(IDLE)), initContainers=[side], **DATA))
    seen = ns.wait(
        "pods",
        "p",
        "the sidecar started again",
        lambda item: (
            container_status(item, "side").get("restartCount") == 1
            and "running" in container_status(item, "side")["state"]
        ),
    )
    assert container_status(seen, "main")["restartCount"] == 0
    assert phase(ns.pod_ready("p")) == "Running"


def test_a_sidecar_counts_for_readiness(ns: Namespace) -> None:
    never = {"readinessProbe": {"exec": {"command": sh("exit 1")}, "periodSeconds": 1}}
    side = sidecar(ns, python(IDLE), **never)
    ns.create("pods", pod("p", container(ns.image, python(IDLE)), initContainers=[side]))
    seen = ns.wait("pods", "p", "main is ready", lambda item: container_status(item).get("ready"))
    assert condition(seen, "Ready")["status"] == "False"
    assert condition(seen, "Ready")["message"] == "containers with unready status: [side]"
