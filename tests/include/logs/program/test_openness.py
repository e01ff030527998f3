"""Whether a file is open, told by a lease."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.logs.program import openness
from include.logs.program.openness import CLOSED, READ, UNKNOWN, WRITTEN


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n")
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


def test_nobody_else_has_it_open(descriptor: int) -> None:
    assert openness.state(descriptor) == CLOSED


def test_somebody_reads_it(descriptor: int, tmp_path: Path) -> None:
    with (tmp_path / "a.log").open("rb"):
        assert openness.state(descriptor) == READ
    assert openness.state(descriptor) == CLOSED


def test_somebody_writes_to_it_in_another_process(descriptor: int, tmp_path: Path) -> None:
    code = "import sys; log = open(sys.argv[1], 'ab'); print('open', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(tmp_path / "a.log")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert openness.state(descriptor) == WRITTEN
        found = os.fstat(descriptor)
        (names,) = openness.holders([(found.st_dev, found.st_ino)]).values()
        assert names[0].endswith(f"({writer.pid})")
    assert openness.state(descriptor) == CLOSED


def test_asking_leaves_no_lease_behind(descriptor: int, tmp_path: Path) -> None:
    openness.state(descriptor)
    begun = time.monotonic()
    with (tmp_path / "a.log").open("ab"):
        assert time.monotonic() - begun < 1


def test_a_kept_lease_ends_with_the_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n")
    first = os.open(path, os.O_RDONLY)
    assert openness.state(first, keep=True) == CLOSED
    os.close(first)
    second = os.open(path, os.O_RDONLY)
    assert openness.state(second) == CLOSED
    os.close(second)


def test_somebody_else_s_file_is_unknown(tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root, to give a file away")
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n")
    path.chmod(0o644)
    os.chown(path, 65534, 65534)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from include.logs.program import openness;"
        "print(openness.state(os.open(sys.argv[1], os.O_RDONLY)))"
    )
    project = str(Path(openness.__file__).parents[3])
    arguments = [
        "setpriv",
        "--bounding-set=-all",
        "--inh-caps=-all",
        sys.executable,
        "-c",
        code,
        str(path),
        project,
    ]
    assert subprocess.check_output(arguments, text=True).strip() == UNKNOWN


@pytest.mark.parametrize(
    ("state", "age", "expected"),
    [
        (CLOSED, 0, False),
        (READ, 10**6, True),
        (WRITTEN, 10**6, True),
        (UNKNOWN, 99, True),
        (UNKNOWN, 101, False),
    ],
)
def test_what_counts_as_open(state: str, age: float, expected: bool) -> None:
    assert openness.is_open(state, 10**9, 10**9 + age, recent_s=100) is expected


def test_a_lease_says_nothing_of_other_nodes() -> None:
    assert [openness.seen_by_one_node(kind) for kind in ("ext4", "xfs", "overlay", "tmpfs")] == [True] * 4
    assert [openness.seen_by_one_node(kind) for kind in ("nfs4", "ceph", "fuse.glusterfs")] == [False] * 3


def test_the_file_system_of_a_path(tmp_path: Path) -> None:
    found = subprocess.check_output(["stat", "-f", "-c", "%T", str(tmp_path)], text=True).strip()
    assert openness.file_system(str(tmp_path))[:3] == found[:3]
    assert openness.file_system("/proc") == "proc"
