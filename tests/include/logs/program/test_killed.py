"""A clean-up or a restore that is killed at any point and run again: nothing lost, nothing archived twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def killed(tmp_path: Path, stride: int) -> int:
    """Kill at one in ``stride`` moments, or at one of each step (0). Returns how many that were."""
    seed = random.randrange(10**6)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.include.logs.program.killing", str(tmp_path), str(seed), str(stride)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["failures"] == [], f"seed {seed}: {found['failures'][0]}"
    return int(found["moments"])


def test_each_step_killed_at_some_change_and_run_again(tmp_path: Path) -> None:
    assert killed(tmp_path, stride=0) > 5


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_every_change_and_run_again(tmp_path: Path) -> None:
    assert killed(tmp_path, stride=1) > 400
