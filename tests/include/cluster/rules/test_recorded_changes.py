"""Every recorded replace and patch, replayed on the object as it was answered last."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from include.cluster.errors import ApiError, invalid
from include.cluster.resources import Resource
from include.cluster.rules import defaults, patches, prepare, schema, validation
from tests.include.cluster.rules.recordings import Recorded, load, without

Object = dict[str, Any]

_TOPICS = (
    "errors",
    "field-validation",
    "configmap",
    "secret",
    "deployment",
    "service",
    "job",
    "pod",
    "pvc",
    "namespace",
)
_PATCHERS = {
    "application/json-patch+json": lambda resource, old, body: patches.json_patch(old, body),
    "application/merge-patch+json": lambda resource, old, body: patches.merge_patch(old, body),
    "application/strategic-merge-patch+json": patches.strategic_merge,
}
# Written by controllers between the requests.
_REVISION = "deployment.kubernetes.io/revision"


def _cases() -> list[tuple[Recorded, Object]]:
    found = []
    for topic in _TOPICS:
        last: dict[str, Object] = {}
        for case in load(topic):
            if not case.resource:
                continue
            answered = isinstance(case.answer, dict) and case.answer.get("kind") == case.resource.kind
            key = "/".join(case.target[:2])
            if case.method in ("PUT", "PATCH") and key in last and _computable(case):
                found.append((case, last[key]))
            if answered and "dryRun" not in case.query:
                last[f"{case.target[0]}/{case.answer['metadata']['name']}"] = case.answer
    return found


def _computable(case: Recorded) -> bool:
    if case.content_type not in (*_PATCHERS, "application/json"):
        return False
    if case.method == "PATCH" and case.content_type == "application/json":
        return False
    return case.code in (200, 400, 422) and "does not match the name on the URL" not in str(case.answer)


def _change(case: Recorded, resource: Resource, old: Object) -> Object:
    subresource = case.target[2] if len(case.target) > 2 else ""
    strict = case.query.get("fieldValidation") == "Strict"
    if case.method == "PUT":
        found = schema.decode(resource, case.body)
        if found.unknown and strict:
            raise schema.strict_error(resource, found.unknown)
    else:
        patched = _PATCHERS[case.content_type](resource, old, case.body)
        found = schema.decode(resource, patched)
        if found.unknown and strict:
            shown = case.body if "strategic" in case.content_type else None
            raise patches.refused(patched, shown, "strict decoding error: " + ", ".join(found.unknown))
    new = found.obj
    if resource.namespaced:
        new["metadata"].setdefault("namespace", old["metadata"]["namespace"])
    defaults.apply_defaults(resource, new)
    prepare.convert(resource, new)
    prepare.prepare_update(resource, new, old, subresource)
    causes = validation.validate_update(resource, new, old, subresource)
    if causes:
        raise invalid(resource.kind, resource.group, new["metadata"]["name"], causes)
    return new


def _settled(old: Object, answer: Object) -> Object:
    """The object as the controllers had left it by the time of the request."""
    old = copy.deepcopy(old)
    if answer.get("kind") != old["kind"]:
        return old
    if "status" in answer:
        old["status"] = copy.deepcopy(answer["status"])
    revision = answer["metadata"].get("annotations", {}).get(_REVISION)
    if revision:
        old["metadata"].setdefault("annotations", {})[_REVISION] = revision
    return old


@pytest.mark.parametrize(("case", "old"), _cases(), ids=lambda value: getattr(value, "id", ""))
def test_a_change_is_answered_as_recorded(case: Recorded, old: Object) -> None:
    assert case.resource is not None
    old = _settled(old, case.answer)
    if case.code == 200:
        new = _change(case, case.resource, old)
        assert without(new, "resourceVersion") == without(case.answer, "resourceVersion")
        return
    with pytest.raises(ApiError) as refusal:
        _change(case, case.resource, old)
    status = refusal.value.status()
    if case.answer["message"].startswith(' "" is invalid: patch'):
        # The message shows the whole patched object, whose managedFields are not in the recordings.
        assert status["message"][-60:] == case.answer["message"][-60:]
        return
    assert _unnumbered(status) == _unnumbered(case.answer)


def _unnumbered(status: Object) -> str:
    # A source of the pods' token volume was taken out of the recordings: lines below it have other numbers there.
    text = json.dumps(status, sort_keys=True)
    if (status.get("details") or {}).get("kind") == "Pod":
        text = re.sub(r"@@ -\d+,(\d+) \+\d+,(\d+) @@", r"@@ \1 \2 @@", text)
    return text
