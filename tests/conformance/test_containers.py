"""What a container finds when it starts: its variables, its directory, its name, its log."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import IDLE, container, field_env, pod, python, sh
from tests.conformance.kit.namespace import Namespace, container_status, phase, terminated

DUMP = (
    "import os, sys, json; print(json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(), 'argv': sys.argv}))"
)


def dumped(ns: Namespace, name: str = "p", spec: dict[str, Any] | None = None, **fields: Any) -> Object:
    """Environment, working directory and arguments of a container."""
    body = pod(name, container(ns.image, python(DUMP), **fields), **(spec or {}))
    found: Object = json.loads(ns.output(body))
    return found


def test_variables_may_refer_to_earlier_ones(ns: Namespace) -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)/$(A)"},
        {"name": "C", "value": "$(LATER)"},
        {"name": "D", "value": "$$(A) $HOME"},
        {"name": "LATER", "value": "x"},
        {"name": "EMPTY"},
    ]
    found = dumped(ns, env=env)["env"]
    assert found["B"] == "1/1"
    assert found["C"] == "$(LATER)"
    assert found["D"] == "$(A) $HOME"
    assert found["EMPTY"] == ""


def test_command_and_args_refer_to_variables(ns: Namespace) -> None:
    args = ["$(A)", "$$(A)", "$(NOPE)", "a$(A)b"]
    found = dumped(ns, env=[{"name": "A", "value": "1"}], args=args)
    assert found["argv"] == ["-c", "1", "$(A)", "$(NOPE)", "a1b"]


def test_variables_from_configmaps_and_secrets(ns: Namespace) -> None:
    ns.create("configmaps", {"metadata": {"name": "cm"}, "data": {"plain": "1", "other": "2"}})
    ns.create("secrets", {"metadata": {"name": "s"}, "stringData": {"password": "p w"}})
    env = [
        {"name": "FROM_CM", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "plain"}}},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "x", "optional": True}}},
        {"name": "other", "value": "wins"},
    ]
    source = [
        {"configMapRef": {"name": "cm"}},
        {"prefix": "S_", "secretRef": {"name": "s"}},
        {"configMapRef": {"name": "absent", "optional": True}},
    ]
    found = dumped(ns, env=env, envFrom=source)["env"]
    assert found["FROM_CM"] == "1"
    assert found["FROM_SECRET"] == "p w"
    assert "NONE" not in found
    assert found["plain"] == "1"
    assert found["other"] == "wins"
    assert found["S_password"] == "p w"


def test_a_missing_configmap_holds_the_container(ns: Namespace) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "x"}}}]
    ns.create("pods", pod("p", container(ns.image, sh("echo $A"), env=env)))

    def waiting(item: Object) -> bool:
        return (
            container_status(item).get("state", {}).get("waiting", {}).get("reason")
            == "CreateContainerConfigError"
        )

    seen = ns.wait("pods", "p", "held", waiting)
    assert container_status(seen)["state"]["waiting"]["message"] == 'configmap "late" not found'
    assert phase(seen) == "Pending"
    assert ns.event("p", "Failed")["message"] == 'Error: configmap "late" not found'
    ns.create("configmaps", {"metadata": {"name": "late"}, "data": {"x": "here"}})
    assert phase(ns.pod_ended("p")) == "Succeeded"
    assert ns.log("p") == "here\n"


def test_fields_of_the_pod(ns: Namespace) -> None:
    fields = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "UID": "metadata.uid",
        "LABEL": "metadata.labels['app']",
        "ANNOTATION": "metadata.annotations['note']",
        "NODE": "spec.nodeName",
        "ACCOUNT": "spec.serviceAccountName",
        "POD_IP": "status.podIP",
        "POD_IPS": "status.podIPs",
        "HOST_IP": "status.hostIP",
    }
    limits = {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi", "cpu": "1500m"}}}
    env = [field_env(name, path) for name, path in fields.items()]
    for name, what, divisor in (
        ("MEMORY", "limits.memory", "1Mi"),
        ("CPU", "limits.cpu", "1"),
        ("MILLIS", "requests.cpu", "1m"),
    ):
        reference = {"resource": what, "divisor": divisor, "containerName": "main"}
        env.append({"name": name, "valueFrom": {"resourceFieldRef": reference}})
    body = pod("p", container(ns.image, python(DUMP), env=env, **limits))
    body["metadata"]["annotations"] = {"note": "a note"}
    ended = ns.run(body)
    found = json.loads(ns.log("p"))["env"]
    assert found["NAME"] == "p"
    assert found["NAMESPACE"] == ns.name
    assert found["UID"] == ended["metadata"]["uid"]
    assert found["LABEL"] == "p"
    assert found["ANNOTATION"] == "a note"
    assert found["NODE"] == ended["spec"]["nodeName"]
    assert found["ACCOUNT"] == "default"
    assert found["HOST_IP"] == ended["status"]["hostIP"]
    assert found["POD_IP"] == found["POD_IPS"] == ended["status"]["podIP"]
    assert (found["MEMORY"], found["CPU"], found["MILLIS"]) == ("64", "2", "100")


def test_pods_have_addresses_of_their_own(ns: Namespace) -> None:
    names = ("a", "b")
    for name in names:
        ns.create("pods", pod(name, container(ns.image, python(IDLE))))
    addresses = {ns.pod_ready(name)["status"]["podIP"] for name in names}
    assert len(addresses) == 2


def test_working_directory_and_host_name(ns: Namespace) -> None:
    found = dumped(ns, workingDir="/tmp")
    assert found["cwd"] == "/tmp"
    assert found["env"]["HOSTNAME"] == "p"
    assert found["env"]["PATH"]


def test_a_missing_working_directory_is_made(ns: Namespace) -> None:
    volume = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mounts = [{"name": "v", "mountPath": "/data"}]
    found = dumped(ns, spec=volume, workingDir="/data/made/here", volumeMounts=mounts)
    assert found["cwd"] == "/data/made/here"


def test_a_program_that_is_not_there(ns: Namespace) -> None:
    ended = ns.run(pod("p", container(ns.image, ["/no/such/program"])))
    assert phase(ended) == "Failed"
    how = terminated(ended)
    assert how["exitCode"] in (127, 128)
    assert how["reason"] in ("StartError", "ContainerCannotRun")
    assert "/no/such/program" in how["message"]
    assert "no such file or directory" in how["message"]
    assert ns.event("p", "Failed")["message"].startswith("Error: ")


def test_status_of_a_pod_that_ran(ns: Namespace) -> None:
    ended = ns.run(pod("p", container(ns.image, sh("true"))))
    assert phase(ended) == "Succeeded"
    status = container_status(ended)
    assert status["image"]
    assert status["imageID"]
    assert status["restartCount"] == 0
    assert (status["ready"], status["started"]) == (False, False)
    how = terminated(ended)
    assert (how["exitCode"], how["reason"]) == (0, "Completed")
    assert how["startedAt"] <= how["finishedAt"]
    assert how["containerID"] == status["containerID"]
    assert ended["status"]["hostIP"]
    assert ended["status"]["startTime"]
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        ns.event("p", reason)
    started = ns.event("p", "Started")
    assert started["source"]["component"] == "kubelet"
    assert started["involvedObject"]["fieldPath"] == "spec.containers{main}"
    assert (started["message"], started["type"], started["count"]) == ("Container started", "Normal", 1)


def test_a_pod_of_several_containers_ends_with_the_last(ns: Namespace) -> None:
    good = container(ns.image, sh("exit 0"), "good")
    bad = container(ns.image, sh("exit 4"), "bad")
    ended = ns.run(pod("p", good, bad))
    assert phase(ended) == "Failed"
    assert terminated(ended, "good")["exitCode"] == 0
    assert terminated(ended, "bad")["exitCode"] == 4
    assert terminated(ended, "bad")["reason"] == "Error"


def test_containers_of_a_pod_share_its_address(ns: Namespace) -> None:
    listen = "import socket, os; s = socket.create_server((os.environ['POD_IP'], 9000)); c, _ = s.accept(); c.sendall(b'hi')"
    call = """
