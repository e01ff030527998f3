"""The shop's manifests: nothing misspelt, images that exist, and as careful as the README promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from include.cluster.resources import BY_KIND
from include.cluster.rules import schema, support

FOLDER = Path(__file__).parents[3] / "include" / "shop" / "manifests"
DOCUMENTS = [
    pytest.param(document, id=f"{document['kind']}-{document['metadata']['name']}")
    for path in sorted(FOLDER.rglob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
WORKLOADS = [parameter for parameter in DOCUMENTS if "template" in parameter.values[0].get("spec", {})]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_field_is_one_of_kubernetes(document: dict[str, Any]) -> None:
    resource = BY_KIND[document["kind"]]
    assert schema.decode(resource, document).unknown == []
    # What runs on the embedded cluster must mean there what it means elsewhere.
    assert support.refusals(resource, document) == []
    assert "namespace" not in document["metadata"]


@pytest.mark.parametrize("document", WORKLOADS)
def test_pods_are_careful(document: dict[str, Any], images: dict[str, Any]) -> None:
    pod = document["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["image"] in images
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert all(port["containerPort"] > 1023 for port in container.get("ports", []))
        if document["kind"] == "Deployment":
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
            assert (
                container["lifecycle"]["preStop"]["sleep"]["seconds"] < pod["terminationGracePeriodSeconds"]
            )


def test_volumes_are_claimed_by_a_claim_that_exists() -> None:
    claims = {
        p.values[0]["metadata"]["name"] for p in DOCUMENTS if p.values[0]["kind"] == "PersistentVolumeClaim"
    }
    for parameter in WORKLOADS:
        pod = parameter.values[0]["spec"]["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        used = {
            v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        }
        assert used <= claims


def test_services_lead_to_a_port_of_their_pods() -> None:
    pods = {p.values[0]["spec"]["template"]["metadata"]["labels"]["app"]: p.values[0] for p in WORKLOADS}
    for service in (p.values[0] for p in DOCUMENTS if p.values[0]["kind"] == "Service"):
        workload = pods.get(service["spec"]["selector"]["app"])
        if workload is None:
            assert service["metadata"]["name"] == "app-service"  # its Deployment belongs to the releases
            continue
        containers = workload["spec"]["template"]["spec"]["containers"]
        ports = {
            port["name"]: port["containerPort"] for container in containers for port in container["ports"]
        }
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
