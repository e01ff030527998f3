"""The kubectl verbs that the runbooks use."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.conformance.kit.api import until
from tests.conformance.kit.manifests import HELD, IDLE, container, deployment, job, pod, python, service, sh
from tests.conformance.kit.namespace import Namespace
from tests.needs import needed_tool


def kubectl(ns: Namespace, *arguments: str, text: str | None = None, fails: bool = False) -> str:
    """What the command prints; with ``fails`` its error text."""
    command = [needed_tool("kubectl"), "--kubeconfig", ns.api.kubeconfig, "--namespace", ns.name, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) is fails, f"{command}: {done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def words(text: str) -> str:
    """The text without its columns, which differ between versions of kubectl."""
    return " ".join(text.split())


def minor(ns: Namespace) -> int:
    """20 for kubectl 1.20."""
    version = json.loads(kubectl(ns, "version", "--client", "-o", "json"))
    return int(version["clientVersion"]["minor"].rstrip("+"))


def web(ns: Namespace) -> None:
    ns.create("deployments", deployment("web", container(ns.image, python(IDLE))))


def test_version_and_api_resources(ns: Namespace) -> None:
    assert re.search(r"^Server Version: .*v1\.\d+", kubectl(ns, "version"), re.MULTILINE)
    names = kubectl(ns, "api-resources", "--namespaced=true", "-o", "name").split()
    assert {"pods", "deployments.apps", "jobs.batch", "leases.coordination.k8s.io"} <= set(names)


def test_get_in_its_formats(ns: Namespace) -> None:
    web(ns)
    ns.rolled_out("web")
    header, row = kubectl(ns, "get", "deployments").splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["web", "1/1", "1", "1"]
    header, row = kubectl(ns, "get", "pods", "-o", "wide").splitlines()
    assert header.split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert row.split()[1:4] == ["1/1", "Running", "0"]
    assert kubectl(ns, "get", "deploy/web", "-o", "name") == "deployment.apps/web\n"
    assert json.loads(kubectl(ns, "get", "deployment", "web", "-o", "json"))["kind"] == "Deployment"
    assert kubectl(ns, "get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}") == "1"
    assert kubectl(ns, "get", "pods", "-l", "app=web", "--no-headers").count("\n") == 1
    everything = kubectl(ns, "get", "all")
    for part in ("pod/web-", "deployment.apps/web", "replicaset.apps/web-"):
        assert part in everything
    assert kubectl(ns, "get", "pods", "-l", "app=nothing") == ""
    assert kubectl(ns, "get", "configmap", "nope", fails=True) == (
        'Error from server (NotFound): configmaps "nope" not found\n'
    )
    assert ns.name in kubectl(ns, "get", "namespaces")


def test_columns_of_the_other_kinds(ns: Namespace) -> None:
    ns.create("services", service("web"))
    ns.create("jobs", job("j", container(ns.image, sh("true"), **HELD)))
    ns.create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": "1"}})
    assert kubectl(ns, "get", "services").split()[:6] == [
        "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE",
    ]  # fmt: skip
    assert kubectl(ns, "get", "jobs").split()[:5] == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert kubectl(ns, "get", "secrets").split()[:4] == ["NAME", "TYPE", "DATA", "AGE"]
    assert kubectl(ns, "get", "events").split()[:5] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT"]
    assert kubectl(ns, "get", "nodes").split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert "Ready" in kubectl(ns, "get", "nodes")


def test_describe(ns: Namespace) -> None:
    web(ns)
    ns.rolled_out("web")
    (found,) = ns.list("pods")
    text = words(kubectl(ns, "describe", "deployment", "web"))
    for part in (
        "Name: web",
        "1 desired | 1 updated | 1 total | 1 available",
        "NewReplicaSet: web-",
    ):
        assert part in text
    text = words(kubectl(ns, "describe", "pod", found["metadata"]["name"]))
    for part in (
        "Status: Running",
        "Controlled By: ReplicaSet/web-",
        "State: Running",
        "Scheduled",
    ):
        assert part in text
    ns.create("services", service("web"))
    assert "TargetPort: 8080/TCP" in words(kubectl(ns, "describe", "service", "web"))


def test_logs(ns: Namespace) -> None:
    ns.output(pod("p", container(ns.image, sh("echo one; echo two"))))
    assert kubectl(ns, "logs", "p") == "one\ntwo\n"
    assert kubectl(ns, "logs", "p", "--tail=1") == "two\n"
    assert kubectl(ns, "logs", "-f", "p", "-c", "main") == "one\ntwo\n"
    web(ns)
    ns.rolled_out("web")
    until("the deployment's log", lambda: kubectl(ns, "logs", "deployment/web") == "up\n")
    assert "previous terminated container" in kubectl(ns, "logs", "p", "--previous", fails=True)


def test_apply_scale_and_rollout(ns: Namespace) -> None:
    body = deployment("web", container(ns.image, python(IDLE)))
    assert kubectl(ns, "apply", "-f", "-", text=json.dumps(body)) == "deployment.apps/web created\n"
    assert kubectl(ns, "apply", "-f", "-", text=json.dumps(body)) == "deployment.apps/web unchanged\n"
    assert 'deployment "web" successfully rolled out' in kubectl(ns, "rollout", "status", "deployment/web")
    assert kubectl(ns, "scale", "deployment/web", "--replicas=2") == "deployment.apps/web scaled\n"
    kubectl(ns, "rollout", "status", "deployment/web", "--timeout=60s")
    assert kubectl(ns, "set", "env", "deployment/web", "VERSION=2") == "deployment.apps/web env updated\n"
    kubectl(ns, "rollout", "status", "deployment/web", "--timeout=60s")
    assert (
        len(kubectl(ns, "rollout", "history", "deployment/web").split("REVISION")[1].strip().splitlines())
        == 3
    )
    assert kubectl(ns, "rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    kubectl(ns, "rollout", "status", "deployment/web", "--timeout=60s")
    assert "env" not in ns.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]
    assert kubectl(ns, "rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    assert kubectl(ns, "rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    assert kubectl(ns, "rollout", "resume", "deployment/web") == "deployment.apps/web resumed\n"
    kubectl(ns, "rollout", "status", "deployment/web", "--timeout=60s")


def test_wait_and_delete(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true"))))
    assert kubectl(ns, "wait", "--for=condition=complete", "job/j", "--timeout=60s") == (
        "job.batch/j condition met\n"
    )
    assert kubectl(ns, "delete", "job", "j").startswith('job.batch "j" deleted')
    assert ns.read("jobs", "j").code == 404
    web(ns)
    ns.rolled_out("web")
    (found,) = ns.list("pods")
    name = found["metadata"]["name"]
    assert kubectl(ns, "delete", "pod", name).startswith(f'pod "{name}" deleted')
    kubectl(ns, "delete", "deployment", "web", "--wait=true")
    assert "not found" in kubectl(ns, "delete", "deployment", "web", fails=True)


def test_server_side_apply_and_dry_run(ns: Namespace) -> None:
    body = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    )
    out = kubectl(ns, "apply", "--server-side", "--dry-run=server", "-f", "-", text=body)
    assert out == "configmap/c serverside-applied (server dry run)\n"
    assert ns.read("configmaps", "c").code == 404
    kubectl(ns, "apply", "--server-side", "--field-manager=alpha", "-f", "-", text=body)
    other = body.replace('"1"', '"2"')
    error = kubectl(
        ns, "apply", "--server-side", "--field-manager=beta", "-f", "-", text=other, fails=True
    )  # fmt: skip
    assert 'conflict with "alpha": .data.a' in error


def test_typos_are_refused_by_validation(ns: Namespace) -> None:
    body = deployment("web", container(ns.image, sh("true")))
    body["spec"]["Replicas"] = 3
    if minor(ns) < 25:
        pytest.skip("an older kubectl checks fields by itself")
    error = kubectl(ns, "create", "-f", "-", text=json.dumps(body), fails=True)
    assert 'unknown field "spec.Replicas"' in error


def test_may_i(ns: Namespace) -> None:
    assert kubectl(ns, "auth", "can-i", "create", "deployments") == "yes\n"
