"""A run that ended between archiving and deleting: the next one deletes, and archives nothing twice."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from include.logs.program.manifests import Manifest
from tests.include.logs.program.cleaned import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def times_archived(volume: Volume) -> dict[str, int]:
    return dict(
        Counter(os.fsdecode(record.path) for path in volume.manifests for record in Manifest(str(path)))
    )


def test_what_an_earlier_run_archived_is_verified_again_and_deleted(volume: Volume) -> None:
    volume.write("a.log", b"first\n")
    volume.write("dir/b.log", b"second\n")
    volume.step("plan")
    volume.step("archive")
    volume.write("c.log", b"third\n")
    volume.next_run("run-2")
    volume.step("plan")
    assert volume.step("archive").facts["files"] == 1
    assert "not verified" in volume.step("delete", expect=1).text
    assert volume.step("verify").facts["archives"] == 2
    assert volume.step("delete").facts["deleted"] == 3
    assert volume.live() == []
    assert times_archived(volume) == {"a.log": 1, "dir/b.log": 1, "c.log": 1}


def test_a_file_that_was_open_is_archived_once_only(volume: Volume) -> None:
    path = volume.write("a.log", b"line\n")
    with path.open("rb"):
        volume.clean()
    assert volume.live() == ["a.log"]
    volume.next_run("run-2")
    assert volume.clean().facts["deleted"] == 1
    assert times_archived(volume) == {"a.log": 1}


def test_a_range_that_was_archived_and_not_punched_is_punched_by_the_next_run(volume: Volume) -> None:
    lines = b"".join(b"line %07d\n" % number for number in range(100_000))
    path = volume.write("app.log", lines)
    with path.open("ab", buffering=0) as log:
        volume.step("plan")
        volume.step("archive")
        log.write(b"one more\n")
        volume.age(path, 30)
        volume.next_run("run-2")
        assert volume.clean().facts["punched"] == 2
    assert times_archived(volume) == {"app.log": 2}
    volume.step("restore", restore={"globs": ["app.log"], "to": "back"})
    assert (volume.root / "back/app.log").read_bytes() + path.read_bytes().lstrip(
        b"\0"
    ) == lines + b"one more\n"


def test_what_changed_since_is_archived_as_it_is_now(volume: Volume) -> None:
    path = volume.write("a.log", b"first\n")
    volume.step("plan")
    volume.step("archive")
    path.write_bytes(b"first\nsecond\n")
    volume.age(path, 20)
    volume.next_run("run-2")
    assert volume.step("plan").code == 0
    assert volume.step("archive").facts["files"] == 1


def test_a_hold_wins_over_what_is_archived_already(volume: Volume) -> None:
    volume.write("a.log", b"first\n")
    volume.step("plan")
    volume.step("archive")
    volume.next_run("run-2")
    volume.holds = [{"case": "4711", "owner": "Legal", "globs": ["a.log"]}]
    assert volume.clean().facts["deleted"] == 0
    assert volume.live() == ["a.log"]


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(volume: Volume) -> None:
    volume.write("a.log", b"first\n")
    volume.step("plan")
    volume.step("archive")
    archive = volume.archives[0]
    half = archive.with_name(archive.name.replace("+0000.", "+0001."))
    for leftover in (half, Path(f"{half}.partial")):
        leftover.write_bytes(b"half")
    stranger = archive.with_name("logs+run-0+app+0000.tar.zst")
    stranger.write_bytes(b"of a run whose notes are gone")
    volume.next_run("run-2")
    volume.step("plan")
    volume.step("archive")
    assert volume.archives == sorted([archive, stranger])


def test_a_damaged_archive_of_an_earlier_run_is_not_counted_on(volume: Volume) -> None:
    volume.write("a.log", os.urandom(5000))
    volume.step("plan")
    volume.step("archive")
    data = bytearray(volume.archives[0].read_bytes())
    data[len(data) // 2] ^= 1
    volume.archives[0].write_bytes(data)
    volume.next_run("run-2")
    volume.step("plan")
    assert volume.step("archive").facts["files"] == 0
    assert volume.step("verify", expect=1).facts["damaged"]
    assert volume.live() == ["a.log"]
    assert volume.step("archive").facts["files"] == 1
    volume.step("verify")
    assert volume.step("delete").facts["deleted"] == 1