import socket, os, time
for _ in range(100):
    try:
        print(socket.create_connection((os.environ["POD_IP"], 9000), 2).recv(10).decode()); break
    except OSError:
        time.sleep(0.1)
"""
    env = [field_env("POD_IP", "status.podIP")]
    one = container(ns.image, python(listen), "listen", env=env)
    two = container(ns.image, python(call), "call", env=env)
    ended = ns.run(pod("p", one, two))
    assert phase(ended) == "Succeeded"
    assert ns.log("p", "call") == "hi\n"


def test_active_deadline_of_a_pod(ns: Namespace) -> None:
    ended = ns.run(pod("p", container(ns.image, python(IDLE)), activeDeadlineSeconds=2))
    assert phase(ended) == "Failed"
    assert ended["status"]["reason"] == "DeadlineExceeded"
    assert ended["status"]["message"] == "Pod was active on the node longer than the specified deadline"


def test_log_queries(ns: Namespace) -> None:
    script = (
        "import sys\nfor i in range(5): print('line', i, flush=True)\nprint('to stderr', file=sys.stderr)"
    )
    body = pod("p", container(ns.image, python(script)))
    lines = ns.output(body).splitlines()
    assert sorted(lines) == sorted([f"line {i}" for i in range(5)] + ["to stderr"])
    assert len(ns.log("p", tailLines=2).splitlines()) == 2
    assert ns.log("p", tailLines=0) == ""
    assert ns.log("p", limitBytes=7) == ns.log("p")[:7]
    stamped = ns.log("p", timestamps=True).splitlines()[0]
    stamp, text = stamped.split(" ", 1)
    assert stamp.startswith("20")
    assert "T" in stamp
    assert text == lines[0]
    assert ns.log("p", sinceTime="2100-01-01T00:00:00Z") == ""
    assert len(ns.log("p", sinceSeconds=3600).splitlines()) == 6
    assert ns.log("p", "main") == ns.log("p")


def test_log_is_followed_to_its_end(ns: Namespace) -> None:
    script = "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.5)"
    ns.create("pods", pod("p", container(ns.image, python(script))))
    until("it runs", lambda: ns.read("pods", "p", "log", accept="*/*").code == 200, 30)
    pieces = list(ns.api.follow(ns.path("pods", "p", "log"), follow=True))
    assert b"".join(pieces) == b"0\n1\n2\n"
    assert len(pieces) > 1
    assert phase(ns.pod_ended("p")) == "Succeeded"


def test_logs_that_cannot_be_had(ns: Namespace) -> None:
    missing = ns.read("pods", "nope", "log", accept="*/*")
    assert (missing.code, missing.message) == (404, 'pods "nope" not found')
    two = pod("two", container(ns.image, sh("echo a"), "a"), container(ns.image, sh("echo b"), "b"))
    ns.run(two)
    unnamed = ns.read("pods", "two", "log", accept="*/*")
    assert unnamed.code == 400
    assert unnamed.message == "a container name must be specified for pod two, choose one of: [a b]"
    assert ns.log("two", "b") == "b\n"
    wrong = ns.read("pods", "two", "log", accept="*/*", container="c")
    assert (wrong.code, wrong.message) == (400, "container c is not valid for pod two")
    previous = ns.read("pods", "two", "log", accept="*/*", container="a", previous=True)
    assert previous.code == 400
    assert previous.message == 'previous terminated container "a" in pod "two" not found'
    image = "registry.example.com/conformance/missing:1"
    ns.create("pods", pod("waiting", container(image, sh("true"))))

    def refused() -> bool:
        answer = ns.read("pods", "waiting", "log", accept="*/*")
        return (
            answer.code == 400 and 'container "main" in pod "waiting" is waiting to start:' in answer.message
        )

    until("the log of a waiting container is refused", refused)
