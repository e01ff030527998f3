"""The clients that people use: the Python ones, and kubectl where it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kubernetes.client
import kubernetes.config
import kubernetes.watch
import kubernetes_asyncio.client
import kubernetes_asyncio.config
import pytest

from tests.include.cluster.http.serving import Cluster
from tests.needs import needed_tool

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: "x:1"}]
"""


def _config(cluster: Cluster) -> str:
    return str(cluster.server.kubeconfig)


def test_the_python_client_reads_writes_and_watches(cluster: Cluster) -> None:
    with kubernetes.config.new_client_from_config(_config(cluster)) as client:
        core = kubernetes.client.CoreV1Api(client)
        made = core.create_namespaced_config_map("default", {"metadata": {"name": "x"}, "data": {"a": "1"}})
        core.patch_namespaced_config_map("x", "default", {"data": {"b": "2"}})
        patched = core.patch_namespaced_config_map("x", "default", [{"op": "remove", "path": "/data/a"}])
        assert patched.data == {"b": "2"}
        made.data = {"late": "1"}
        with pytest.raises(kubernetes.client.ApiException) as stale:
            core.replace_namespaced_config_map("x", "default", made)
        assert stale.value.status == 409
        found = [
            (event["type"], event["object"].metadata.name)
            for event in kubernetes.watch.Watch().stream(
                core.list_namespaced_config_map, "default", timeout_seconds=1
            )
        ]
        assert found == [("ADDED", "x")]
        refused = kubernetes.client.AuthorizationV1Api(client).create_self_subject_access_review(
            {"spec": {"resourceAttributes": {"verb": "create", "group": "apps", "resource": "deployments"}}}
        )
        assert refused.status.allowed is True


def test_warnings_come_with_refusals_too(cluster: Cluster) -> None:
    body = {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {"match_labels": 1},
    }
    found = cluster.ask("POST", "/apis/apps/v1/namespaces/default/deployments", body)
    assert found.code == 422
    assert found.all("Warning") == [
        '299 - "unknown field \\"api_version\\""',
        '299 - "unknown field \\"spec.match_labels\\""',
    ]


async def test_the_asyncio_client_applies_and_deletes(cluster: Cluster) -> None:
    configuration = kubernetes_asyncio.client.Configuration()
    await kubernetes_asyncio.config.load_kube_config(_config(cluster), client_configuration=configuration)
    async with kubernetes_asyncio.client.ApiClient(configuration) as client:
        core = kubernetes_asyncio.client.CoreV1Api(client)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
        apply = {"field_manager": "me", "_content_type": "application/apply-patch+yaml"}
        made = await core.patch_namespaced_config_map("x", "default", body, **apply)
        again = await core.patch_namespaced_config_map("x", "default", body, **apply)
        assert again.metadata.resource_version == made.metadata.resource_version
        assert (await core.delete_namespaced_config_map("x", "default")).status == "Success"


def test_kubectl_applies_shows_scales_and_deletes(cluster: Cluster, tmp_path: Path) -> None:
    tool = needed_tool("kubectl")

    def kubectl(*words: str, text: str | None = None) -> str:
        command = [tool, "--kubeconfig", _config(cluster), "--cache-dir", str(tmp_path / "cache"), *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert kubectl("apply", "-f", "-", text=DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", text=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    assert kubectl("get", "deploy", "web").splitlines()[1].split()[:4] == ["web", "0/2", "0", "0"]
    assert "Replicas:               2 desired" in kubectl("describe", "deployment", "web")
    assert kubectl("scale", "deploy/web", "--replicas=3") == "deployment.apps/web scaled\n"
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    assert kubectl("create", "configmap", "x", "--from-literal=a=1") == "configmap/x created\n"
    assert kubectl("get", "configmap", "x", "-o", "jsonpath={.data.a}") == "1"
    assert kubectl("auth", "can-i", "create", "deployments") == "yes\n"
    assert kubectl("get", "all", "-o", "name") == "deployment.apps/web\n"
    assert "deleted" in kubectl("delete", "deployment", "web", "--timeout=5s")


def test_tables_are_rows_for_kubectl_get(cluster: Cluster) -> None:
    cluster.ask(
        "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "x"}, "data": {"a": "1"}}
    )
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    found = cluster.ask("GET", "/api/v1/namespaces/default/configmaps", headers=accept).json
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert found["rows"][0]["cells"][:2] == ["x", 1]
    assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
