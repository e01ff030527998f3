"""The registry: the rules that hold for every write, whoever makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.cluster.errors import ApiError
from include.cluster.registry import DeleteOptions, Registry, WriteOptions
from include.cluster.settings import Settings
from include.cluster.store import Store

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(Store(tmp_path / "db"), Settings(tmp_path, tmp_path))
    made.create("namespaces", "", {"metadata": {"name": "ns"}})
    made.create("serviceaccounts", "ns", {"metadata": {"name": "default"}})
    return made


def _running(registry: Registry, **spec: Any) -> dict[str, Any]:
    registry.create("pods", "ns", {**POD, "spec": {**POD["spec"], **spec}})
    return registry.edit("pods", "ns", "p", lambda pod: pod["spec"].update(nodeName="n"), manager="scheduler")


def test_a_write_that_changes_nothing_moves_no_revision(registry: Registry) -> None:
    made = registry.create("configmaps", "ns", {"metadata": {"name": "x"}, "data": {"a": "1"}})
    again = registry.replace("configmaps", "ns", "x", {"metadata": {}, "data": {"a": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert registry.edit("configmaps", "ns", "x", lambda obj: None, manager="m") is again


def test_binding_a_pod_is_no_change_of_what_is_wanted(registry: Registry) -> None:
    assert _running(registry)["metadata"]["generation"] == 1


def test_a_running_pod_goes_when_the_node_says_so(registry: Registry) -> None:
    pod = _running(registry, terminationGracePeriodSeconds=7)
    dying = registry.delete("pods", "ns", "p")
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 7
    assert (
        registry.delete("pods", "ns", "p", DeleteOptions(grace=60))["metadata"]["deletionGracePeriodSeconds"]
        == 7
    )
    assert (
        registry.delete("pods", "ns", "p", DeleteOptions(grace=2))["metadata"]["deletionGracePeriodSeconds"]
        == 2
    )
    registry.remove_now("pods", "ns", "p", "another uid")
    assert registry.find("pods", "ns", "p")
    registry.remove_now("pods", "ns", "p", pod["metadata"]["uid"])
    assert registry.find("pods", "ns", "p") is None


def test_finalizers_hold_a_pod_even_against_the_node(registry: Registry) -> None:
    registry.create(
        "pods", "ns", {**POD, "metadata": {"name": "p", "finalizers": ["batch.kubernetes.io/job-tracking"]}}
    )
    pod = registry.edit("pods", "ns", "p", lambda obj: obj["spec"].update(nodeName="n"), manager="scheduler")
    registry.delete("pods", "ns", "p")
    registry.remove_now("pods", "ns", "p", pod["metadata"]["uid"])
    assert registry.get("pods", "ns", "p")["metadata"]["deletionGracePeriodSeconds"] == 0
    registry.edit("pods", "ns", "p", lambda obj: obj["metadata"].pop("finalizers"), manager="job-controller")
    assert registry.find("pods", "ns", "p") is None


def test_a_job_orphans_its_pods_unless_told_otherwise(registry: Registry) -> None:
    template = {"spec": {"containers": POD["spec"]["containers"], "restartPolicy": "Never"}}
    for name in ("a", "b"):
        registry.create("jobs", "ns", {"metadata": {"name": name}, "spec": {"template": template}})
    assert registry.delete("jobs", "ns", "a")["metadata"]["finalizers"] == ["orphan"]
    assert registry.delete("jobs", "ns", "b", DeleteOptions("Background"))["status"] == "Success"


def test_a_namespace_on_its_way_out_takes_nothing_new(registry: Registry) -> None:
    registry.delete("namespaces", "", "ns")
    with pytest.raises(ApiError, match="because it is being terminated") as refused:
        registry.create("configmaps", "ns", {"metadata": {"name": "x"}})
    assert refused.value.code == 403
    registry.event(registry.get("serviceaccounts", "ns", "default"), "Normal", "A", "b", component="c")
    assert registry.list("events", "ns") == []


def test_equal_events_are_counted(registry: Registry) -> None:
    about = registry.get("serviceaccounts", "ns", "default")
    for _ in range(3):
        registry.event(about, "Warning", "BackOff", "again", component="kubelet", host="n")
    registry.event(about, "Warning", "BackOff", "another", component="kubelet", host="n")
    counts = {event["message"]: event["count"] for event in registry.list("events", "ns")}
    assert counts == {"again": 3, "another": 1}


def test_each_service_has_an_address_of_its_own(registry: Registry) -> None:
    ports = [{"port": 80}]
    made = [
        registry.create("services", "ns", {"metadata": {"name": name}, "spec": {"ports": ports}})
        for name in ("a", "b")
    ]
    assert len({service["spec"]["clusterIP"] for service in made}) == 2
    taken = made[0]["spec"]["clusterIP"]
    with pytest.raises(ApiError, match="already allocated"):
        registry.create(
            "services", "ns", {"metadata": {"name": "c"}, "spec": {"ports": ports, "clusterIP": taken}}
        )
    headless = registry.create(
        "services", "ns", {"metadata": {"name": "h"}, "spec": {"ports": ports, "clusterIP": "None"}}
    )
    assert headless["spec"]["clusterIPs"] == ["None"]


def test_a_dry_run_stores_nothing(registry: Registry) -> None:
    before = registry.store.revision
    dry = WriteOptions(manager="m", dry_run=True)
    assert registry.create("configmaps", "ns", {"metadata": {"name": "x"}}, dry)["metadata"]["uid"]
    assert registry.store.revision == before


def test_what_the_cluster_adds_belongs_to_nobody(registry: Registry) -> None:
    made = registry.create("pods", "ns", POD, WriteOptions(manager="m"))
    (entry,) = made["metadata"]["managedFields"]
    assert made["spec"]["serviceAccountName"] == "default"
    assert "f:dnsPolicy" in entry["fieldsV1"]["f:spec"]
    assert not {"f:serviceAccountName", "f:volumes", "f:tolerations", "f:priority"} & set(
        entry["fieldsV1"]["f:spec"]
    )


def test_server_side_apply_may_follow_a_client_side_one(registry: Registry) -> None:
    """Kubectl hands the fields of the first to the second, and then applies without the defaults."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}
    job["spec"] = {"template": {"spec": {**POD["spec"], "restartPolicy": "Never"}}}
    made = registry.create("jobs", "ns", job, WriteOptions(manager="kubectl-client-side-apply"))
    (entry,) = made["metadata"]["managedFields"]
    handed = [{**entry, "manager": "kubectl", "operation": "Apply"}]
    registry.edit("jobs", "ns", "j", lambda obj: obj["metadata"].update(managedFields=handed), manager="")
    body = "application/apply-patch+yaml"
    again = registry.patch("jobs", "ns", "j", body, job, WriteOptions(manager="kubectl"))
    assert again["spec"] == made["spec"]
