from __future__ import annotations

import copy
from typing import Any

import pytest

from include.cluster.resources import RESOURCES
from include.cluster.rules import prepare

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        (
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}],
            "Guaranteed",
        ),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"memory": "1Gi"}}], "Burstable"),
    ],
)
def test_a_pods_quality_of_service(resources: list[Object], expected: str) -> None:
    assert prepare.qos_class({"containers": [{"resources": one} for one in resources]}) == expected


def _deployment() -> Object:
    return {
        "metadata": {"name": "d", "generation": 3, "uid": "u"},
        "spec": {"replicas": 1},
        "status": {"replicas": 1},
    }


def test_the_generation_counts_changes_of_what_is_wanted_and_of_nothing_else() -> None:
    resource, old = RESOURCES["deployments"], _deployment()
    for change, generation in (
        ({"spec": {"replicas": 2}}, 4),
        ({"metadata": {"name": "d", "annotations": {"a": "b"}}}, 4),
        ({"metadata": {"name": "d", "labels": {"a": "b"}, "generation": 99}}, 3),
        ({"status": {"replicas": 9}}, 3),
    ):
        new = {**copy.deepcopy(old), **change}
        prepare.prepare_update(resource, new, old)
        assert new["metadata"]["generation"] == generation
        assert new["status"] == old["status"]


def test_a_status_write_changes_the_status_only() -> None:
    old = _deployment()
    new = copy.deepcopy(old)
    new.update(spec={"replicas": 7}, status={"replicas": 2})
    new["metadata"]["labels"] = {"a": "b"}
    prepare.prepare_update(RESOURCES["deployments"], new, old, "status")
    assert (new["spec"], new["status"]) == (old["spec"], {"replicas": 2})
    assert "labels" not in new["metadata"]
    assert new["metadata"]["generation"] == 3


def test_a_service_keeps_address_and_node_ports_and_loses_the_ports_with_the_type() -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30001}]
    old = {
        "metadata": {},
        "spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": ports},
    }
    kept: Object = {"metadata": {}, "spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}}
    prepare.prepare_update(RESOURCES["services"], kept, old)
    assert kept["spec"]["ports"][0]["nodePort"] == 30001
    assert kept["spec"]["clusterIPs"] == ["10.0.0.1"]
    plain = copy.deepcopy(old)
    plain["spec"]["type"] = "ClusterIP"
    prepare.prepare_update(RESOURCES["services"], plain, old)
    assert plain["spec"]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_managed_fields_are_kept_unless_they_are_reset() -> None:
    old = {"metadata": {"name": "c", "managedFields": [{"manager": "m"}]}}
    kept: Object = {"metadata": {"name": "c"}}
    prepare.prepare_update(RESOURCES["configmaps"], kept, old)
    assert kept["metadata"]["managedFields"] == [{"manager": "m"}]
    reset: Object = {"metadata": {"name": "c", "managedFields": [{}]}}
    prepare.prepare_update(RESOURCES["configmaps"], reset, old)
    assert "managedFields" not in reset["metadata"]


def test_a_job_with_a_selector_of_its_own_keeps_it() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {}}
    job = {
        "metadata": {"name": "j", "uid": "u"},
        "spec": {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    prepare.prepare_create(RESOURCES["jobs"], job)
    assert job["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    assert job["metadata"]["labels"] == {"a": "b"}
