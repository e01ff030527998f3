"""Create, read, replace, patch, list and delete, for every kind that is served."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import HELD, configmap, container, deployment, job, pod, service, sh
from tests.conformance.kit.namespace import Namespace

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def bodies(image: str) -> dict[str, Object]:
    """One object of each kind, none of which starts anything."""
    idle = container(image, sh("true"))
    held = pod("x", container(image, sh("true"), **HELD))
    replicas = deployment("x", idle, replicas=0)
    return {
        "configmaps": configmap("x", {"a": "1"}),
        "secrets": {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": "x"},
            "stringData": {"a": "1"},
        },
        "services": service("x"),
        "serviceaccounts": {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "x"}},
        "persistentvolumeclaims": {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "metadata": {"name": "x"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
        "resourcequotas": {
            "kind": "ResourceQuota",
            "apiVersion": "v1",
            "metadata": {"name": "x"},
            "spec": {"hard": {"pods": "100"}},
        },
        "events": {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": "x"},
            "involvedObject": {"kind": "Pod", "name": "y"},
            "reason": "Tried",
            "message": "by a client",
            "type": "Normal",
        },
        "leases": {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"name": "x"},
            "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15},
        },
        "deployments": replicas,
        "replicasets": {**replicas, "kind": "ReplicaSet"},
        "jobs": job("x", idle, suspend=True),
        "pods": held,
    }


KINDS = sorted(bodies("any"))


def body_of(ns: Namespace, plural: str) -> Object:
    body = bodies(ns.image)[plural]
    if plural == "events":
        body["involvedObject"]["namespace"] = ns.name
    return body


@pytest.mark.parametrize("plural", KINDS)
def test_created_object_has_the_servers_metadata_and_is_read_back(ns: Namespace, plural: str) -> None:
    body = body_of(ns, plural)
    created = ns.create(plural, body)
    assert (created["kind"], created["apiVersion"]) == (body["kind"], body["apiVersion"])
    metadata = created["metadata"]
    assert metadata["namespace"] == ns.name
    assert UID.fullmatch(metadata["uid"])
    assert RFC3339.fullmatch(metadata["creationTimestamp"])
    assert int(metadata["resourceVersion"]) > 0
    read = ns.get(plural, "x")
    assert read["metadata"]["uid"] == metadata["uid"]
    assert read["kind"] == body["kind"]


@pytest.mark.parametrize("plural", KINDS)
def test_list_carries_kind_and_revision_and_its_items_do_not(ns: Namespace, plural: str) -> None:
    body = body_of(ns, plural)
    body["metadata"]["labels"] = {"listed": "yes"}
    ns.create(plural, body)
    answer = ns.api.request("GET", ns.path(plural), labelSelector="listed=yes").expect(200)
    assert answer["kind"] == body["kind"] + "List"
    assert int(answer["metadata"]["resourceVersion"]) > 0
    (item,) = answer["items"]
    assert item["metadata"]["name"] == "x"
    assert "kind" not in item
    assert "apiVersion" not in item
    everywhere = ns.path(plural).replace(f"/namespaces/{ns.name}", "")
    names = ns.api.request("GET", everywhere, fieldSelector=f"metadata.namespace={ns.name}").expect(200)[
        "items"
    ]
    assert "x" in [item["metadata"]["name"] for item in names]


@pytest.mark.parametrize("plural", KINDS)
def test_replace_and_patch_move_the_revision(ns: Namespace, plural: str) -> None:
    ns.create(plural, body_of(ns, plural))
    seen: set[str] = set()

    def replaced() -> Any:
        current = ns.get(plural, "x")
        current["metadata"]["labels"] = {"replaced": "yes"}
        return ns.put(plural, "x", current)

    answer = replaced()
    while answer.code == 409:  # a controller wrote between the read and the write
        answer = replaced()
    put = answer.expect(200)
    assert put["metadata"]["labels"] == {"replaced": "yes"}
    seen.add(put["metadata"]["resourceVersion"])
    patched = ns.patch(plural, "x", {"metadata": {"annotations": {"patched": "yes"}}}).expect(200)
    assert patched["metadata"]["labels"] == {"replaced": "yes"}
    assert patched["metadata"]["annotations"]["patched"] == "yes"
    assert patched["metadata"]["resourceVersion"] not in seen
    assert patched["metadata"]["uid"] == put["metadata"]["uid"]


@pytest.mark.parametrize("plural", KINDS)
def test_deleted_object_is_gone(ns: Namespace, plural: str) -> None:
    uid = ns.create(plural, body_of(ns, plural))["metadata"]["uid"]
    answer = ns.delete(plural, "x", {"propagationPolicy": "Background"}).expect(200)
    if answer["kind"] == "Status":
        assert answer["status"] == "Success"
        assert answer["details"]["name"] == "x"
        assert answer["details"]["uid"] == uid
    else:  # a Pod, a Service and whatever a finalizer holds come back themselves
        assert answer["metadata"]["uid"] == uid
    ns.gone(plural, "x")
    again = ns.delete(plural, "x")
    assert again.code == 404
    assert again.body["reason"] == "NotFound"


def test_kind_and_version_may_be_left_to_the_path(ns: Namespace) -> None:
    created = ns.create("configmaps", {"metadata": {"name": "bare"}, "data": {"a": "1"}})
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")


def test_yaml_is_read_and_written(ns: Namespace) -> None:
    text = "metadata:\n  name: from-yaml\ndata:\n  a: '1'\n"
    ns.api.request("POST", ns.path("configmaps"), text, content_type="application/yaml").expect(201)
    answer = ns.read("configmaps", "from-yaml", accept="application/yaml")
    assert answer.code == 200
    assert yaml.safe_load(answer.text)["data"] == {"a": "1"}


def test_a_name_is_taken_once(ns: Namespace) -> None:
    ns.create("configmaps", configmap("taken"))
    answer = ns.post("configmaps", configmap("taken"))
    assert answer.code == 409
    assert answer.body["reason"] == "AlreadyExists"
    assert answer.message == 'configmaps "taken" already exists'


def test_generate_name_gives_distinct_names(ns: Namespace) -> None:
    names = {
        ns.create("configmaps", {"metadata": {"generateName": "gen-"}})["metadata"]["name"] for _ in range(5)
    }
    assert len(names) == 5
    assert all(re.fullmatch(r"gen-[a-z0-9]{5}", name) for name in names)


def test_deletecollection_takes_what_the_selector_names(ns: Namespace) -> None:
    for number in range(4):
        ns.create("configmaps", configmap(f"c{number}", metadata={"labels": {"odd": str(number % 2)}}))
    ns.api.request("DELETE", ns.path("configmaps"), labelSelector="odd=1").expect(200)
    left = {item["metadata"]["name"] for item in ns.list("configmaps", "odd")}
    assert left == {"c0", "c2"}


def test_namespace_lives_and_ends_with_what_is_in_it(ns: Namespace, make_namespace: Any) -> None:
    other: Namespace = make_namespace()
    space = other.api.request("GET", f"/api/v1/namespaces/{other.name}").expect(200)
    assert space["status"]["phase"] == "Active"
    assert space["metadata"]["labels"]["kubernetes.io/metadata.name"] == other.name
    assert other.get("configmaps", "kube-root-ca.crt")["data"]["ca.crt"].startswith(
        "-----BEGIN CERTIFICATE-----"
    )
    other.create("configmaps", configmap("held", metadata={"finalizers": ["example.com/hold"]}))
    other.api.request("DELETE", f"/api/v1/namespaces/{other.name}").expect(200)
    ending = other.api.request("GET", f"/api/v1/namespaces/{other.name}").expect(200)
    assert ending["status"]["phase"] == "Terminating"
    refused = other.post("configmaps", configmap("late"))
    assert refused.code == 403
    assert "because it is being terminated" in refused.message
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    other.patch("configmaps", "held", {"metadata": {"finalizers": None}}).expect(200)

    def gone() -> bool:
        return other.api.request("GET", f"/api/v1/namespaces/{other.name}").code == 404

    until("the namespace is gone", gone, 60)
    assert other.api.request("GET", other.path("configmaps")).expect(200)["items"] == []
