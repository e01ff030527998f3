"""What goes of files that grow, and of classes that have a size: by watermarks, newest bytes first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.logs.program import history, punching
from include.logs.program.entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, DELETE
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
