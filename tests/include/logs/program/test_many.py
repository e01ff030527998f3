"""Memory: what a plan needs does not grow with the files, however many lie in one directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import __main__ as program
from include.logs.program.entries import Plan
from tests.include.logs.program.planned import APP, DELETED

MIB = 1 << 20
MOST = 100 * MIB
MEASURED = """
import runpy, sys
try:
    runpy.run_module("logcleanup", run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")).split()[1], file=sys.stderr)
"""
"""Runs the program and prints its highest memory in KiB: what wait4 has of a child counts its parent's until exec."""
SIZED = {**APP, "keep_days": 400, "keep_size": 0}


def _planned(base: Path, policy: dict[str, Any], run: str) -> tuple[int, int]:
    """Plan in a process of its own: its highest memory in bytes, and the entries of the plan."""
    package = base / "program" / "logcleanup"
    if not package.exists():
        shutil.copytree(Path(program.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    request = {
        "volume": "logs",
        "root": str(base / "logs"),
        "run": {"name": f"log_cleanup/{run}", "slug": run, "dry_run": True},
        "classes": [policy],
    }
    (base / "request.json").write_text(json.dumps(request))
    asked = ["plan", "--request", str(base / "request.json")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *asked],
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    plan = Plan(str(base / "logs" / ".log-cleanup" / "runs" / run / "plan"))
    return int(done.stderr.split()[-1]) * 1024, plan.totals()[1]


def _files(base: Path, first: int, count: int) -> None:
    """Small files, all in one directory, last changed in 2001."""
    folder = base / "logs" / "many"
    folder.mkdir(parents=True, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY)
    for number in range(first, count):
        name = f"application-{number:07d}.log.1"
        descriptor = os.open(name, os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=directory)
        os.write(descriptor, b"x")
        os.close(descriptor)
        os.utime(name, (1e9, 1e9 + number), dir_fd=directory)
    os.close(directory)


def test_four_times_the_files_need_no_more_memory(tmp_path: Path) -> None:
    _files(tmp_path, 0, 5000)
    few, entries = _planned(tmp_path, DELETED, "few")
    assert entries == 5000
    _files(tmp_path, 5000, 20000)
    many, entries = _planned(tmp_path, DELETED, "many")
    assert entries == 20000
    assert many - few < 2 * MIB


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_million_files_in_a_directory(tmp_path: Path) -> None:
    _files(tmp_path, 0, 1_000_000)
    for number, policy in enumerate((DELETED, SIZED)):
        memory, entries = _planned(tmp_path, policy, f"r{number}")
        assert entries == 1_000_000
        assert memory < MOST, f"{memory // MIB} MiB"
