"""The processes of the demo: started in sessions of their own, watched, and ended to the last one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tools.demo.options import ROOT, DemoError

MARK = "PLAN_REDUCE_REPEAT_DEMO"
"""Every process carries this variable, with the demo's directory; so even those of a killed demo are found."""
TIED = Path(__file__).with_name("tied.py")
MOST_RESTARTS = 3


@dataclass
class Process:
    """One long-running process and how to start it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    restartable: bool = True
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    restarts: int = 0

    def start(self) -> None:
        """Start it, tied to this process, output to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, str(TIED), str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd=ROOT,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """Exit status, None while it runs."""
        return self.popen.poll() if self.popen else None

    def tail(self, lines: int = 8) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Supervisor:
    """Starts, watches and ends the processes of one demo directory."""

    def __init__(self, home: Path, say: object = print) -> None:
        self.home = home
        self.say = say if callable(say) else print
        self.processes: list[Process] = []
        self.watchdog: subprocess.Popen[bytes] | None = None

    def guard(self) -> None:
        """Have what was started ended within seconds also when this process is killed with -9."""
        self.watchdog = subprocess.Popen(
            [sys.executable, "-m", "tools.demo.watchdog", str(self.home)],
            stdin=subprocess.PIPE,  # the kernel closes it whatever ends this process
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment({}),
            cwd=ROOT,
            start_new_session=True,
        )

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process: the little it needs of the user's, the mark, and ``extra``."""
        kept = ("PATH", "LANG", "LC_ALL", "TZ", "TERM", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        ours = (
            "PLAN_REDUCE_REPEAT_"  # where specs and configuration are read from, when not from the checkout
        )
        base = {name: value for name, value in os.environ.items() if name in kept or name.startswith(ours)}
        return {
            **base,
            MARK: str(self.home),
            "HOME": str(self.home / "home"),
            "TMPDIR": str(self.home / "tmp"),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **extra,
        }

    def start(
        self, name: str, command: Sequence[str], extra: Mapping[str, str], *, restartable: bool = True
    ) -> Process:
        """Start a process and keep an eye on it from now on."""
        process = Process(
            name, command, self.environment(extra), self.home / "logs" / f"{name}.log", restartable
        )
        process.start()
        self.processes.append(process)
        return process

    def run(self, name: str, command: Sequence[str], extra: Mapping[str, str]) -> None:
        """Run a command that ends by itself.

        Raises:
            DemoError: it failed; the text has the end of its output.
        """
        process = self.start(name, command, extra, restartable=False)
        while process.code is None:
            self.check(besides=process)
            time.sleep(0.05)
        self.processes.remove(process)
        if process.code:
            raise DemoError(f"{name} failed with status {process.code} ({process.log}):\n{process.tail(15)}")

    def check(self, *, besides: Process | None = None) -> None:
        """Start again what has ended; called again and again while the demo is up.

        Raises:
            DemoError: a process keeps ending, or cannot be started again.
        """
        for process in self.processes:
            if process is besides or process.code is None:
                continue
            if not process.restartable or process.restarts >= MOST_RESTARTS:
                raise DemoError(
                    f"{process.name} ended with status {process.code} ({process.log}):\n{process.tail()}"
                )
            process.restarts += 1
            self.say(f"{process.name} ended with status {process.code}, starting it again ({process.log})")
            process.start()

    def stop(self, names: Sequence[str] | None = None, seconds: float = 10.0) -> None:
        """End the named processes (default: all): TERM, ``seconds`` of patience, then KILL for whole sessions."""
        chosen = [process for process in self.processes if names is None or process.name in names]
        running = [process.popen for process in chosen if process.popen and process.code is None]
        for popen in running:
            popen.terminate()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(popen.poll() is None for popen in running):
            time.sleep(0.05)
        for process in chosen:
            if process.popen is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.popen.pid, signal.SIGKILL)
                process.popen.wait()
            self.processes.remove(process)

    def stop_all(self) -> None:
        """End everything: first Airflow, then the cluster, which gives its containers their grace."""
        self.stop([process.name for process in self.processes if process.name != "cluster"])
        self.stop(seconds=45.0)
        end_marked(self.home)  # the watchdog too
        if self.watchdog is not None:
            self.watchdog.communicate()


def marked(home: Path) -> list[psutil.Process]:
    """Processes that belong to the demo in ``home``, this one excepted."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
    return found


def end_marked(home: Path, seconds: float = 5.0) -> int:
    """End what a demo in ``home`` has left; returns how many processes that were."""
    left = marked(home)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=2)
    return len(left)
