"""Tasks that a few processes share."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from include.logs.program.problems import NO_SPACE, StepError
from include.logs.program.workers import share

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def test_each_task_is_done_once_by_several_processes() -> None:
    found = dict(share(50, lambda task: {"square": task * task, "pid": os.getpid()}, 3))
    assert {task: answer["square"] for task, answer in found.items()} == {
        task: task * task for task in range(50)
    }
    assert os.getpid() not in {answer["pid"] for answer in found.values()}


def test_one_worker_needs_no_process() -> None:
    assert dict(share(2, lambda task: {"pid": os.getpid()}, 1)) == {n: {"pid": os.getpid()} for n in (0, 1)}
    assert list(share(0, lambda task: {}, 3)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_arrive_as_what_they_were(workers: int) -> None:
    def full(_task: int) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, "No space left on device")

    def refused(_task: int) -> dict[str, Any]:
        raise StepError("refused", NO_SPACE, {"free": 1})

    with pytest.raises(OSError, match="No space") as raised:
        list(share(4, full, workers))
    assert raised.value.errno == errno.ENOSPC
    with pytest.raises(StepError, match="refused") as told:
        list(share(4, refused, workers))
    assert (told.value.code, told.value.facts) == (NO_SPACE, {"free": 1})


def test_a_mistake_arrives_with_its_place() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(share(4, lambda task: {"x": 1 // 0}, 2))


def test_a_process_that_is_killed_fails_the_step() -> None:
    def work(task: int) -> dict[str, Any]:
        if task == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(RuntimeError, match="ended early"):
        list(share(4, work, 2))


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); from include.logs.program.workers import share\n"
        "def work(task):\n"
        "    open(os.path.join(sys.argv[2], str(os.getpid())), 'w').close(); time.sleep(0.2); return {}\n"
        "list(share(1000, work, 2))"
    )
    project = str(Path(__file__).parents[4])
    with subprocess.Popen([sys.executable, "-c", code, project, str(tmp_path)]) as parent:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.02)
        parent.kill()
    pids = [int(path.name) for path in tmp_path.iterdir()]
    deadline = time.monotonic() + 20
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline, "they work on"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
