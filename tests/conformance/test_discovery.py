"""What a client asks before it asks for anything: versions, groups, kinds, health, the node."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Api
from tests.conformance.kit.namespace import condition

KINDS = {
    "/api/v1": {
        "namespaces", "nodes", "pods", "configmaps", "secrets", "services", "events", "persistentvolumeclaims",
        "resourcequotas", "serviceaccounts", "pods/log", "pods/proxy", "services/proxy", "pods/status",
    },
    "/apis/apps/v1": {"deployments", "deployments/scale", "deployments/status", "replicasets"},
    "/apis/batch/v1": {"jobs", "jobs/status"},
    "/apis/coordination.k8s.io/v1": {"leases"},
    "/apis/authorization.k8s.io/v1": {"selfsubjectaccessreviews"},
}  # fmt: skip


def test_version_names_major_minor_and_git_version(api: Api) -> None:
    for path in ("/version", "/version/"):
        version = api.request("GET", path).expect(200)
        assert version["major"] == "1"
        assert int(version["minor"].rstrip("+")) >= 30
        assert version["gitVersion"].startswith(f"v1.{version['minor'].rstrip('+')}.")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_answers_ok(api: Api, path: str) -> None:
    answer = api.request("GET", path, accept="*/*")
    assert (answer.code, answer.text) == (200, "ok")


def test_api_lists_the_core_version(api: Api) -> None:
    body = api.request("GET", "/api").expect(200)
    assert body["kind"] == "APIVersions"
    assert body["versions"] == ["v1"]


def test_apis_lists_the_groups_with_their_preferred_version(api: Api) -> None:
    body = api.request("GET", "/apis").expect(200)
    assert body["kind"] == "APIGroupList"
    groups = {group["name"]: group for group in body["groups"]}
    for name in ("apps", "batch", "coordination.k8s.io", "authorization.k8s.io"):
        assert groups[name]["preferredVersion"] == {"groupVersion": f"{name}/v1", "version": "v1"}
    one = api.request("GET", "/apis/apps").expect(200)
    assert one["kind"] == "APIGroup"
    assert one["name"] == "apps"


@pytest.mark.parametrize("path", sorted(KINDS))
def test_resource_list_of_a_group_version(api: Api, path: str) -> None:
    body = api.request("GET", path).expect(200)
    assert body["kind"] == "APIResourceList"
    found = {item["name"]: item for item in body["resources"]}
    assert KINDS[path] <= set(found)


def test_resource_list_describes_a_kind(api: Api) -> None:
    found = {item["name"]: item for item in api.request("GET", "/apis/apps/v1").expect(200)["resources"]}
    deployments = found["deployments"]
    assert deployments["kind"] == "Deployment"
    assert deployments["singularName"] == "deployment"
    assert deployments["namespaced"] is True
    assert deployments["shortNames"] == ["deploy"]
    assert deployments["categories"] == ["all"]
    assert {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} == set(
        deployments["verbs"]
    )
    scale = found["deployments/scale"]
    assert (scale["kind"], scale["group"], scale["version"]) == ("Scale", "autoscaling", "v1")


def test_aggregated_discovery_is_given_to_who_accepts_it(api: Api) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = api.request("GET", "/apis", accept=accept)
    body = answer.expect(200)
    assert body["kind"] == "APIGroupDiscoveryList"
    assert (
        answer.headers["Content-Type"]
        == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    apps = next(item for item in body["items"] if item["metadata"]["name"] == "apps")
    deployments = next(r for r in apps["versions"][0]["resources"] if r["resource"] == "deployments")
    assert deployments["scope"] == "Namespaced"
    assert deployments["responseKind"]["kind"] == "Deployment"


def test_a_node_is_ready_and_says_what_it_offers(api: Api) -> None:
    nodes = api.request("GET", "/api/v1/nodes").expect(200)["items"]
    assert nodes
    node = api.request("GET", f"/api/v1/nodes/{nodes[0]['metadata']['name']}").expect(200)
    assert condition(node, "Ready")["status"] == "True"
    assert {"cpu", "memory", "pods"} <= set(node["status"]["allocatable"])
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
    assert any(address["type"] == "InternalIP" for address in node["status"]["addresses"])
