"""A volume that is cleaned up by the program as it is shipped: a package of its own, in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import include.logs.program as program
from include.logs.program.__main__ import main

DAY = 86400
WITHOUT_RIGHTS = [] if os.getuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@dataclass
class Answer:
    """What a step said."""

    code: int
    text: str
    facts: dict[str, Any]


@dataclass
class Volume:
    """A root, its request, and the steps."""

    base: Path
    classes: list[dict[str, Any]] = field(
        default_factory=lambda: [{"name": "app", "globs": ["**"], "keep_days": 7}]
    )
    holds: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    run: str = "run-1"
    plain_user: bool = False
    """Whether the steps run with an ordinary user's rights, even where the tests are root's."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        packages = self.base / "program"
        packages.mkdir(exist_ok=True)
        if not (packages / "logcleanup").exists():
            (packages / "logcleanup").symlink_to(Path(program.__path__[0]))

    @property
    def root(self) -> Path:
        return self.base / "root"

    @property
    def state(self) -> Path:
        return self.root / ".log-cleanup"

    @property
    def archives(self) -> list[Path]:
        return sorted(path for path in (self.state / "archives").rglob("*") if path.is_file())

    @property
    def manifests(self) -> list[Path]:
        return sorted(path for path in (self.state / "manifests").rglob("*") if path.is_file())

    def request(self, **more: Any) -> dict[str, Any]:
        run = {"name": f"log_cleanup/{self.run}", "slug": self.run, "take_over": more.pop("take_over", "")}
        return {
            "volume": "logs",
            "root": str(self.root),
            "run": run,
            "classes": self.classes,
            "holds": self.holds,
            **self.more,
            **more,
        }

    def write(self, name: str | bytes, data: bytes, days: float = 30) -> Path:
        """A file of a given age."""
        path = self.root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.age(path, days)
        return path

    def age(self, path: Path, days: float) -> None:
        moment = time.time() - days * DAY
        os.utime(path, (moment, moment))

    def command(self, command: str, **more: Any) -> list[str]:
        place = self.base / f"request-{self.run}-{command}.json"
        place.write_text(json.dumps(self.request(**more)))
        return [sys.executable, "-m", "logcleanup", command, "--request", str(place)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.base / "program"), "PYTHONDONTWRITEBYTECODE": "1"}

    def step(self, command: str, expect: int | None = 0, **more: Any) -> Answer:
        """Run a step in a process of its own and read its answer."""
        code, text = (self._shipped if self.plain_user else self._forked)(self.command(command, **more))
        last = text.strip().splitlines()[-1]
        assert last.startswith("SUMMARY "), text
        answer = Answer(code, text, json.loads(last[len("SUMMARY ") :]))
        assert expect is None or answer.code == expect, answer.text
        return answer

    def _shipped(self, command: list[str]) -> tuple[int, str]:
        ended = subprocess.run(
            [*WITHOUT_RIGHTS, *command],
            env=self.environment,
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout

    def _forked(self, command: list[str]) -> tuple[int, str]:
        """The same without the start of Python, which is most of what a small step takes."""
        output = self.base / "output"
        with output.open("w+") as file:
            pid = os.fork()
            if not pid:
                code = 70
                try:
                    with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                        code = main(command[3:])
                        file.flush()
                finally:
                    os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, output.read_text()

    def clean(self, **more: Any) -> Answer:
        """Everything; the answer is that of ``delete``."""
        for command in ("plan", "archive", "verify"):
            self.step(command, **more)
        return self.step("delete", **more)

    def next_run(self, run: str) -> None:
        """Let the run go, and begin another."""
        self.step("release")
        self.run = run

    def live(self) -> list[str]:
        """The files that are there, the clean-up's own left out."""
        found = []
        for path in self.root.rglob("*"):
            name = str(path.relative_to(self.root))
            if not name.startswith(".log-cleanup") and (path.is_symlink() or not path.is_dir()):
                found.append(name)
        return sorted(found)
