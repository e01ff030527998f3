"""The tools that are measured, each as the command somebody would run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import include.logs.program as program
from tools.bench_cleanup.memory import Peak, watched
from tools.demo.options import DemoError

OURS_DELETE, FIND, TMPREAPER = "clean-up: plan, delete, space, report", "find -delete", "tmpreaper"
OURS_ZSTD, EQUAL, BARE = (
    "clean-up: archive, verify, report",
    "tar | zstd -T2; zstd -t; sync",
    "tar | zstd -T2",
)
OURS_GZIP, GZIP = "the same with gzip", "tar | gzip"
OURS_WHOLE = "clean-up: plan, archive, verify, delete, space, report"
EQUAL_WHOLE = "tar | zstd -T2; zstd -t; sync; find -delete"
TAR, OUT = "tar -cf - -C {root} --exclude=.log-cleanup .", "{root}/.log-cleanup/baseline"
EQUAL_COMMAND = f"{TAR} | zstd -q -T2 -o {OUT} && zstd -q -t {OUT} && sync"
RUN = "bench"


@dataclass(frozen=True)
class Tool:
    """One that is measured. ``go`` does the work on a tree; ``check`` raises DemoError unless it was done.

    ``prepare`` is not measured.
    """

    name: str
    go: Callable[[Path], None]
    check: Callable[[Path], None]
    prepare: Callable[[Path], None] = lambda _root: None


class Program:
    """The clean-up's program, laid out and called as the Job does it."""

    def __init__(self, home: Path) -> None:
        self.package = home / "program"
        shutil.rmtree(self.package, ignore_errors=True)
        shutil.copytree(
            program.__path__[0], self.package / "logcleanup", ignore=shutil.ignore_patterns("__pycache__")
        )
        # The Job's ConfigMap is read-only and holds no byte code: nor does this one, unless Python is told otherwise.
        self.environment = {**os.environ, "PYTHONPATH": str(self.package), "PYTHONDONTWRITEBYTECODE": "1"}
        self.home = home

    def step(
        self, command: str, root: Path, archive: bool, compression: str, peaks: list[Peak] | None = None
    ) -> None:
        """One step, as a process of its own. Raises DemoError when it fails."""
        request = self.home / "request.json"
        request.write_text(json.dumps(asked(root, archive, compression)))
        arguments = [sys.executable, "-m", "logcleanup", command, "--request", str(request)]
        with (self.home / "step.log").open("w") as output:
            process = subprocess.Popen(
                arguments, env=self.environment, cwd="/", stdout=output, stderr=subprocess.STDOUT
            )
            if peaks is not None:
                peaks.append(watched(command, process))
            if process.wait():
                raise DemoError(f"{command}: {(self.home / 'step.log').read_text()[-2000:]}")

    def steps(
        self, commands: Sequence[str], archive: bool, compression: str = "auto"
    ) -> Callable[[Path], None]:
        """Several of them, one after the other."""

        def go(root: Path) -> None:
            for command in commands:
                self.step(command, root, archive, compression)

        return go


def asked(root: Path, archive: bool, compression: str) -> dict[str, Any]:
    """A request with a policy of several classes, and holds."""
    kinds = [("payments", "payments/**/*.log"), ("orders", "orders/**/*.log"), ("rotated", "**/*.log.[0-9]*")]
    more = {
        "keep_days": 14,
        "archive": archive,
        "archive_keep_days": 365 if archive else None,
        "minimum_days": 7,
    }
    return {
        "volume": "bench",
        "root": str(root),
        "run": {"name": f"log_cleanup/{RUN}", "slug": RUN},
        "classes": [
            *({"name": name, "globs": [glob], **more} for name, glob in kinds),
            {"name": "app", "globs": ["**/*.log"], **more},
        ],
        "holds": [
            {"case": "2026-17", "owner": "Legal", "globs": ["payments/2026-0[1-3]/**", "**/audit-*.log"]},
            {"case": "2026-21", "owner": "Compliance", "globs": ["customers/**/4711*"]},
        ],
        "compression": compression,
    }


