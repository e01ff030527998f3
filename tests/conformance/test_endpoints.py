"""Which pods are behind a Service, as EndpointSlices and Endpoints tell it."""

from __future__ import annotations

import re
import subprocess

from tests.conformance.kit.api import Api, until
from tests.conformance.kit.manifests import deployment, pod, server, service, sh
from tests.conformance.kit.namespace import Namespace
from tests.needs import needed_tool

MANAGER = "endpointslice.kubernetes.io/managed-by"
SERVICE = "kubernetes.io/service-name"


def slices(ns: Namespace, name: str = "web") -> list[dict]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{ns.name}/endpointslices"
    found: list[dict] = ns.api.request("GET", path, labelSelector=f"{SERVICE}={name}").expect(200)["items"]
    return found


def conditions(ns: Namespace) -> dict[str, tuple[bool, bool, bool]]:
    """Each pod in the slices of ``web`` with ready, serving, terminating."""
    return {
        one["targetRef"]["name"]: tuple(
            one["conditions"][name] for name in ("ready", "serving", "terminating")
        )
        for found in slices(ns)
        for one in found["endpoints"] or []
    }


def subsets(ns: Namespace) -> list[dict] | None:
    answer = ns.api.request("GET", f"/api/v1/namespaces/{ns.name}/endpoints/web")
    return answer.body.get("subsets", []) if answer.code == 200 else None


def test_the_kinds_are_discovered(api: Api) -> None:
    core = {one["name"]: one for one in api.request("GET", "/api/v1").expect(200)["resources"]}
    assert (core["endpoints"]["kind"], core["endpoints"]["shortNames"]) == ("Endpoints", ["ep"])
    found = api.request("GET", "/apis/discovery.k8s.io/v1").expect(200)["resources"]
    assert [one["kind"] for one in found if one["name"] == "endpointslices"] == ["EndpointSlice"]


def test_a_slice_lists_the_ready_pods(ns: Namespace) -> None:
    made = ns.create("services", service("web", target="http"))
    ns.create("deployments", deployment("web", server(ns.image, port=8088), replicas=2))
    ns.rolled_out("web")
    names = {item["metadata"]["name"]: item for item in ns.list("pods")}
    until("both are ready", lambda: conditions(ns) == dict.fromkeys(names, (True, True, False)), 20)
    (found,) = slices(ns)
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "http", "port": 8088, "protocol": "TCP"}]
    meta = found["metadata"]
    assert meta["name"].startswith("web-")
    assert meta["labels"][MANAGER] == "endpointslice-controller.k8s.io"
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Service", made["metadata"]["uid"])
    for one in found["endpoints"]:
        behind = names[one["targetRef"]["name"]]
        assert one["addresses"] == [behind["status"]["podIP"]]
        assert one["nodeName"] == behind["spec"]["nodeName"]
        assert one["targetRef"]["uid"] == behind["metadata"]["uid"]


def test_a_pod_that_is_not_ready_is_listed_as_such(ns: Namespace) -> None:
    ns.create("services", service("web"))
    never = {"readinessProbe": {"exec": {"command": sh("exit 1")}, "periodSeconds": 1}}
    ns.create("pods", pod("web", server(ns.image, **never)))
    until("it is listed", lambda: conditions(ns) == {"web": (False, False, False)}, 60)
    address = ns.get("pods", "web")["status"]["podIP"]
    (found,) = until("its endpoints", lambda: subsets(ns), 20)
    assert "addresses" not in found
    assert [one["ip"] for one in found["notReadyAddresses"]] == [address]
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


def test_a_pod_that_ends_is_no_longer_ready(ns: Namespace) -> None:
    ns.create("services", service("web"))
    hook = {"lifecycle": {"preStop": {"exec": {"command": sh("sleep 3")}}}}
    ns.create("pods", pod("web", server(ns.image, **hook)))
    ns.pod_ready("web")
    until("it is ready", lambda: conditions(ns) == {"web": (True, True, False)}, 20)
    until("it has an address", lambda: subsets(ns), 20)
    ns.delete("pods", "web").expect(200)
    until("it is terminating", lambda: conditions(ns) == {"web": (False, True, True)}, 3)
    until("it is out of the endpoints", lambda: subsets(ns) == [], 3)
    ns.gone("pods", "web")
    until("it is out of the slice", lambda: conditions(ns) == {}, 20)
    # what is left says that there is nobody
    (empty,) = slices(ns)
    assert not empty["endpoints"]


def test_endpoints_go_with_their_service(ns: Namespace) -> None:
    ns.create("services", service("web"))
    until("a slice", lambda: slices(ns), 20)
    until("endpoints", lambda: subsets(ns) is not None, 20)
    ns.delete("services", "web").expect(200)
    until("no slice", lambda: not slices(ns), 30)
    until("no endpoints", lambda: subsets(ns) is None, 30)


def test_columns_of_a_table(ns: Namespace) -> None:
    ns.create("services", service("web"))
    ns.create("pods", pod("web", server(ns.image)))
    address = ns.pod_ready("web")["status"]["podIP"]
    until("it is ready", lambda: conditions(ns) == {"web": (True, True, False)} and subsets(ns), 20)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    core, discovery = f"/api/v1/namespaces/{ns.name}", f"/apis/discovery.k8s.io/v1/namespaces/{ns.name}"
    table = ns.api.request("GET", f"{core}/endpoints", accept=accept).expect(200)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Endpoints", "Age"]
    assert ["web", f"{address}:8080"] in [one["cells"][:2] for one in table["rows"]]
    table = ns.api.request("GET", f"{discovery}/endpointslices", accept=accept).expect(200)
    names = [one["name"] for one in table["columnDefinitions"]]
    assert names == ["Name", "AddressType", "Ports", "Endpoints", "Age"]
    assert table["rows"][0]["cells"][1:4] == ["IPv4", "8080", address]


def test_kubectl_describes_a_service_with_its_endpoints(ns: Namespace) -> None:
    ns.create("services", service("web"))
    ns.create("pods", pod("web", server(ns.image)))
    address = ns.pod_ready("web")["status"]["podIP"]
    until("it is ready", lambda: conditions(ns) == {"web": (True, True, False)} and subsets(ns), 20)
    command = [
        needed_tool("kubectl"),
        "--kubeconfig",
        ns.api.kubeconfig,
        "-n",
        ns.name,
        "describe",
        "svc",
        "web",
    ]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(rf"^Endpoints:\s+{re.escape(address)}:8080$", told, re.MULTILINE)
