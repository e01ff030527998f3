"""Runs the demo as a process of its own, in a directory of the tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import yaml

from tools.demo.processes import end_marked, marked

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".test" / "e2e"


class Demo:
    """One demo: started, read, ended."""

    def __init__(self, home: Path = HOME) -> None:
        self.home = home / "demo"
        self.output = home / "output"
        self.config = home / "config"
        self.releases = home / "releases"
        self.popen: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "include" / "config", self.config, dirs_exist_ok=True)
        shutil.copytree(ROOT / "include" / "releases", self.releases, dirs_exist_ok=True)
        environments = yaml.safe_load((self.config / "environments.yaml").read_text())
        for each in environments["environments"]:
            each["documents"] = str((self.home / "documents").relative_to(ROOT))
        (self.config / "environments.yaml").write_text(yaml.safe_dump(environments, sort_keys=False))

    def start(self, **settings: str) -> None:
        """Start it; ``settings`` are make's variables."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment |= {
            "DEMO_DIR": str(self.home),
            "PLAN_REDUCE_REPEAT_CONFIG": str(self.config),
            "PLAN_REDUCE_REPEAT_RELEASES": str(self.releases),
            **settings,
        }
        environment.pop("MAKELEVEL", None)
        with self.output.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tools.demo"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    @property
    def base(self) -> str:
        """The UI's address."""
        found = re.search(r"Airflow is healthy: (http://127\.0\.0\.1:\d+)", self.text)
        assert found, self.text
        return found[1]

    def wait_for(self, text: str, seconds: float = 240.0) -> None:
        """Wait until it has printed ``text``."""
        self._until(lambda: text in self.text, seconds, text)

    def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        assert self.popen is not None
        while not condition():
            ended = self.popen.poll() is not None and not condition()
            assert not ended, f"the demo ended before {what!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what!r}\n{self.text}"
            time.sleep(0.2)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.popen is not None
        self.popen.send_signal(number)

    def status(self, seconds: float = 240.0) -> int:
        """Its exit status, once it has ended."""
        assert self.popen is not None
        return self.popen.wait(seconds)

    def left(self, seconds: float = 60.0) -> list[str]:
        """What is still running of it after ``seconds`` at the most."""
        deadline = time.monotonic() + seconds
        while (found := marked(self.home)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [" ".join(process.cmdline()) for process in found]

    def token(self, user: str) -> dict[str, str]:
        """A header with which ``user`` is logged in."""
        passwords = yaml.safe_load((self.home / "secrets.json").read_text())
        answer = requests.post(
            f"{self.base}/auth/token", json={"username": user, "password": passwords[user]}, timeout=30
        )
        answer.raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def get(self, path: str, user: str = "ro") -> Any:
        """What Airflow's API answers to ``user``."""
        answer = requests.get(f"{self.base}/api/v2{path}", headers=self.token(user), timeout=30)
        answer.raise_for_status()
        return answer.json()

    def add_release(self, source: str, name: str, words: dict[str, str]) -> None:
        """Write another release: a copy of ``source`` with its name, and words, replaced."""
        text = (self.releases / f"{source}.yaml").read_text()
        for old, new in {f"name: {source}": f"name: {name}", **words}.items():
            assert old in text, old
            text = text.replace(old, new)
        (self.releases / f"{name}.yaml").write_text(text)

    def trigger(self, user: str, release: str, environment: str) -> str:
        """Start a release as ``user``; returns the run's id."""
        conf = {"release": release, "environment": environment, "reason": "a test"}
        url = f"{self.base}/api/v2/dags/release/dagRuns"
        body = {"logical_date": None, "conf": conf}
        answer = requests.post(url, json=body, headers=self.token(user), timeout=30)
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def wait_for_state(self, run: str, task: str, state: str, seconds: float = 180.0) -> None:
        """Wait until a task of a run has a state."""
        path = f"/dags/release/dagRuns/{run}/taskInstances/{task}"
        self._until(lambda: self.get(path)["state"] == state, seconds, f"{run}: {task} {state}")

    def wait_for_end(self, run: str, seconds: float = 180.0) -> str:
        """The state of a run once it has ended."""
        path = f"/dags/release/dagRuns/{run}"
        self._until(lambda: self.get(path)["state"] in ("success", "failed"), seconds, f"{run} ends")
        return str(self.get(path)["state"])

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(90)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        end_marked(self.home)
