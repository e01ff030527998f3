"""Requests that cannot be served, and the code, reason and message that say so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.conformance.kit.api import MERGE, Api, Object
from tests.conformance.kit.manifests import configmap, container, deployment, sh
from tests.conformance.kit.namespace import Namespace


def test_absent_object_is_named(ns: Namespace) -> None:
    answer = ns.read("configmaps", "nope")
    assert answer.code == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "kind": "configmaps"},
        "code": 404,
    }
    grouped = ns.read("deployments", "nope").body
    assert grouped["message"] == 'deployments.apps "nope" not found'
    assert grouped["details"] == {"name": "nope", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_absent_object_cannot_be_changed(ns: Namespace, method: str) -> None:
    body = None if method == "DELETE" else configmap("nope")
    kind = MERGE if method == "PATCH" else "application/json"
    answer = ns.api.request(method, ns.path("configmaps", "nope"), body, content_type=kind)
    assert (answer.code, answer.message) == (404, 'configmaps "nope" not found')


def test_absent_namespace_lists_nothing_and_takes_nothing(api: Api) -> None:
    path = "/api/v1/namespaces/conformance-never-made/configmaps"
    assert api.request("GET", path).expect(200)["items"] == []
    answer = api.request("POST", path, configmap("x"))
    assert (answer.code, answer.message) == (404, 'namespaces "conformance-never-made" not found')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/v1/namespaces/default/widgets", "the server could not find the requested resource"),
        ("/apis/apps/v9/deployments", "the server could not find the requested resource"),
        ("/apis/nope.example.com/v1/things", "404 page not found\n"),
        ("/nope", "404 page not found\n"),
    ],
)
def test_unknown_path(api: Api, path: str, text: str) -> None:
    answer = api.request("GET", path)
    assert (answer.code, answer.message) == (404, text)


@pytest.mark.parametrize(("method", "name"), [("POST", "x"), ("PUT", "")])
def test_method_that_a_path_does_not_have(ns: Namespace, method: str, name: str) -> None:
    answer = ns.api.request(method, ns.path("configmaps", name), configmap("x"))
    assert answer.code == 405
    assert answer.body["reason"] == "MethodNotAllowed"
    assert answer.message == "the server does not allow this method on the requested resource"


def test_media_types_that_are_not_spoken(ns: Namespace) -> None:
    assert ns.read("configmaps", "kube-root-ca.crt", accept="text/html").code == 406
    posted = ns.post("configmaps", "a=b", content_type="application/x-www-form-urlencoded")
    assert posted.code == 415
    assert "the body of the request was in an unknown format" in posted.message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "json parse error: unexpected end of JSON input"),
        ('{"apiVersion": "v1", "kind": "ConfigMap"', "json parse error: unexpected end of JSON input"),
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}},
            "cannot be handled as a ConfigMap",
        ),
        (
            {"apiVersion": "apps/v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
            'no kind "ConfigMap" is registered for version "apps/v1"',
        ),
        (
            {"apiVersion": "v1", "kind": "Configmap", "metadata": {"name": "x"}},
            'no kind "Configmap" is registered',
        ),
        (
            {"metadata": {"name": "x"}, "data": {"a": 1}},
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
    ],
)
def test_body_that_is_no_configmap(ns: Namespace, body: Any, text: str) -> None:
    answer = ns.post("configmaps", body)
    assert answer.code == 400
    assert answer.body["reason"] == "BadRequest"
    assert text in answer.message


def test_names(ns: Namespace) -> None:
    unnamed = ns.post("configmaps", {"metadata": {}})
    assert unnamed.code == 422
    assert unnamed.message == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )
    bad = ns.post("configmaps", configmap("My_Config"))
    assert bad.code == 422
    assert (
        'metadata.name: Invalid value: "My_Config": a lowercase RFC 1123 subdomain must consist of'
        in bad.message
    )
    ns.create("configmaps", configmap("one"))
    other = ns.put("configmaps", "one", configmap("two"))
    assert other.code == 400
    assert other.message == "the name of the object (two) does not match the name on the URL (one)"
    elsewhere = ns.post("configmaps", configmap("x", metadata={"namespace": "default"}))
    assert elsewhere.code == 400
    assert "does not match the namespace" in elsewhere.message


def test_revision_on_create_is_refused(ns: Namespace) -> None:
    answer = ns.post("configmaps", configmap("x", metadata={"resourceVersion": "1"}))
    assert answer.code == 500
    assert answer.message == "resourceVersion should not be set on objects to be created"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"labelSelector": "a===b"}, "unable to parse requirement"),
        ({"fieldSelector": "foo"}, "invalid selector: 'foo'; can't understand 'foo'"),
        ({"fieldSelector": "spec.foo=x"}, "field label not supported: spec.foo"),
        ({"limit": "abc"}, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ({"resourceVersion": "abc"}, 'invalid resource version: resourceVersion: Invalid value: "abc"'),
        ({"limit": "1", "continue": "garbage"}, "invalid continue token"),
    ],
)
def test_bad_query(ns: Namespace, query: dict[str, str], text: str) -> None:
    answer = ns.api.request("GET", ns.path("pods"), **query)
    assert answer.code == 400
    assert text in answer.message


MAIN = "spec.template.spec.containers[0]"


def set_in(body: Object, path: str, value: Any) -> None:
    """Set ``spec.template.spec.containers.0.image``-like paths; ``...`` removes."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = body
    for part in parents:
        target = target[part]
    if value is ...:
        del target[last]
    elif isinstance(last, int) and last == len(target):
        target.append(value)
    else:
        target[last] = value


