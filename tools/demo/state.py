"""The demo's directory: the lock, a clean start, keys and passwords."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.demo.options import DemoError, Options
from tools.demo.processes import end_marked

USERS = ("admin", "oncall", "dev", "ro")
FRESH = ("airflow", "cluster", "documents", "records", "logs", "tmp", "home")
"""What a clean start removes; keys, passwords and the empty metadata database stay."""
NEEDED_BYTES = 400_000_000


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of this demo directory.

    Raises:
        DemoError: another demo holds it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle = (home / "lock").open("a+")
    except OSError as error:
        raise DemoError(f"cannot write to {home}: {error.strerror}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            who = handle.read().strip() or "unknown"
            raise DemoError(f"a demo of this checkout is already running ({who}); stop it first") from None
        handle.truncate(0)
        handle.write(f"pid {os.getpid()}")
        handle.flush()
        yield


def prepare(options: Options) -> int:
    """End what an interrupted demo left, then make the directories; returns how many processes were left.

    Raises:
        DemoError: the disk is too full.
    """
    left = end_marked(options.home)
    if not options.keep:
        for name in FRESH:
            _remove(options.home / name)
    free = shutil.disk_usage(options.home).free
    if free < NEEDED_BYTES:
        raise DemoError(
            f"not enough disk space: {options.home} has {free / 1e6:.0f} MB free, {NEEDED_BYTES / 1e6:.0f} MB are needed"
        )
    for name in FRESH:
        (options.home / name).mkdir(exist_ok=True)
        (options.home / name).chmod(0o700)  # Airflow's database, passwords and logs are for their owner only
    return left


def keep_temporary_files(options: Options) -> None:
    """Have this process write its temporary files (the Kubernetes client's certificates) in the demo's directory."""
    tempfile.tempdir = str(options.home / "tmp")


def _remove(path: Path) -> None:
    if not path.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        for directory, names, _ in os.walk(path):
            for name in (".", *names):  # containers may leave directories that only they could write to
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(directory, name), 0o700, follow_symlinks=True)  # noqa: PTH101, PTH118
        shutil.rmtree(path)


def keys(home: Path) -> dict[str, str]:
    """Keys and passwords of this installation: made once, readable by the user only, never in version control."""
    path = home / "secrets.json"
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        if isinstance(found, dict) and {"jwt", "fernet", "api", *USERS} <= found.keys():
            return found
    made = {name: secrets.token_urlsafe(9) for name in USERS}
    made["jwt"] = secrets.token_urlsafe(64)
    made["api"] = secrets.token_urlsafe(32)
    made["fernet"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    _write_private(path, json.dumps(made, indent=2))
    return made


def write_passwords(options: Options, made: dict[str, str]) -> Path:
    """The passwords file that Airflow's SimpleAuthManager reads."""
    path = options.airflow_home / "passwords.json"
    _write_private(path, json.dumps({name: made[name] for name in USERS}))
    return path


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    partial.replace(path)
