"""What is refused or set right before it is stored, in the API server's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.kit.api import APPLY, JSON_PATCH, MERGE, STRATEGIC, Object
from tests.conformance.kit.manifests import container, deployment, pod, sh
from tests.conformance.kit.namespace import Namespace

_STRUCT = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
_MAP = "Go value of type map[string]interface {}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"priorityClassName": "absent"}, "no PriorityClass with name absent was found"),
        (
            {"priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; "
            "priority admission controller computed 0 from the given PriorityClass name",
        ),
        (
            {"preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; "
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
    ],
)
def test_a_priority_is_that_of_a_class(ns: Namespace, spec: Object, message: str) -> None:
    answer = ns.post("pods", pod("x", container(ns.image, sh("true")), **spec), dryRun="All")
    assert (answer.code, answer.message) == (403, f'pods "x" is forbidden: {message}')


def test_a_pod_is_stored_with_whole_amounts(ns: Namespace) -> None:
    asked = container(ns.image, sh("true"), resources={"requests": {"cpu": "0.1m"}})
    body = pod("x", asked, terminationGracePeriodSeconds=-5, priorityClassName="system-node-critical")
    spec = ns.create("pods", body, dryRun="All")["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1m"}
    assert (spec["terminationGracePeriodSeconds"], spec["priority"]) == (1, 2000001000)


def test_a_bad_selector_is_refused_as_a_whole(ns: Namespace) -> None:
    body = deployment("d", container(ns.image, sh("true")))
    body["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Is"}]}
    answer = ns.post("deployments", body, dryRun="All")
    assert answer.message == (
        'Deployment.apps "d" is invalid: [spec.selector.matchExpressions[0].operator: Invalid value: "Is": '
        "not a valid selector operator, spec.selector: Invalid value: "
        '{"matchExpressions":[{"key":"app","operator":"Is"}]}: invalid label selector]'
    )


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"clusterIP": "x"}, 'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address'),
        (
            {"externalTrafficPolicy": "Local"},
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible',
        ),
        (
            {"loadBalancerClass": "a.b/c"},
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        ({"trafficDistribution": "Near"}, 'spec.trafficDistribution: Unsupported value: "Near"'),
    ],
)
def test_a_service_that_cannot_be(ns: Namespace, spec: Object, cause: str) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}
    answer = ns.post("services", body, dryRun="All")
    assert answer.code == 422
    assert answer.message.startswith(f'Service "s" is invalid: {cause}')


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", "[]", f"json: cannot unmarshal array into Go value of type {_STRUCT} (5b5d)"),
        ("application/json", '{"a":', 'unexpected end of JSON input ({"a":)'),
        ("application/json", "nope", "invalid character 'o' in literal null (expecting 'u') (6e6f7065)"),
    ],
)
def test_a_body_that_is_no_object(ns: Namespace, content_type: str, body: str, message: str) -> None:
    answer = ns.post("configmaps", body, content_type=content_type)
    start = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
    assert (answer.code, answer.message) == (400, start + message)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (STRATEGIC, "[]", f"json: cannot unmarshal array into {_MAP}"),
        (MERGE, "[]", f"error decoding patch: json: cannot unmarshal array into {_MAP}"),
        (APPLY, "- a", f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into {_MAP}"),
        (APPLY, "a: b: c", "error converting YAML to JSON: yaml: mapping values are not allowed in this context"),
        (JSON_PATCH, "[1]", "cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
    ],
)  # fmt: skip
def test_a_patch_of_the_wrong_form(ns: Namespace, kind: str, body: str, message: str) -> None:
    answer = ns.patch("configmaps", "kube-root-ca.crt", body, kind, fieldManager="conformance")
    assert answer.code == 400
    assert answer.message.endswith(message)


def test_a_replacement_names_its_object(ns: Namespace) -> None:
    ns.create("configmaps", {"metadata": {"name": "c"}})
    answer = ns.put("configmaps", "c", {"data": {"a": "b"}})
    text = "the name of the object (c based on URL) was undeterminable: name must be provided"
    assert (answer.code, answer.message) == (400, text)


def test_a_json_patch_may_replace_what_is_not_there(ns: Namespace) -> None:
    ns.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    operations: list[Any] = [{"op": "replace", "path": "/data/b", "value": "2"}]
    assert ns.patch("configmaps", "c", operations, JSON_PATCH).expect(200)["data"] == {"a": "1", "b": "2"}


def test_a_gated_pod_runs_when_its_gates_are_taken_away(ns: Namespace) -> None:
    gates = [{"name": "example.com/wait"}]
    ns.create("pods", pod("x", container(ns.image, sh("true")), restartPolicy="Never", schedulingGates=gates))
    ns.wait("pods", "x", "gated", lambda found: "conditions" in found["status"])
    ns.patch("pods", "x", {"spec": {"schedulingGates": None}}).expect(200)
    assert ns.pod_ended("x")["status"]["phase"] == "Succeeded"


def test_a_tls_secret_without_certificate_warns(ns: Namespace) -> None:
    body = {
        "metadata": {"name": "s"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": "x", "tls.key": "x"},
    }
    answer = ns.post("secrets", body)
    assert (answer.code, answer.warnings) == (201, ["tls: failed to find any PEM data in certificate input"])
