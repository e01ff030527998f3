"""What goes of files that grow, and of classes that have a size: by watermarks, newest bytes first."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import history, punching, sifting, sizing
from include.logs.program.entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, DELETE
from include.logs.program.listing import listing
from include.logs.program.request import DAY
from tests.include.logs.program.planned import APP, DELETED, Volume

MIB = 1 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def test_bytes_of_a_growing_file_have_the_age_of_its_watermarks(volume: Volume) -> None:
    path = volume.file("app.log", content=b"1" * MIB)
    volume.noted("app.log", 9)
    with path.open("ab") as file:
        file.write(b"2" * MIB)
    volume.noted("app.log", 8)
    with path.open("ab") as file:
        file.write(b"3" * MIB)
    volume.noted("app.log", 6)
    facts = volume.plan()
    entry = volume.entries()["app.log"]
    assert (entry.action, entry.start, entry.end) == (ARCHIVE_PUNCH, 0, 2 * MIB)
    assert facts["freed"] == 2 * MIB


def test_a_file_that_was_emptied_since_has_no_aged_bytes(volume: Volume) -> None:
    path = volume.file("app.log", content=b"1" * 2 * MIB)
    volume.noted("app.log", 9)
    os.truncate(path, 0)
    with path.open("ab") as file:
        file.write(b"2" * MIB)
    volume.noted("app.log", 3)
    with path.open("ab") as file:
        file.write(b"2" * 4 * MIB)
    volume.plan()
    assert volume.actions() == {}


def test_a_file_that_was_emptied_and_grew_past_its_mark_is_told_by_its_bytes(volume: Volume) -> None:
    path = volume.file("app.log", content=b"1" * MIB)
    volume.noted("app.log", 9)
    os.truncate(path, 0)
    with path.open("ab") as file:
        file.write(b"2" * 4 * MIB)
    volume.plan()
    assert volume.actions() == {}


def test_a_held_growing_file_keeps_its_bytes(volume: Volume) -> None:
    volume.file("app.log", content=b"1" * MIB)
    volume.noted("app.log", 9)
    volume.plan(holds=[{"case": "1", "owner": "Legal", "globs": ["app.log"]}])
    assert volume.actions() == {}


def test_each_run_notes_how_far_growing_files_have_come(volume: Volume) -> None:
    volume.file("app.log", content=b"1" * 5000)
    volume.file("idle.log", days=5)
    volume.plan()
    marks = history.read(volume.request().layout.history).marks
    assert {path: [mark.size for mark in found] for path, found in marks.items()} == {b"app.log": [5000]}


def test_by_size_the_newest_bytes_stay(volume: Volume) -> None:
    for number in range(6):
        volume.file(f"app.log.{number}", days=number / 2, content=b"x" * 8192)
    facts = volume.plan({**APP, "keep_size": 3 * 8192})
    assert sorted(volume.actions()) == ["app.log.3", "app.log.4", "app.log.5"]
    assert facts["freed"] == 3 * 8192


def test_size_takes_what_was_written_since_the_run_was_asked_for(volume: Volume) -> None:
    path = volume.file("app.log", content=b"x" * 4 * MIB)
    with path.open("ab"):
        volume.plan({**APP, "keep_size": MIB}, as_of="2026-01-01T00:00:00+00:00")
    assert volume.entries()["app.log"].end == 3 * MIB


def test_size_takes_nothing_below_the_compliance_minimum(volume: Volume) -> None:
    volume.file("a.log", days=20, content=b"x" * 8192)
    volume.file("b.log", days=2, content=b"x" * 8192)
    facts = volume.plan({**DELETED, "keep_days": 90, "keep_size": 0, "minimum_days": 10})
    assert volume.actions() == {"a.log": DELETE}
    assert facts["left"]["minimum_days"]["examples"] == ["b.log"]


def test_of_an_open_file_the_newest_bytes_within_the_size_stay(volume: Volume) -> None:
    path = volume.file("app.log", content=b"x" * 4 * MIB)
    volume.file("app.log.1", days=1, content=b"x" * MIB)
    with path.open("ab"):
        volume.plan({**APP, "keep_size": MIB})
    found = volume.entries()
    assert (found["app.log"].action, found["app.log"].end) == (ARCHIVE_PUNCH, 3 * MIB)
    assert found["app.log.1"].action == ARCHIVE_DELETE


@pytest.mark.parametrize("asked", [5000, 0], ids=["looked at", "not looked at"])
@pytest.mark.parametrize("archive", [True, False])
def test_a_closed_file_with_a_part_within_the_size_stays_whole(
    volume: Volume, archive: bool, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sifting, "MOST_ASKED", asked)
    volume.file("app.log", days=3, content=b"x" * 12288)
    volume.file("app.log.1", days=4, content=b"x" * 8192)
    sized = {**APP, "archive": archive, "keep_size": 8192}
    facts = volume.plan(sized)
    assert list(volume.actions()) == ["app.log.1"]
    assert facts["left"]["within_size"]["examples"] == ["app.log"]
    assert "closed, and a part of them is within keep_size" in listing(facts)


def test_of_files_changed_at_one_moment_those_stay_that_have_a_part_within_the_size(volume: Volume) -> None:
    moment = time.time() - DAY
    for name in ("a.log", "b.log", "c.log"):
        path = volume.file(name, content=b"x" * 8192)
        os.utime(path, (moment, moment))
    volume.plan({**APP, "keep_size": 12288})
    assert len(volume.actions()) == 1


def test_what_was_written_since_the_walk_is_within_the_size(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old file that is opened again while the plan is made: what comes last is the newest there is."""
    closed = volume.file("closed.log", days=1, content=b"x" * MIB)
    opened = volume.file("opened.log", days=1, content=b"y" * MIB)
    cuts = sizing.cuts
    files = [opened.open("ab", buffering=0)]

    def written(*given: Any) -> Any:
        files[0].write(b"newest\n" * 10_000)
        with closed.open("ab") as file:
            file.write(b"newest\n")
        return cuts(*given)

    monkeypatch.setattr(sizing, "cuts", written)
    facts = volume.plan({**APP, "keep_size": 0})
    files[0].close()
    assert {path: entry.end for path, entry in volume.entries().items()} == {"opened.log": MIB}
    assert facts["left"]["changed"]["examples"] == ["closed.log"]


def test_what_was_punched_before_is_not_planned_again(volume: Volume) -> None:
    path = volume.file("app.log", content=b"1" * 2 * MIB)
    descriptor = os.open(path, os.O_RDWR)
    try:
        punching.punch(descriptor, 0, MIB)
    finally:
        os.close(descriptor)
    volume.age("app.log", 30)
    with path.open("ab"):
        facts = volume.plan()
    entry = volume.entries()["app.log"]
    assert (entry.start, entry.end) == (MIB, 2 * MIB)
    assert facts["freed"] == MIB
