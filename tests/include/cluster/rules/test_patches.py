from __future__ import annotations

from typing import Any

import pytest

from include.cluster.errors import ApiError
from include.cluster.rules import patches


@pytest.mark.parametrize(
    ("operations", "code", "message"),
    [
        ({"a": 1}, 400, "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ([{"op": "test", "path": "/a", "value": 2}], 422, "the server rejected our request due to an error in our request"),
        ([{"op": "remove", "path": "/b"}], 422, "the server rejected our request due to an error in our request"),
        ([{"op": "jump", "path": "/a"}], 422, "the server rejected our request due to an error in our request"),
        ([{"op": "add"}], 422, "the server rejected our request due to an error in our request"),
        ([{"op": "add", "path": "a", "value": 1}], 422, "the server rejected our request due to an error in our request"),
        (["x"], 400, "error decoding patch: json: cannot unmarshal string into Go value of type handlers.jsonPatchOp"),
        ([{"op": "replace", "path": "", "value": 1}], 422, "the server rejected our request due to an error in our request"),
        ([{"op": "add", "path": "/a", "value": 1}] * 10001, 413, "The allowed maximum operations in a JSON patch is 10000, got 10001"),
    ],
)  # fmt: skip
def test_a_json_patch_that_cannot_be_applied(operations: Any, code: int, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        patches.json_patch({"a": 1}, operations)
    assert (refusal.value.code, refusal.value.message) == (code, message)


def test_patches_leave_the_object_as_it_was() -> None:
    live = {"a": {"b": [1]}}
    assert patches.json_patch(live, [{"op": "add", "path": "/a/b/-", "value": 2}]) == {"a": {"b": [1, 2]}}
    assert patches.merge_patch(live, {"a": {"b": None, "c": {"d": None}}}) == {"a": {"c": {}}}
    assert live == {"a": {"b": [1]}}


def test_a_json_patch_may_replace_what_is_not_there_yet() -> None:
    operations = [{"op": "replace", "path": "/a/c", "value": 2}, {"op": "add", "path": "/a/d"}]
    assert patches.json_patch({"a": {"b": 1}}, operations) == {"a": {"b": 1, "c": 2, "d": None}}


@pytest.mark.parametrize(
    ("patch", "text"),
    [([], "error decoding patch"), ("x", "error decoding patch"), (None, "Invalid JSON Patch")],
)
def test_a_merge_patch_is_an_object(patch: Any, text: str) -> None:
    with pytest.raises(ApiError, match=text):
        patches.merge_patch({}, patch)
