"""Dry run, and what happens to fields that a kind does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.kit.api import JSON_PATCH, MERGE, STRATEGIC
from tests.conformance.kit.manifests import configmap, container, deployment, sh
from tests.conformance.kit.namespace import Namespace


def test_dry_run_answers_as_the_real_thing_and_stores_nothing(ns: Namespace) -> None:
    created = ns.post("deployments", deployment("d", container(ns.image, sh("true"))), dryRun="All").expect(
        201
    )
    assert created["metadata"]["uid"]
    assert created["spec"]["revisionHistoryLimit"] == 10
    assert ns.read("deployments", "d").code == 404
    ns.create("configmaps", configmap("c", {"a": "1"}))
    assert ns.patch("configmaps", "c", {"data": {"a": "2"}}, dryRun="All").expect(200)["data"] == {"a": "2"}
    assert ns.put("configmaps", "c", configmap("c", {"a": "3"}), dryRun="All").expect(200)["data"] == {
        "a": "3"
    }
    ns.delete("configmaps", "c", dryRun="All").expect(200)
    kept = ns.get("configmaps", "c")
    assert kept["data"] == {"a": "1"}
    assert "deletionTimestamp" not in kept["metadata"]


def test_dry_run_of_apply(ns: Namespace) -> None:
    ns.apply("configmaps", "c", configmap("c", {"a": "1"}), "alpha").expect(201)
    tried = ns.apply("configmaps", "c", configmap("c", {"a": "2"}), "alpha", dryRun="All").expect(200)
    assert tried["data"] == {"a": "2"}
    assert ns.apply("configmaps", "c", configmap("c", {"a": "2"}), "beta", dryRun="All").code == 409
    assert ns.apply("configmaps", "new", configmap("new"), "alpha", dryRun="All").code == 201
    assert ns.read("configmaps", "new").code == 404
    assert ns.get("configmaps", "c")["data"] == {"a": "1"}


def test_dry_run_still_refuses(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c"))
    assert ns.post("configmaps", configmap("c"), dryRun="All").code == 409
    assert ns.post("configmaps", configmap("Bad_Name"), dryRun="All").code == 422
    unknown = ns.post("configmaps", configmap("x"), dryRun="Some")
    assert unknown.code == 422
    assert 'dryRun: Unsupported value: ["Some"]: supported values: "All"' in unknown.message


def typo(ns: Namespace) -> Any:
    body = deployment("d", container(ns.image, sh("true"), imagePullPolcy="Never"), replicas=0)
    body["spec"]["Replicas"] = 3
    return body


UNKNOWN = {'unknown field "spec.Replicas"', 'unknown field "spec.template.spec.containers[0].imagePullPolcy"'}


@pytest.mark.parametrize("mode", ["", "Warn"])
def test_unknown_fields_are_dropped_with_a_warning(ns: Namespace, mode: str) -> None:
    answer = ns.post("deployments", typo(ns), **({"fieldValidation": mode} if mode else {}))
    created = answer.expect(201)
    assert set(answer.warnings) == UNKNOWN
    assert "Replicas" not in created["spec"]
    assert created["spec"]["replicas"] == 0


def test_unknown_fields_are_dropped_silently_when_ignored(ns: Namespace) -> None:
    answer = ns.post("deployments", typo(ns), fieldValidation="Ignore")
    assert "Replicas" not in answer.expect(201)["spec"]
    assert answer.warnings == []


def test_unknown_fields_are_refused_when_strict(ns: Namespace) -> None:
    answer = ns.post("deployments", typo(ns), fieldValidation="Strict")
    assert answer.code == 400
    assert answer.message.startswith(
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    )
    for text in UNKNOWN:
        assert text in answer.message
    assert ns.list("deployments") == []


def test_misspelt_api_version_and_duplicate_keys(ns: Namespace) -> None:
    text = (
        '{"ApiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "a": "2"}}'
    )
    answer = ns.post("configmaps", text)
    created = answer.expect(201)
    assert set(answer.warnings) == {'unknown field "ApiVersion"', 'duplicate field "data.a"'}
    assert created["apiVersion"] == "v1"
    assert created["data"] == {"a": "2"}
    strict = ns.post("configmaps", text, fieldValidation="Strict")
    assert strict.code == 400
    assert 'duplicate field "data.a"' in strict.message


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (MERGE, {"spec": {"Replicas": 1}}, "spec.Replicas"),
        (
            STRATEGIC,
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "Env": []}]}}}},
            "spec.template.spec.containers[0].Env",
        ),
        (JSON_PATCH, [{"op": "add", "path": "/spec/nope", "value": 1}], "spec.nope"),
    ],
)
def test_patch_with_an_unknown_field(ns: Namespace, kind: str, body: Any, field: str) -> None:
    ns.create("deployments", deployment("d", container(ns.image, sh("true")), replicas=0))
    warned = ns.patch("deployments", "d", body, kind)
    assert warned.code == 200
    assert warned.warnings == [f'unknown field "{field}"']
    strict = ns.patch("deployments", "d", body, kind, fieldValidation="Strict")
    assert strict.code == 422
    assert f'strict decoding error: unknown field "{field}"' in strict.message


def test_validation_mode_that_does_not_exist(ns: Namespace) -> None:
    answer = ns.post("configmaps", configmap("c"), fieldValidation="Loud")
    assert answer.code == 422
    assert (
        'fieldValidation: Unsupported value: "Loud": supported values: "", "Ignore", "Strict", "Warn"'
        in answer.message
    )
