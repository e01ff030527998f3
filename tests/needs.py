"""Tools that a test needs beside Python: without one it is skipped, and in continuous integration it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

PLACES = {"postgres": "/usr/lib/postgresql/*/bin/postgres"}
"""Where Debian keeps a program that it does not put on PATH."""


def needed_tool(name: str) -> str:
    """The path of a program; skips the test (CI=true: fails it) when there is none."""
    found = shutil.which(name)
    if found is None and name in PLACES:
        found = next((str(path) for path in sorted(Path("/").glob(PLACES[name].lstrip("/")))), None)
    if found is None:
        missing(f"{name} is not installed (make deps)")
    return str(found)


def missing(reason: str) -> None:
    """Skip the test, or fail it in continuous integration."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true: {reason}")
    pytest.skip(reason)
