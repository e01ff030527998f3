"""A PostgreSQL server of a benchmark's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.demo.options import DemoError

USER = DATABASE = "airflow"
WITHIN = 60.0


def binaries() -> Path | None:
    """Where the server's programs are; None when it is not installed."""
    found = shutil.which("postgres")
    if found is None:
        found = next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))), None)
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def server(home: Path, *, durable: bool = False) -> Iterator[str]:
    """Start one in ``home``; yields the URL of an empty database. It is ended, and its files are removed.

    Args:
        home: an empty directory of its own.
        durable: wait for the disk at each commit, as a server that is relied upon does.

    Raises:
        DemoError: it is not installed, or does not start.
    """
    programs = binaries()
    if programs is None:
        raise DemoError("PostgreSQL is not installed (make deps)")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    # The server refuses to run as root.
    user = next((each for each in ("postgres", "nobody") if os.getuid() == 0 and _exists(each)), None)
    if user:
        shutil.chown(home, user)
    home.chmod(0o700)
    options: dict[str, Any] = {"user": user, "cwd": home, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
    init = [
        str(programs / "initdb"),
        "-D",
        str(home / "data"),
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    with (home / "log").open("wb") as log:
        made = subprocess.run(init, stdout=log, stderr=log, check=False, timeout=120, **options)
        if made.returncode:
            raise DemoError(f"initdb failed:\n{_tail(home)}")
        # Reached by a socket in a directory that only its user can enter; data are those of one measurement.
        command = [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-h", ""]
        command += [] if durable else ["-F"]
        command += ["-c", "max_connections=300", "-c", "shared_buffers=256MB"]
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
    try:
        _wait(programs, home, process, options)
        yield f"postgresql+psycopg2://{USER}@/{DATABASE}?host={quote(str(home))}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _wait(programs: Path, home: Path, process: subprocess.Popen[bytes], options: dict[str, Any]) -> None:
    make = [str(programs / "createdb"), "-h", str(home), "-U", USER, DATABASE]
    deadline = time.monotonic() + WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if subprocess.run(make, capture_output=True, check=False, timeout=60, **options).returncode == 0:
            return
        time.sleep(0.3)
    raise DemoError(f"PostgreSQL does not start:\n{_tail(home)}")


def _tail(home: Path) -> str:
    return "\n".join((home / "log").read_text(errors="replace").splitlines()[-8:])


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
