"""What people type: kubectl's commands against the API, with the answers that they read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.include.cluster.http.serving import Cluster
from tests.needs import needed_tool

Kubectl = Callable[..., str]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: "x:1"}]}
"""


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    """Runs kubectl; gives back what it printed, errors last."""
    command = [needed_tool("kubectl"), "--kubeconfig", str(cluster.server.kubeconfig)]
    command += ["--cache-dir", str(tmp_path / "cache")]

    def run(*words: str, text: str | None = None, code: int = 0) -> str:
        done = subprocess.run([*command, *words], input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


def needs(kubectl: Kubectl, minor: int) -> None:
    """Skips the test with a kubectl that has not learnt the command yet."""
    version = json.loads(kubectl("version", "--client", "-o", "json"))["clientVersion"]
    if int(version["minor"].rstrip("+")) < minor:
        pytest.skip(f"kubectl is {version['gitVersion']}; the command came with 1.{minor}")


def test_explain_tells_types_and_descriptions(kubectl: Kubectl) -> None:
    needs(kubectl, 27)  # which reads OpenAPI v3
    replicas = kubectl("explain", "deployment.spec.replicas")
    assert "FIELD: replicas <integer>" in replicas
    assert "    Number of desired pods. This is a pointer to distinguish between explicit\n" in replicas
    resources = kubectl("explain", "pod.spec.containers.resources")
    assert "  limits\t<map[string]Quantity>\n" in resources
    assert "  claims\t<[]ResourceClaim>\n" in resources
    assert kubectl("explain", "job.spec.nosuch", code=1).endswith('field "nosuch" does not exist\n')


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exec", ("exec", "p", "--", "ls")),
        ("attach", ("attach", "p")),
        ("port-forward", ("port-forward", "p", "1:80")),
    ],
)
def test_streams_are_refused_by_name(
    kubectl: Kubectl, cluster: Cluster, name: str, words: tuple[str, ...]
) -> None:
    cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    kubectl("create", "-f", "-", text=POD)
    start = {"manager": "m", "subresource": "status"}
    cluster.run(
        lambda: cluster.server.registry.edit(
            "pods", "default", "p", lambda pod: pod["status"].update(phase="Running"), **start
        )
    )
    told = kubectl(*words, code=1)
    assert f"{name} is not served: this is the stand-in cluster, where a container is a process" in told


def test_a_taint_is_refused_where_it_would_not_count(kubectl: Kubectl, cluster: Cluster) -> None:
    cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": "n"}})
    told = kubectl("taint", "node", "n", "a=b:NoSchedule", code=1)
    assert "spec.taints: Forbidden: valid in Kubernetes, but this is the stand-in cluster" in told


def test_create_makes_what_its_flags_say(kubectl: Kubectl) -> None:
    """Without a file, kubectl writes protobuf."""
    kubectl("create", "deployment", "web", "--image=x:1", "--replicas=2", "--port=80", "--", "sh", "-c", "ls")
    container = "{range .spec.template.spec.containers[0]}{.image} {.ports[0].containerPort} {.command}{end}"
    found = kubectl(
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.spec.replicas} {.spec.selector.matchLabels.app} " + container,
    )
    assert found == '2 web x:1 80 ["sh","-c","ls"]'
    kubectl("create", "job", "j", "--image=x:1", "--", "true")
    found = kubectl("get", "job", "j", "-o", "jsonpath={.spec.template.spec.restartPolicy} " + container)
    assert found.split(maxsplit=2)[:2] == ["Never", "x:1"]
    kubectl("create", "quota", "q", "--hard=pods=3,requests.memory=1Gi")
    assert (
        kubectl("get", "quota", "q", "-o", "jsonpath={.spec.hard}") == '{"pods":"3","requests.memory":"1Gi"}'
    )
    kubectl("create", "service", "clusterip", "s", "--tcp=80:http")
    assert (
        kubectl("get", "svc", "s", "-o", "jsonpath={.spec.ports[0].port} {.spec.ports[0].targetPort}")
        == "80 http"
    )
    kubectl("create", "serviceaccount", "a")
    needs(kubectl, 24)
    assert kubectl("create", "token", "a").count(".") == 2


def test_a_scale_is_shown_as_one(kubectl: Kubectl) -> None:
    needs(kubectl, 24)
    kubectl("create", "deployment", "web", "--image=x:1", "--replicas=2")
    heads, cells = kubectl("get", "deployment", "web", "--subresource=scale").splitlines()
    assert heads.split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"]
    assert cells.split()[:3] == ["web", "2", "0"]


def test_the_first_namespaces_stay(kubectl: Kubectl) -> None:
    told = kubectl("delete", "ns", "default", code=1)
    assert told == (
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n'
    )


def test_rights_are_listed_as_they_are_granted(kubectl: Kubectl, cluster: Cluster, tmp_path: Path) -> None:
    token = cluster.server.tokens.user_token("jane", "view", "default")
    viewer = tmp_path / "viewer"
    viewer.write_text(cluster.server.kubeconfig.read_text())
    kubectl("config", "--kubeconfig", str(viewer), "set-credentials", "admin", f"--token={token}")
    listed = kubectl("auth", "can-i", "--list", "--kubeconfig", str(viewer))
    rights = {line.split()[0]: line[line.rindex("[") :] for line in listed.splitlines() if "[" in line}
    assert rights["deployments.apps"] == rights["pods/log"] == "[get list watch]"
    assert not {"secrets", "nodes", "*", "pods/proxy"} & set(rights)
    assert kubectl("auth", "can-i", "get", "secrets", "--kubeconfig", str(viewer), code=1) == "no\n"


def test_old_kubectl_learns_which_kinds_take_dry_runs(cluster: Cluster) -> None:
    """Kubectl up to 1.26 asks the OpenAPI document in protobuf, and reads it by these numbers."""
    accept = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
    found = cluster.ask("GET", "/openapi/v2", headers=accept)
    # Go reads no media type with an @ in it.
    assert found.all("Content-Type") == ["application/com.github.proto-openapi.spec.v2.v1.0+protobuf"]
    document = dict(_fields(found.text.encode(errors="surrogateescape")))
    assert document[1] == b"2.0"
    paths = [dict(_fields(path)) for _, path in _fields(document[8])]
    item = next(path[2] for path in paths if path[1] == b"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    patch = list(_fields(dict(_fields(item))[8]))
    kind = dict(_fields(next(value for number, value in patch if number == 13)))
    assert kind[1] == b"x-kubernetes-group-version-kind"
    assert json.loads(dict(_fields(kind[2]))[2]) == {"group": "batch", "kind": "Job", "version": "v1"}
    names = []
    for _, parameter in (one for one in patch if one[0] == 8):
        for number in (1, 2, 3):
            parameter = dict(_fields(parameter))[number]
        names.append(dict(_fields(parameter))[4])
    assert b"dryRun" in names


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message in which all are texts or messages."""
    place = 0
    while place < len(content):
        number, size, shift, place = content[place] >> 3, 0, 0, place + 1
        assert content[place - 1] & 7 == 2
        while True:
            size, shift, place = size | (content[place] & 127) << shift, shift + 7, place + 1
            if content[place - 1] < 128:
                break
        yield number, content[place : place + size]
        place += size