CONTAINER = "spec.template.spec.containers.0"
RESOURCES = f"{CONTAINER}.resources"


@pytest.mark.parametrize(
    ("path", "value", "code", "text"),
    [
        (RESOURCES, {"limits": {"memory": "256mb"}}, 400, "quantities must match the regular expression"),
        ("spec.replicas", "3", 400, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (CONTAINER + ".ports", [{"containerPort": "80"}], 400, "json: cannot unmarshal string into Go struct field"),
        ("spec.replicas", -1, 422, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ("spec.selector", ..., 422, "spec.selector: Required value"),
        ("spec.selector.matchLabels", {"app": "y"}, 422, "`selector` does not match template `labels`"),
        ("spec.template", ..., 422, "spec.template.spec.containers: Required value"),
        ("metadata.labels", {"a": "not ok!"}, 422, 'metadata.labels: Invalid value: "not ok!": a valid label must be'),
        (CONTAINER + ".name", "mainApp", 422, f'{MAIN}.name: Invalid value: "mainApp": a lowercase RFC 1123 label'),
        (CONTAINER + ".name", ..., 422, f"{MAIN}.name: Required value"),
        (CONTAINER + ".image", ..., 422, f"{MAIN}.image: Required value"),
        ("spec.template.spec.containers.1", {"name": "main", "image": "x"}, 422, 'containers[1].name: Duplicate value: "main"'),
        (RESOURCES, {"limits": {"cpu": "-1"}}, 422, f'{MAIN}.resources.limits[cpu]: Invalid value: "-1": must be greater'),
        (RESOURCES, {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}, 422, "must be less than or equal to cpu limit of 1"),
        (CONTAINER + ".ports", [{"containerPort": 99999}], 422, "must be between 1 and 65535, inclusive"),
        (CONTAINER + ".env", [{"value": "x"}], 422, f"{MAIN}.env[0].name: Required value"),
        (CONTAINER + ".imagePullPolicy", "Perhaps", 422, 'Unsupported value: "Perhaps": supported values: "Always", "IfNotPresent", "Never"'),
        (CONTAINER + ".volumeMounts", [{"name": "v", "mountPath": "/v"}], 422, f'{MAIN}.volumeMounts[0].name: Not found: "v"'),
        (CONTAINER + ".readinessProbe", {"periodSeconds": 1}, 422, f"{MAIN}.readinessProbe: Required value: must specify a handler type"),
        ("spec.template.spec.restartPolicy", "OnFailure", 422, 'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"'),
        ("spec.strategy", {"type": "Sideways"}, 422, 'supported values: "Recreate", "RollingUpdate"'),
        ("spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, 422, "may not be 0 when `maxSurge` is 0"),
        ("spec.progressDeadlineSeconds", 0, 422, "must be greater than minReadySeconds"),
    ],
)  # fmt: skip
def test_deployment_that_is_refused(ns: Namespace, path: str, value: Any, code: int, text: str) -> None:
    body = copy.deepcopy(deployment("x", container(ns.image, sh("true"))))
    set_in(body, path, value)
    answer = ns.post("deployments", body)
    assert answer.code == code, answer.text
    assert text in answer.message
    assert answer.body["reason"] == ("BadRequest" if code == 400 else "Invalid")
    if code == 422:
        assert answer.message.startswith('Deployment.apps "x" is invalid: ')
        assert answer.body["details"]["causes"]
    assert ns.list("deployments") == []


def test_every_cause_is_named_at_once(ns: Namespace) -> None:
    body = deployment("x", container(ns.image, sh("true"), name="mainApp"), replicas=-1)
    answer = ns.post("deployments", body)
    assert answer.code == 422
    fields = [cause["field"] for cause in answer.body["details"]["causes"]]
    assert {"spec.replicas", f"{MAIN}.name"} <= set(fields)
    assert answer.message.startswith('Deployment.apps "x" is invalid: [')


@pytest.mark.parametrize(
    ("field", "value", "warning"),
    [
        ("ports", [{"containerPort": 80}, {"containerPort": 80}], "duplicate port definition with"),
        (
            "env",
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            'hides previous definition of "A"',
        ),
        ("resources", {"limits": {"memory": "400m"}}, "fractional byte value"),
    ],
)
def test_what_only_warns(ns: Namespace, field: str, value: Any, warning: str) -> None:
    answer = ns.post(
        "deployments", deployment("x", container(ns.image, sh("true"), **{field: value}), replicas=0)
    )
    assert answer.code == 201
    assert any(warning in text for text in answer.warnings), answer.warnings
