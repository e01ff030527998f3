"""The recorded server-side applies, one after the other: objects, managedFields and conflicts."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from include.cluster.errors import ApiError
from include.cluster.rules import apply, defaults, patches, prepare
from tests.include.cluster.rules.recordings import Recorded, load, without

Object = dict[str, Any]

# Answered by the registry: what a name in the URL, a namespace or a version in the body mean.
_ELSEWHERE = (
    "name mismatch",
    "resourceVersion in body",
    "no fieldManager",
    "force on",
    "apply to absent",
    "body JSON",
)
_SERVER = ("resourceVersion", "uid", "creationTimestamp", "generation", "namespace")
_NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _body(case: Recorded) -> Object:
    body = case.body
    if isinstance(body, str):
        body = yaml.safe_load(body)
        # A bare y is a truth value to Kubernetes' YAML and becomes a key's name again.
        body["data"] = {"true" if key == "y" else key: value for key, value in body["data"].items()}
    return body


def _time(case: Recorded) -> datetime:
    entries = (case.answer.get("metadata") or {}).get("managedFields") or []
    times = [
        entry["time"]
        for entry in entries
        if entry["manager"] == case.query.get("fieldManager") and "time" in entry
    ]
    return datetime.fromisoformat(times[0]) if times else _NOON


def _steps() -> list[tuple[Recorded, Object | None]]:
    """Each apply and update with the object as it was before."""
    found: list[tuple[Recorded, Object | None]] = []
    live: dict[str, Object] = {}
    for case in load("server-side-apply"):
        if not case.resource or case.note.startswith(_ELSEWHERE):
            continue
        key = "/".join(case.target[:2])
        if case.method in ("PATCH", "PUT") and len(case.target) == 2:
            found.append((case, live.get(key)))
        if case.target[2:] == ["scale"]:
            live[key] = _scaled(case, live[key])
        elif case.code < 300:
            live[key] = case.answer
    return found


def _scaled(case: Recorded, old: Object) -> Object:
    assert case.resource is not None
    new = patches.merge_patch(old, case.body)
    apply.track_update(case.resource, old, new, case.query["fieldManager"], "scale", _NOON)
    return new


@pytest.mark.parametrize(
    ("case", "live"),
    [step for step in _steps() if "apply" in step[0].content_type],
    ids=lambda value: getattr(value, "id", ""),
)
def test_an_apply_is_answered_as_recorded(case: Recorded, live: Object | None) -> None:
    assert case.resource is not None
    force, manager = case.query.get("force") == "true", case.query["fieldManager"]
    if case.code >= 300:
        with pytest.raises(ApiError) as refusal:
            apply.apply(case.resource, live, _body(case), manager, force, _time(case))
        assert refusal.value.status() == case.answer
        return
    result = apply.apply(case.resource, live, _body(case), manager, force, _time(case))
    # Controllers wrote status and revision between the requests.
    ignored = {"status"} if case.resource.plural == "deployments" else set()
    found, wanted = (
        {key: value for key, value in without(obj, *_SERVER, "annotations").items() if key not in ignored}
        for obj in (result, case.answer)
    )
    for obj in (found, wanted):
        _forget_controllers(obj)
    assert found == wanted


def _forget_controllers(obj: Object) -> None:
    fields = copy.deepcopy(obj["metadata"].get("managedFields") or [])
    for entry in fields:
        if entry["manager"] == "kube-controller-manager":
            entry.pop("fieldsV1")
    obj["metadata"]["managedFields"] = fields


@pytest.mark.parametrize(
    ("case", "live"),
    [step for step in _steps() if "apply" not in step[0].content_type],
    ids=lambda value: getattr(value, "id", ""),
)
def test_an_update_leaves_the_recorded_managers(case: Recorded, live: Object | None) -> None:
    assert case.resource is not None
    assert live is not None
    new = patches.merge_patch(live, case.body) if case.method == "PATCH" else copy.deepcopy(case.body)
    new["metadata"].setdefault("namespace", "golden")
    defaults.apply_defaults(case.resource, new)
    prepare.convert(case.resource, new)
    prepare.prepare_update(case.resource, new, live)
    manager = (
        case.query.get("fieldManager") or case.request["headers"].get("User-Agent", "unknown").split("/")[0]
    )
    apply.track_update(case.resource, live, new, manager, "", datetime(2026, 11, 21, 1, 33, 47, tzinfo=UTC))
    assert new["metadata"].get("managedFields") == case.answer["metadata"].get("managedFields")


def test_applying_the_same_again_changes_nothing_but_the_clock() -> None:
    case, live = next(step for step in _steps() if step[0].note.startswith("Deployment applied again"))
    assert case.resource is not None
    assert apply.apply(case.resource, live, _body(case), "alpha", False, _NOON) == live


def test_the_scale_of_another_manager_is_noted_without_a_time() -> None:
    scaled = next(
        live for case, live in _steps() if live and case.note.startswith("apply again with replicas 1")
    )
    entry = next(one for one in scaled["metadata"]["managedFields"] if one["manager"] == "hpa")
    assert entry == {
        "manager": "hpa",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        "subresource": "scale",
    }
