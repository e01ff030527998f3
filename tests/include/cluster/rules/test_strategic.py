from __future__ import annotations

from typing import Any

import pytest

from include.cluster.errors import ApiError
from include.cluster.resources import RESOURCES
from include.cluster.rules.strategic import strategic_merge

_PODS, _DEPLOYMENTS = RESOURCES["pods"], RESOURCES["deployments"]


def _merge(spec: dict[str, Any], patch: dict[str, Any]) -> Any:
    return strategic_merge(_PODS, {"spec": spec}, {"spec": patch})["spec"]


def test_volumes_are_merged_by_name_and_retain_keys_changes_their_kind() -> None:
    live = {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]}
    patch = {"volumes": [{"name": "a", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}
    assert _merge(live, patch)["volumes"] == [
        {"name": "a", "configMap": {"name": "c"}},
        {"name": "b", "emptyDir": {}},
    ]


def test_retain_keys_that_miss_a_key_of_the_patch_are_refused() -> None:
    with pytest.raises(ApiError, match="retainKeys list doesn't contain"):
        _merge({"volumes": []}, {"volumes": [{"name": "a", "$retainKeys": ["name"], "emptyDir": {}}]})


def test_a_strategy_is_changed_with_retain_keys() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(_DEPLOYMENTS, live, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_plain_values_are_added_and_deleted_one_by_one() -> None:
    live = {"metadata": {"finalizers": ["a/x", "b/x"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"], "finalizers": ["c/x"]}}
    assert strategic_merge(_PODS, live, patch)["metadata"] == {"finalizers": ["b/x", "c/x"]}


def test_a_struct_is_replaced_or_deleted_as_a_whole() -> None:
    live = {"securityContext": {"runAsUser": 1, "runAsNonRoot": True}, "hostname": "h"}
    assert _merge(live, {"securityContext": {"$patch": "replace", "runAsUser": 2}})["securityContext"] == {
        "runAsUser": 2
    }
    assert _merge(live, {"securityContext": {"$patch": "delete"}}) == {"hostname": "h"}
    assert _merge(live, {"hostname": None}) == {"securityContext": live["securityContext"]}


def test_an_entry_without_the_key_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        _merge({"containers": []}, {"containers": [{"image": "x"}]})
    assert refusal.value.message == "map: map[image:x] does not contain declared merge key: name"


def test_the_live_object_is_left_as_it_was() -> None:
    live = {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}}
    strategic_merge(
        _PODS, live, {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "2"}]}]}}
    )
    assert live == {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}}
