"""JSON patch and JSON merge patch, with the answers of Kubernetes to a patch that cannot be applied."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException

from include.cluster.errors import ApiError, Cause, bad_request, invalid
from include.cluster.rules.names import quoted
from include.cluster.rules.strategic import strategic_merge

__all__ = ["go_map", "json_patch", "merge_patch", "refused", "strategic_merge"]

Object = dict[str, Any]

_MOST_OPERATIONS = 10000
_GO_KINDS = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", type(None): "null"}


def json_patch(obj: Object, operations: Any) -> Object:
    """A copy of the object with a JSON patch (RFC 6902) applied.

    Raises:
        ApiError: 400 when it is no patch, 413 when it is too long, 422 when an operation fails.
    """
    if operations is None:
        return copy.deepcopy(obj)
    if not isinstance(operations, list):
        kind = _GO_KINDS.get(type(operations), "object")
        why = f"json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: {why}")
    for one in operations:
        if not isinstance(one, dict):
            kind = "array" if isinstance(one, list) else _GO_KINDS.get(type(one), "object")
            why = f"json: cannot unmarshal {kind} into Go value of type handlers.jsonPatchOp"
            raise bad_request(f"error decoding patch: {why}")
    if len(operations) > _MOST_OPERATIONS:
        message = (
            f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(operations)}"
        )
        raise ApiError(413, "RequestEntityTooLarge", message, {})
    try:
        result = copy.deepcopy(obj)
        for one in operations:
            result = jsonpatch.JsonPatch([_lenient(result, one)]).apply(result)
    except (
        jsonpatch.JsonPatchException,
        JsonPointerException,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ):
        # Kubernetes does not say which operation failed, nor why.
        text = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", text, {}) from None
    return _object(result)


def _lenient(obj: Any, operation: Object) -> Object:
    """The operation as Kubernetes takes it: a missing value is null, and a member that is not there may be replaced."""
    if operation.get("op") not in ("add", "replace"):
        return operation
    operation = {"value": None, **operation}
    if operation["op"] == "replace":
        parent, last = JsonPointer(operation.get("path") or "").to_last(obj)
        if isinstance(parent, dict) and last is not None and last not in parent:
            return {**operation, "op": "add"}
    return operation


def merge_patch(obj: Object, patch: Any) -> Object:
    """A copy of the object with a JSON merge patch (RFC 7386) applied.

    Raises:
        ApiError: 400 when the patch is no object.
    """
    if patch is None:
        raise bad_request("Invalid JSON Patch")
    if not isinstance(patch, dict):
        kind = "array" if isinstance(patch, list) else _GO_KINDS.get(type(patch), "object")
        why = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {why}")
    return _object(_merged(obj, patch))


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})
    return value


def refused(patched: Object, patch: Any, why: str) -> ApiError:
    """422: the patched object cannot be read as its kind, or has unknown fields under Strict.

    Args:
        patched: the object with the patch applied; shown for JSON and merge patches.
        patch: the patch itself when it is a strategic one, else None.
        why: what is wrong, without the words about the kind.
    """
    shown = go_map(patch) if patch is not None else quoted(patched)
    cause = Cause("FieldValueInvalid", f"Invalid value: {quoted(shown)}: {why}", "patch")
    return invalid("", "", "", [cause])


def go_map(value: Any) -> str:
    """A value as Go's ``%v`` prints it: ``map[a:1 b:[x y]]``."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_map(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)
