"""Every recorded create, replayed: the same refusal to the letter, or the same object with the same warnings."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.cluster.errors import ApiError, invalid
from include.cluster.resources import Resource
from include.cluster.rules import defaults, prepare, schema, support, validation
from tests.include.cluster.rules.recordings import Recorded, load, without

_TOPICS = (
    "errors", "field-validation", "configmap", "secret", "deployment", "service", "job", "pod", "pvc", "namespace",
    "dry-run", "list",
)  # fmt: skip
# Answered before or after the rules: request parameters, the object's address, what the body's text is.
_ELSEWHERE = (
    "invalid value for fieldValidation", "namespace in body differs", "dryRun=Some", "malformed JSON", "empty body",
    "yaml body", "eviction",
)  # fmt: skip
# Added by admission, which needs the cluster's state.
_ADMITTED = (
    "clusterIP", "clusterIPs", "volumes", "tolerations", "priority", "preemptionPolicy", "serviceAccount",
    "serviceAccountName",
)  # fmt: skip


def _cases() -> list[Recorded]:
    return [
        case
        for topic in _TOPICS
        for case in load(topic)
        if case.method == "POST" and len(case.target) == 1 and case.resource and case.code in (201, 400, 422)
        if not case.note.startswith(_ELSEWHERE)
    ]


def _create(case: Recorded, resource: Resource) -> dict[str, Any]:
    text = case.request["body"]
    duplicates = ["data.a"] if isinstance(text, str) and '"a":"1","a":"2"' in text else []
    found = schema.decode(resource, case.body, duplicates)
    if found.unknown and case.query.get("fieldValidation") == "Strict":
        raise schema.strict_error(resource, found.unknown)
    obj = found.obj
    metadata = obj.setdefault("metadata", {})
    if resource.namespaced:
        metadata.setdefault("namespace", case.namespace)
    if case.code == 201:
        metadata.update({key: case.answer["metadata"][key] for key in ("uid", "creationTimestamp", "name")})
    defaults.apply_defaults(resource, obj)
    prepare.convert(resource, obj)
    prepare.prepare_create(resource, obj)
    causes = validation.validate_create(resource, obj)
    if causes:
        raise invalid(resource.kind, resource.group, metadata.get("name", ""), causes)
    return obj


def _plain(obj: dict[str, Any]) -> dict[str, Any]:
    obj = copy.deepcopy(without(obj, "resourceVersion", "managedFields"))
    if obj["kind"] in ("Pod", "Service"):
        spec = obj["spec"] = {key: value for key, value in obj["spec"].items() if key not in _ADMITTED}
        for container in spec.get("containers", []):
            container.pop("volumeMounts", None)
        for port in spec.get("ports", []):
            port.pop("nodePort", None)
    return obj


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.id)
def test_a_create_is_answered_as_recorded(case: Recorded) -> None:
    assert case.resource is not None
    if case.code == 201:
        assert _plain(_create(case, case.resource)) == _plain(case.answer)
        return
    with pytest.raises(ApiError) as refusal:
        _create(case, case.resource)
    assert refusal.value.status() == case.answer


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in _cases()
        if case.code == 201 and case.resource and case.resource.plural == "deployments"
    ],
    ids=lambda case: case.id,
)
def test_a_create_is_warned_of_as_recorded(case: Recorded) -> None:
    assert case.resource is not None
    unknown = schema.decode(case.resource, case.body).unknown
    told = [] if case.query.get("fieldValidation") == "Ignore" else unknown
    told += support.warnings(case.resource, _create(case, case.resource))
    headers = ['299 - "' + text.replace('"', '\\"') + '"' for text in told]
    assert headers == case.warnings
