from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.logs.program.__main__ import step
from include.logs.program.entries import ARCHIVE_DELETE, EXPIRE_ARCHIVE
from include.logs.program.layout import Layout
from include.logs.program.listing import listing
from include.logs.program.manifests import ManifestWriter, Place, Record
from include.logs.program.request import DAY
from tests.include.logs.program.planned import APP, Volume

POLICY: dict[str, Any] = {**APP, "archive_keep_days": 100, "minimum_days": 90}
HOLD = [{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def _archived(
    volume: Volume, name: str, days: float, *paths: bytes, written: float = 0, whole: bool = True
) -> None:
    """An archive that was made so many days ago, of files last written ``written`` days ago."""
    place = Place(Layout(str(volume.root), "r0"), f"2026/01/{name}.tar.gz")
    for path in (place.archive, place.manifest):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(place.archive).write_bytes(b"x" * 5000)
    now = datetime.now(UTC)
    created = (now - timedelta(days=days)).isoformat(timespec="seconds")
    descriptor = os.open(place.manifest, os.O_WRONLY | os.O_CREAT, 0o640)
    writer = ManifestWriter(
        descriptor, {"archive": place.name, "class": "app", "volume": "logs", "run": "r0", "created": created}
    )
    mtime = int((now.timestamp() - (written or days + 7) * DAY) * 10**9)
    for path in paths or (b"a.log",):
        writer.add(
            Record(
                path=path, ino=2, size=3, mtime_ns=mtime, nlink=1, mode=0o640, action=ARCHIVE_DELETE,
                start=0, end=3, at=512, sha256="0" * 64,
            )
        )  # fmt: skip
    if whole:
        writer.finish(3, "0" * 64)
    os.close(descriptor)
    if not whole:
        Path(place.manifest).write_bytes(Path(place.manifest).read_bytes()[:20])


def test_archives_go_when_their_time_is_over(volume: Volume) -> None:
    _archived(volume, "old", 101)
    _archived(volume, "young", 99)
    facts = volume.plan(POLICY)
    assert volume.actions() == {"2026/01/old.tar.gz": EXPIRE_ARCHIVE}
    assert facts["expired"] == 1
    assert facts["classes"][0]["examples"] == {"expire_archive": ["2026/01/old.tar.gz"]}


def test_an_archive_that_holds_a_held_file_stays(volume: Volume) -> None:
    _archived(volume, "old", 101, b"a.log", b"case/b.log")
    facts = volume.plan(POLICY, holds=HOLD)
    assert volume.actions() == {}
    (left,) = facts["expired_left"]
    assert left["why"] == "case/b.log in it is held: 2026-117 (Legal)"


def test_a_hold_that_comes_after_the_plan_keeps_the_archive_too(volume: Volume) -> None:
    _archived(volume, "old", 101, b"a.log", b"case/b.log")
    _archived(volume, "other", 101, b"a.log")
    volume.plan(POLICY)
    assert len(volume.actions()) == 2
    facts = step("delete", volume.request(POLICY, holds=HOLD))
    assert (facts["expired_archives"], facts["left"]["held"]["examples"]) == (1, ["2026/01/old.tar.gz"])
    archives = volume.root / ".log-cleanup/archives/2026/01"
    assert [path.name for path in archives.iterdir()] == ["old.tar.gz"]


def test_an_archive_whose_bytes_are_below_the_compliance_minimum_stays(volume: Volume) -> None:
    _archived(volume, "old", 101, written=80)
    facts = volume.plan(POLICY)
    assert volume.actions() == {}
    assert "less than 90 days old" in facts["expired_left"][0]["why"]


def test_archives_without_an_end_stay_for_ever(volume: Volume) -> None:
    _archived(volume, "old", 5000)
    volume.plan({**APP, "minimum_days": 90})
    assert volume.actions() == {}


def test_archives_of_a_class_that_is_no_more_stay_and_are_said(volume: Volume) -> None:
    _archived(volume, "old", 5000)
    _archived(volume, "young", 1)
    facts = volume.plan({**POLICY, "name": "other"})
    assert volume.actions() == {}
    (found,) = facts["archives_of_no_class"]
    assert (found["class"], found["archives"], found["bytes"]) == ("app", 2, 2 * 8192)
    told = (
        "2 archives of class app (16.0 KiB) stay for ever, as log_retention.yaml has that class no more: name it there again, "
        "with the archive_keep_days that is right for them."
    )
    assert told in listing(facts).splitlines()
    assert told in step("report", volume.request({**POLICY, "name": "other"}))["text"].splitlines()
    assert volume.plan(POLICY, run="r2")["archives_of_no_class"] == []


def test_a_hold_on_what_only_an_archive_has_is_about_something(volume: Volume) -> None:
    _archived(volume, "old", 1, b"a.log", b"case/b.log")
    holds = [*HOLD, {"case": "2026-118", "owner": "Legal", "globs": ["b.log"]}]
    assert [hold["case"] for hold in volume.plan(POLICY, holds=holds)["holds_of_nothing"]] == ["2026-118"]
    (volume.root / ".log-cleanup/archives/2026/01/old.tar.gz").unlink()  # what is gone is nothing to be held
    found = volume.plan(POLICY, holds=holds, run="r2", take_over="log_cleanup/r1")["holds_of_nothing"]
    assert [hold["case"] for hold in found] == ["2026-117", "2026-118"]


@pytest.mark.parametrize("name", ["case/b.log", "case/b.log.20261121T040000Z"])
def test_a_hold_on_what_only_a_restored_copy_has_is_about_something(volume: Volume, name: str) -> None:
    volume.file(f".log-cleanup/restored/run-1/{name}")
    holds = [{**HOLD[0], "globs": ["case/b.log"]}, {"case": "2026-118", "owner": "Legal", "globs": ["b.log"]}]
    found = volume.plan(POLICY, holds=holds)["holds_of_nothing"]
    assert [hold["case"] for hold in found] == ["2026-118"]


def test_an_archive_whose_manifest_is_damaged_stays_and_is_said(volume: Volume) -> None:
    _archived(volume, "old", 101, whole=False)
    facts = volume.plan(POLICY)
    assert volume.actions() == {}
    assert len(facts["expired_left"]) == 1


def test_a_manifest_without_its_archive_is_passed_over(volume: Volume) -> None:
    _archived(volume, "old", 101)
    (volume.root / ".log-cleanup/archives/2026/01/old.tar.gz").unlink()
    assert volume.plan(POLICY)["expired_left"] == []
    assert volume.actions() == {}