def deleting(ours: Program, tmpreaper: str | None) -> list[Tool]:
    """Those that delete only."""
    tools = [
        Tool(OURS_DELETE, ours.steps(("plan", "delete", "space", "report"), archive=False), _is_empty),
        Tool(FIND, _command("find {root} -type f -delete"), _is_empty),
    ]
    if tmpreaper:
        tools.append(Tool(TMPREAPER, _command(tmpreaper + " --mtime --runtime=0 7d {root}"), _is_empty))
    return tools


def whole(ours: Program) -> list[Tool]:
    """Those that archive, read back and delete: all that the Job does between two looks at the space."""
    commands = ("plan", "archive", "verify", "delete", "space", "report")
    delete = "find {root} -type f -not -path '{root}/.log-cleanup/*' -delete"
    return [
        Tool(OURS_WHOLE, ours.steps(commands, archive=True, compression="zstd"), _is_empty),
        Tool(EQUAL_WHOLE, _command(f"{EQUAL_COMMAND} && {delete}"), _is_empty),
    ]


def archiving(ours: Program) -> list[Tool]:
    """Those that archive; the files stay in all of them, so that one tree does for all."""

    def program(name: str, compression: str) -> Tool:
        plan = ours.steps(("plan",), archive=True, compression=compression)
        return Tool(name, ours.steps(("archive", "verify", "report"), True, compression), _has_archives, plan)

    return [
        program(OURS_ZSTD, "zstd"),
        Tool(EQUAL, _command(EQUAL_COMMAND), _has_baseline),
        Tool(BARE, _command(f"{TAR} | zstd -q -T2 -o {OUT}"), _has_baseline),
        program(OURS_GZIP, "gzip"),
        Tool(GZIP, _command(f"{TAR} | gzip > {OUT}"), _has_baseline),
    ]


def measure(tool: Tool, root: Path) -> float:
    """Seconds that a tool takes on a tree. Raises DemoError when it fails, or has not done its work."""
    begun = time.monotonic()
    tool.go(root)
    taken = time.monotonic() - begun
    tool.check(root)
    return taken


def archive_bytes(root: Path) -> int:
    """What the archives on a tree take, their manifests included."""
    return sum(path.stat().st_size for path in (root / ".log-cleanup").rglob("*") if _is_archive(path))


def find_tmpreaper(home: Path) -> str | None:
    """The command, from the system or unpacked from Debian's package; None when there is none."""
    found = shutil.which("tmpreaper") or shutil.which("tmpreaper", path="/usr/sbin:/sbin")
    if found or shutil.which("apt-get") is None:
        return found
    unpacked = home / "tmpreaper"
    unpacked.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", "tmpreaper"], cwd=unpacked, capture_output=True, check=False)
    for package in unpacked.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    command = unpacked / "usr/sbin/tmpreaper"
    return str(command) if command.exists() else None


def _is_archive(path: Path) -> bool:
    return path.is_file() and (path.name.endswith((".zst", ".gz")) or path.name == "baseline")


def _command(text: str) -> Callable[[Path], None]:
    def go(root: Path) -> None:
        (root / ".log-cleanup").mkdir(exist_ok=True)
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text.format(root=root)],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise DemoError(f"{text}: {ended.stderr[-1000:]}")

    return go


def _files(root: Path) -> int:
    names = subprocess.check_output(
        ["find", root, "-path", root / ".log-cleanup", "-prune", "-o", "-type", "f", "-print"], text=True
    )
    return names.count("\n")


def _is_empty(root: Path) -> None:
    left = _files(root)
    if left:
        raise DemoError(f"{left} files are left in {root}")


def _has_archives(root: Path) -> None:
    answer = json.loads((root / ".log-cleanup/runs" / RUN / "verify.json").read_text())
    there = _files(root)
    if answer["files"] != there:
        raise DemoError(f"{answer['files']} files are archived and verified, of {there}")


def _has_baseline(root: Path) -> None:
    if not (root / ".log-cleanup/baseline").stat().st_size:
        raise DemoError("the archive is empty")
