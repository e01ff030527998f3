"""Which port the UI gets."""

from __future__ import annotations

import errno
import socket

from tools.demo.options import DemoError

USUAL = 8080
_reserved: list[socket.socket] = []
"""Held until the demo ends. Airflow listens only seconds after the choice: another demo must not choose the same."""


def _reserve(port: int) -> bool:
    """Whether no other demo on this machine has chosen the port; a name of the kernel's, not a file."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0plan-reduce-repeat-port-{port}")
    except OSError:
        mark.close()
        return False
    _reserved.append(mark)
    return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return _reserve(port)


def _any_free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose(asked: int | None) -> tuple[int, str]:
    """The port for the UI and, when it is not the usual one, a sentence that says why.

    Raises:
        DemoError: the user asked for a port that is taken.
    """
    if asked is not None:
        if not _is_free(asked):
            raise DemoError(f"port {asked} is taken or not allowed: choose another, or leave PORT= away")
        return asked, ""
    if _is_free(USUAL):
        return USUAL, ""
    port = next((number for number in range(USUAL + 1, USUAL + 20) if _is_free(number)), None) or _any_free()
    return port, f"port {USUAL} is taken, using {port} (make demo PORT=... to choose)"
