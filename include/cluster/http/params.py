"""Query parameters and delete options, checked as Kubernetes checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.cluster.errors import ApiError, Cause, bad_request, invalid
from include.cluster.http.bodies import unsupported
from include.cluster.http.info import is_true
from include.cluster.http.negotiation import AVAILABLE, JSON, YAML
from include.cluster.registry import DeleteOptions, WriteOptions

Object = dict[str, Any]
_META = "meta.k8s.io"
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MATCHES = ("Exact", "NotOlderThan")
_DELETE_TYPES = {
    "gracePeriodSeconds": int,
    "preconditions": dict,
    "propagationPolicy": str,
    "orphanDependents": bool,
    "dryRun": list,
}
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class ListOptions:
    """Options of a list or watch. ``revision`` is None when the client names no resourceVersion."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    revision: int | None = None
    match: str = ""
    bookmarks: bool = False
    initial: bool | None = None
    timeout: int = 0


def list_options(query: Mapping[str, str], watch: bool) -> ListOptions:
    """Reads the options of a list or watch.

    Raises:
        ApiError: 400, 422 or (a watch's unreadable resourceVersion) 500, as Kubernetes answers.
    """
    limit = number(query, "limit")
    timeout = number(query, "timeoutSeconds")
    token, match = query.get("continue", ""), query.get("resourceVersionMatch", "")
    text = query.get("resourceVersion", "")
    initial = is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None
    causes = (
        _watch_causes(text, match, initial, token) if watch else _list_causes(text, match, initial, token)
    )
    if causes:
        raise invalid("ListOptions", _META, "", causes)
    if token and text not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(limit, 0),
        token=token,
        revision=_revision(text, watch),
        match=match,
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        initial=initial,
        timeout=timeout,
    )


def _revision(text: str, watch: bool) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    if watch:
        raise ApiError(500, "", why)
    raise bad_request(f"invalid resource version: {why}")


def _list_causes(text: str, match: str, initial: bool | None, token: str) -> list[Cause]:
    causes = []
    if match:
        if not text:
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                )
            )
        if token:
            causes.append(
                _forbidden(
                    "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"
                )
            )
        if match not in _MATCHES:
            causes.append(
                _unsupported("resourceVersionMatch", f'"{match}"', ('"Exact"', '"NotOlderThan"', '""'))
            )
        if match == "Exact" and text == "0":
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
                )
            )
    if initial is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(_text: str, match: str, initial: bool | None, token: str) -> list[Cause]:
    causes = []
    if initial is not None:
        if match != "NotOlderThan":
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                )
            )
        if token:
            causes.append(_forbidden("continue", "continue is forbidden when sendInitialEvents is provided"))
    elif match:
        causes.append(
            _forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        )
    return causes


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number of the query; 0 when absent.

    Raises:
        ApiError: 400, in the words of Go's parser.
    """
    text = query.get(name, "")
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def write_options(query: Any, kind: str, user_agent: str, *, apply: bool = False) -> WriteOptions:
    """Options of a create, update or patch.

    Args:
        query: the query, with ``getall``.
        kind: CreateOptions, UpdateOptions or PatchOptions.
        user_agent: its first word is the manager when none is named.
        apply: a server-side apply, which needs a manager and may force.

    Raises:
        ApiError: 422 with the options' own kind.
    """
    causes = []
    dry = list(query.getall("dryRun", ()))
    if any(value != "All" for value in dry):
        causes.append(_dry_run(dry))
    validation = query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        causes.append(
            _unsupported("fieldValidation", f'"{validation}"', tuple(f'"{one}"' for one in _VALIDATIONS))
        )
    manager, force = query.get("fieldManager", ""), query.get("force")
    if apply and not manager:
        causes.append(
            Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        )
    if kind == "PatchOptions" and not apply and force is not None:
        causes.append(_forbidden("force", "may not be specified for non-apply patch"))
    if len(manager) > 128:
        causes.append(Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"))
    if causes:
        raise invalid(kind, _META, "", causes)
    return WriteOptions(
        manager=manager or _manager(user_agent),
        dry_run=bool(dry),
        field_validation=validation,
        force=is_true(force),
    )


def _manager(user_agent: str) -> str:
    """The first word of a User-Agent, up to the slash: ``kubectl/v1.32 (linux)`` gives ``kubectl``."""
    return (user_agent.split("/")[0] or "unknown")[:128]


def delete_options(query: Any, body: bytes, media: str) -> DeleteOptions:
    """Options of a delete, from its body or else from the query.

    Raises:
        ApiError: 400, 415 or 422.
    """
    if body.strip():
        if media not in (JSON, YAML):
            raise unsupported(AVAILABLE)
        given = _parsed(body)
    else:
        given = _given(query)
    policy, orphan = given.get("propagationPolicy") or "", given.get("orphanDependents")
    dry = given.get("dryRun") or []
    causes = _delete_causes(policy, orphan, dry)
    if causes:
        raise invalid("DeleteOptions", _META, "", causes)
    if orphan is not None and not policy:
        policy = "Orphan" if orphan else "Background"
    conditions = given.get("preconditions") or {}
    return DeleteOptions(
        propagation=policy,
        grace=given.get("gracePeriodSeconds"),
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        dry_run=bool(dry),
    )


def _delete_causes(policy: str, orphan: bool | None, dry: list[str]) -> list[Cause]:
    causes = []
    if policy and orphan is not None:
        both = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(Cause("FieldValueInvalid", f'Invalid value: "{policy}": {both}', "propagationPolicy"))
    if policy and policy not in _POLICIES:
        known = ('"Foreground"', '"Background"', '"Orphan"', "null")
        causes.append(_unsupported("propagationPolicy", f'"{policy}"', known))
    if any(value != "All" for value in dry):
        causes.append(_dry_run(dry))
    return causes


def _given(query: Any) -> Object:
    """Delete options as the query names them."""
    given: Object = {}
    if "propagationPolicy" in query:
        given["propagationPolicy"] = query["propagationPolicy"]
    if "dryRun" in query:
        given["dryRun"] = query.getall("dryRun")
    if "gracePeriodSeconds" in query:
        given["gracePeriodSeconds"] = number(query, "gracePeriodSeconds")
    if "orphanDependents" in query:
        given["orphanDependents"] = is_true(query["orphanDependents"])
    return given


def _parsed(body: bytes) -> Object:
    try:
        given = json.loads(body)
    except ValueError:
        raise bad_request("couldn't get version/kind; json parse error: the body is not JSON") from None
    if not isinstance(given, dict):
        raise bad_request("json: cannot unmarshal the body into Go value of type v1.DeleteOptions")
    for name, kind in _DELETE_TYPES.items():
        if given.get(name) is not None and type(given[name]) is not kind:
            raise bad_request(f"json: cannot unmarshal the body into Go struct field DeleteOptions.{name}")
    return given


def _dry_run(values: list[str]) -> Cause:
    shown = json.dumps(values, separators=(",", ":"))
    return _unsupported("dryRun", shown, ('"All"',))


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, supported: tuple[str, ...]) -> Cause:
    text = f"Unsupported value: {value}: supported values: {', '.join(supported)}"
    return Cause("FieldValueNotSupported", text, field)
