"""Make ``.venv`` from the pinned requirements, once; standard library only, Python 3.11 and later.

``.venv/complete.json`` is written last and says what was installed. Without it, or when it says something else
than the checkout asks for, the environment is made anew, so that an interrupted install never counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {"base": "requirements.txt", "dev": "requirements-dev.txt"}
NEEDED_BYTES = 1_500_000_000
"""590 MB for the environment, as much for pip's cache, and room for what it unpacks."""
PIP_SETTINGS = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_CONSTRAINT",
)
"""Settings of the user that would send the packages elsewhere or change the pins; mirrors and caches are kept."""


class SetupError(Exception):
    """The environment cannot be made; the text is the one line for the user."""


def wanted(level: str) -> dict[str, str]:
    """What ``complete.json`` must say for ``level``: place, Python version and a hash per requirements file."""
    names = ["base"] if level == "base" else ["base", "dev"]
    facts = {"root": str(ROOT), "python": ".".join(map(str, sys.version_info[:3]))}
    for name in names:
        facts[name] = hashlib.sha256((ROOT / LEVELS[name]).read_bytes()).hexdigest()
    return facts


def recorded(venv: Path) -> dict[str, str]:
    """What is installed, or {} when the environment is absent, half-built or its interpreter is gone."""
    try:
        facts = json.loads((venv / "complete.json").read_text())
        subprocess.run([venv / "bin/python", "-I", "-c", ""], capture_output=True, check=True)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    return facts if isinstance(facts, dict) else {}


def missing_levels(venv: Path, level: str) -> tuple[list[str], bool]:
    """The levels still to install, and whether the environment must be made anew for them."""
    have, want = recorded(venv), wanted(level)
    if any(have.get(key) != want[key] for key in ("root", "python", "base")):
        return [name for name in LEVELS if name in want], True
    return [name for name in LEVELS if name in want and have.get(name) != want[name]], False


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file, so that two makes at once do not build one environment twice."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another make is setting up .venv, waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def check_room(path: Path, needed: int) -> None:
    """Refuse early when the disk is too full to hold the environment."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise SetupError(
            f"not enough disk space: {path} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed;"
            " free some and run make again"
        )


class Progress:
    """One line that counts the packages; on a terminal it is rewritten, elsewhere it is printed now and then."""

    def __init__(self, total: int) -> None:
        self.total, self.seen, self.start = total, 0, time.monotonic()
        self.last = 0.0
        self.live = sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Take one line of pip's output."""
        words = text.split()
        if not words:
            return
        if words[0] == "Collecting" or text.startswith("Requirement already satisfied"):
            self.seen += 1
            self.show(f"packages found: {min(self.seen, self.total)} of {self.total}")
        elif text.startswith("Installing collected packages"):
            self.show("installing them (half a minute)", always=True)

    def show(self, text: str, *, always: bool = False) -> None:
        """Print the state, at most every 10 s when the output is no terminal."""
        now = time.monotonic()
        if not self.live and not always and now - self.last < 10:
            return
        self.last = now
        stamped = f"  {text}, {now - self.start:.0f} s"
        print(f"\r\x1b[K{stamped}" if self.live else stamped, end="" if self.live else "\n", flush=True)

    def end(self) -> None:
        """Leave the live line."""
        if self.live:
            print(flush=True)


def pip_failure(log: Path) -> str:
    """Say in one line why pip failed, from its log."""
    if shutil.disk_usage(log.parent).free < 50_000_000:
        return "the disk is full; free 1.5 GB and run make again"
    lines = log.read_text(errors="replace").splitlines()
    causes = [
        line for line in lines if "No space left" in line or "Errno" in line or line.startswith("ERROR:")
    ]
    if any("No space left" in line for line in causes):
        return "the disk is full; free 1.5 GB and run make again"
    retries = [line for line in lines if "Retrying" in line or "NewConnectionError" in line]
    if retries:
        return (
            f"the package index cannot be reached (network, proxy or mirror settings of pip?); all in {log}"
        )
    cause = causes[-1].removeprefix("ERROR: ") if causes else "no reason given"
    return f"pip: {cause[:300]}; all in {log}"


def install(venv: Path, levels: list[str]) -> None:
    """Install the pinned packages of ``levels`` with hashes, showing progress."""
    files = [ROOT / LEVELS[name] for name in levels]
    pins = {line.split("==")[0] for file in files for line in file.read_text().splitlines() if "==" in line}
    command: list[str | Path] = [venv / "bin/python", "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off", "--only-binary", ":all:", "--require-hashes"]
    for file in files:
        command += ["-r", file]
    environment = {key: value for key, value in os.environ.items() if key not in PIP_SETTINGS}
    environment["TMPDIR"] = str(venv / "tmp")
    (venv / "tmp").mkdir(exist_ok=True)
    log = ROOT / ".venv.log"
    progress = Progress(len(pins))
    with log.open("w") as record:
        pip = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
        )
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                record.write(line)
                progress.line(line)
        except BaseException:
            pip.terminate()
            raise
        finally:
            pip.stdout.close()
            pip.wait()
            progress.end()
    if pip.returncode:
        raise SetupError(f"the packages could not be installed: {pip_failure(log)}")
    shutil.rmtree(venv / "tmp", ignore_errors=True)
    log.unlink()


def build(venv: Path, level: str) -> bool:
    """Bring ``venv`` to ``level``; False when there was nothing to do."""
    levels, anew = missing_levels(venv, level)
    if not levels:
        return False
    version = ".".join(map(str, sys.version_info[:3]))
    if anew:
        if venv.exists() or venv.is_symlink():
            print(".venv is half-built or of other requirements: making it anew", flush=True)
            shutil.rmtree(venv) if not venv.is_symlink() else venv.unlink()
        check_room(ROOT, NEEDED_BYTES)
        print(f"making .venv with Python {version}: about a minute, once", flush=True)
        made = subprocess.run(
            [sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False
        )
        if made.returncode:
            detail = (made.stderr + made.stdout).strip().splitlines()
            raise SetupError(f"python -m venv failed: {detail[-1] if detail else 'no reason given'}")
    else:
        check_room(ROOT, NEEDED_BYTES // 5)
        print("adding what the checks need to .venv", flush=True)
    install(venv, levels)
    kept = {} if anew else recorded(venv)
    marker = venv / "complete.json"
    partial = marker.with_suffix(".part")
    partial.write_text(json.dumps({**kept, **wanted(level)}, indent=2) + "\n")
    partial.replace(marker)
    return True


def _stop(signum: int, _frame: object) -> None:
    raise KeyboardInterrupt(signum)


def main(arguments: list[str]) -> int:
    """Make the environment for ``arguments[0]`` (base or dev); 0, or 1 after one line that says why not."""
    level = arguments[0] if arguments else "base"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with exclusive(ROOT / ".venv.lock"):
            build(ROOT / ".venv", level)
    except KeyboardInterrupt:
        print("\ninterrupted: .venv is not complete, the next make starts it anew", file=sys.stderr)
        return 130
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: cannot make .venv: {error.strerror}{where}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
