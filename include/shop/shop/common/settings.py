"""Reading settings from the environment, with errors that name the variable."""

from __future__ import annotations

import os
from typing import Optional


class SettingError(ValueError):
    """An environment variable has a value the program cannot work with."""


def text(name: str, default: str) -> str:
    """Return the variable's value, or the default when it is unset or empty."""
    return os.environ.get(name) or default


def number(name: str, default: float, *, least: float = 0) -> float:
    """Return the variable as a number of at least `least`.

    Raises:
        SettingError: when it is no number or too small.
    """
    value = os.environ.get(name) or ""
    if not value:
        return default
    try:
        found = float(value)
    except ValueError:
        raise SettingError(f"{name} is {value!r}: expected a number") from None
    if not found >= least:
        raise SettingError(f"{name} is {value}: expected at least {least:g}")
    return found


def whole(name: str, default: int, *, least: int = 0) -> int:
    """Return the variable as a whole number of at least `least`."""
    found = number(name, default, least=least)
    if found != int(found):
        raise SettingError(f"{name} is {found:g}: expected a whole number")
    return int(found)


def listen_host() -> str:
    """Return the address to listen on: BIND_HOST, else the pod's own address, else every address."""
    return text("BIND_HOST", text("POD_IP", "0.0.0.0"))  # noqa: S104 - in a container every address is the pod's


def service_url(setting: str, service: str, port: int) -> str:
    """Return where another service is found.

    Args:
        setting: variable that overrides the place, e.g. `SWYPE_URL`.
        service: name of the Kubernetes Service, e.g. `swype-service`.
        port: its port, used with the DNS name when the cluster gave no variables.
    """
    given: Optional[str] = os.environ.get(setting)
    if given:
        return given.rstrip("/")
    prefix = service.upper().replace("-", "_")
    host = os.environ.get(f"{prefix}_SERVICE_HOST", service)
    found_port = os.environ.get(f"{prefix}_SERVICE_PORT", str(port))
    return f"http://{host}:{found_port}"
