"""PostgreSQL for tests: one server for a whole test session, reached by a socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.needs import needed_tool


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The socket directory, as a URL has it, of a PostgreSQL server that lives as long as the tests."""
    import psycopg

    binaries = Path(needed_tool("postgres")).parent
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # The server refuses to run as root.
    user = next((u for u in ("postgres", "nobody") if os.getuid() == 0 and _exists(u)), None)
    if user:
        shutil.chown(folder, user)
    options: dict[str, Any] = {
        "user": user,
        "cwd": folder,
        "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"},
    }
    init = ["initdb", "-D", str(folder / "data"), "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([binaries / init[0], *init[1:]], check=True, capture_output=True, timeout=60, **options)
    server = subprocess.Popen(
        [binaries / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )

    def answers() -> bool:
        try:
            psycopg.connect(f"postgresql://shop@/postgres?host={quote(str(folder))}").close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        deadline = time.monotonic() + 30
        while not answers():
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)
        yield quote(str(folder))
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
