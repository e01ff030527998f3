"""Errors as the Kubernetes API reports them: an HTTP code, a reason and a Status object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """One entry of ``details.causes``: what is wrong with which field.

    ``reason`` is FieldValueInvalid, FieldValueRequired, FieldValueNotSupported, FieldValueDuplicate,
    FieldValueForbidden, FieldValueTooLong, FieldManagerConflict, ...; ``message`` is the text behind the field's name.
    """

    reason: str
    message: str
    field: str

    def text(self) -> str:
        """The cause as it stands in a Status message: ``spec.replicas: Invalid value: -1: must be ...``."""
        return f"{self.field}: {self.message}"


class ApiError(Exception):
    """An answer other than success. ``status()`` is the body that goes to the client."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Object | None = None,
        *,
        metadata: Object | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}

    def status(self) -> Object:
        """The error as a ``v1 Status`` object."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(name: str, group: str, kind: str) -> Object:
    details: Object = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: ``configmaps "x" not found``."""
    text = f'{_qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", text, _details(name, group, plural))


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409: the name is taken."""
    text = f'{_qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, _details(name, group, plural))


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """409: a precondition (resourceVersion, uid) does not hold."""
    text = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", text, _details(name, group, plural))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be read."""
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422: the object is read and refused; every cause at once.

    Equal texts are named once, as Kubernetes does.
    """
    texts = list(dict.fromkeys(cause.text() for cause in causes))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _details(name, group, kind)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", f'{_qualified(kind, group)} "{name}" is invalid: {joined}', details)


def forbidden(plural: str, group: str, name: str, why: str) -> ApiError:
    """403: the caller or the state of the namespace does not allow it."""
    quoted = f' "{name}"' if name else ""
    text = f"{_qualified(plural, group)}{quoted} is forbidden: {why}"
    return ApiError(403, "Forbidden", text, _details(name, group, plural))
