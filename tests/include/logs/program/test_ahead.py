"""Inodes that a process reads ahead of the plan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.logs.program import ahead, walking
from include.logs.program.layout import Layout
from include.logs.program.walking import Walk, open_root
from tests.include.logs.program.planned import DELETED, Volume

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "SORTED", 8)
    monkeypatch.setattr(ahead, "FROM", 8)
    monkeypatch.setattr(ahead, "count", lambda workers: workers)  # as many cores as are wanted


@contextmanager
def _walk(root: Path) -> Iterator[Walk]:
    descriptor = open_root(str(root))
    try:
        yield Walk(Layout(str(root), "run"), descriptor)
    finally:
        os.close(descriptor)


def _tree(root: Path) -> Path:
    for directory in ("", "a", "a/in", "b", "c", "c/in/deep"):
        (root / directory).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (root / directory / f"{number}.log").touch()
    for within in (".log-cleanup", "b/.log-cleanup", "lost+found"):
        (root / within).mkdir()
    return root


def _see(walk: Walk, path: bytes, descriptor: int) -> None:
    """As the plan does it."""
    with os.scandir(descriptor) as listing:
        for entry in walk.entries(listing):
            if entry.is_dir(follow_symlinks=False):
                walk.later((path + b"/" if path else b"") + os.fsencode(entry.name))


@pytest.mark.parametrize("done", range(7))
def test_it_takes_the_directories_in_the_order_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    """Wherever in the walk it begins, late in a directory too: what is below it is found once."""
    opened: list[bytes] = []
    opening = walking.open_directory

    def noted(root: int, path: bytes) -> int:
        opened.append(path)
        return opening(root, path)

    monkeypatch.setattr(ahead, "open_directory", noted)
    with _walk(_tree(tmp_path)) as walk:
        rest: list[bytes] = []
        for number, (path, descriptor) in enumerate(walk):
            _see(walk, path, descriptor)
            if number == done:
                reader = ahead._Reader(walk, memoryview(bytearray(8)).cast("Q"), os.getppid())
                reader.run()
            if number >= done:
                rest.append(path)
    assert opened == rest
    assert reader._directories == walk.directories == 7


def test_it_waits_where_it_is_far_ahead_and_passes_over_what_the_plan_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WaitsError(Exception):
        pass

    def sleep(_seconds: float) -> None:
        raise WaitsError

    monkeypatch.setattr(ahead, "AHEAD", 30)
    monkeypatch.setattr(time, "sleep", sleep)
    with _walk(_tree(tmp_path)) as walk:
        next(iter(walk))
        plan = memoryview(bytearray(8)).cast("Q")
        reader = ahead._Reader(walk, plan, os.getppid())
        with pytest.raises(WaitsError):
            reader.run()
        assert 30 < reader._names <= 30 + 8
        plan[0] = 1 << 40
        reader._left = walk.rest()
        reader._directories = 0
        reader.run()
        assert reader._names <= 8, "nothing of it is ahead of the plan"


def test_a_name_that_the_plan_has_come_to_is_not_read(tmp_path: Path) -> None:
    class Name:
        name = "1.log"
        read = 0

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return follow_symlinks

        def stat(self, *, follow_symlinks: bool) -> None:
            assert not follow_symlinks
            self.read += 1
            plan[0] += 1  # meanwhile the plan goes on

    plan = memoryview(bytearray(8)).cast("Q")
    with _walk(tmp_path) as walk:
        next(iter(walk))
        names = [Name() for _ in range(5)]
        ahead._Reader(walk, plan, os.getppid())._batch(b"", names, 3)  # type: ignore[arg-type]
    assert [name.read for name in names] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("ends", ["alive", "killed", "no process to be had", "one worker"])
def test_the_plan_is_the_same_whatever_becomes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    volume = Volume(tmp_path / "logs")
    for number in range(60):
        volume.file(f"{number % 3}/{number}.log", days=8 + number)
    pids: list[int] = []
    fork = os.fork

    def forked() -> int:
        if ends == "no process to be had":
            raise BlockingIOError
        pid = fork()
        if pid:
            pids.append(pid)
            if ends == "killed":
                os.kill(pid, signal.SIGKILL)
        return pid

    monkeypatch.setattr(os, "fork", forked)
    answer = volume.plan(DELETED, workers=1 if ends == "one worker" else 2)
    assert answer["files"] == len(volume.entries()) == 60
    assert len(pids) == (ends in ("alive", "killed"))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_it_ends_with_a_plan_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from include.logs.program import ahead\n"
        "from tests.include.logs.program.test_ahead import _see, _walk, Path\n"
        "ahead.FROM, ahead.AHEAD, ahead.count = 8, 0, lambda workers: workers\n"
        "with _walk(Path(sys.argv[2])) as walk, ahead.ReadAhead(walk, 2) as reads:\n"
        "    for path, descriptor in walk:\n"
        "        _see(walk, path, descriptor)\n"
        "        print(reads._child, flush=True)\n"
        "        time.sleep(60)\n"
    )
    project = str(Path(__file__).parents[4])
    command = [sys.executable, "-c", code, project, str(_tree(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert pid > 0
        parent.kill()
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline, "it reads on"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
