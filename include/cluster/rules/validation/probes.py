"""Probes and lifecycle hooks."""

from __future__ import annotations

import re
from typing import Any

from include.cluster.rules import names
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER = r"[-A-Za-z0-9]+"


def check(errors: Errors, field: str, name: str, probe: Object | None, grace: int | None) -> None:
    """One probe; ``name`` is ``livenessProbe``, ``readinessProbe`` or ``startupProbe``."""
    if probe is None:
        return
    handler(errors, field, probe, grace)
    for number in _NUMBERS:
        errors.not_negative(f"{field}.{number}", probe.get(number))
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        errors.invalid(f"{field}.terminationGracePeriodSeconds", seconds, "must be greater than 0")
    if name == "readinessProbe":
        if seconds is not None:
            errors.invalid(
                f"{field}.terminationGracePeriodSeconds", seconds, "must not be set for readinessProbes"
            )
    elif probe.get("successThreshold", 1) != 1:
        errors.invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1")


def lifecycle(errors: Errors, field: str, hooks: Object | None, grace: int | None) -> None:
    """A container's hooks."""
    for name in ("postStart", "preStop"):
        if (hooks or {}).get(name) is not None:
            handler(errors, f"{field}.{name}", (hooks or {})[name], grace)


def handler(errors: Errors, field: str, found: Object, grace: int | None) -> None:
    """What a probe or hook does: exactly one thing."""
    present = [name for name in _HANDLERS if found.get(name) is not None]
    if not present:
        errors.required(field, "must specify a handler type")
        return
    for name in present[1:]:
        errors.forbidden(f"{field}.{name}", "may not specify more than 1 handler type")
    name, where = present[0], f"{field}.{present[0]}"
    action = found[name]
    if name == "exec":
        if not action.get("command"):
            errors.required(f"{where}.command")
    elif name == "httpGet":
        _http(errors, where, action)
    elif name == "tcpSocket":
        errors.port(f"{where}.port", action.get("port"))
    elif name == "grpc":
        errors.each(f"{where}.port", action.get("port", 0), names.port_number(action.get("port", 0)))
    else:
        seconds = action.get("seconds", 0)
        limit = 30 if grace is None else grace
        if not 0 <= seconds <= limit:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({limit})"
            errors.invalid(where, seconds, why)


def _http(errors: Errors, where: str, action: Object) -> None:
    if not action.get("path"):
        errors.required(f"{where}.path")
    errors.port(f"{where}.port", action.get("port"))
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        errors.unsupported(f"{where}.scheme", action.get("scheme") or "", ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or []:
        name = header.get("name") or ""
        if not re.fullmatch(_HEADER, name):
            why = (
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
                f"validation is '{_HEADER}')"
            )
            errors.invalid(f"{where}.httpHeaders", name, why)
