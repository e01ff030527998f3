"""Bringing files back: any file, glob or day, whole, never over one that is there."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.include.logs.program.cleaned import Answer, Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def restore(volume: Volume, expect: int = 0, **wish: Any) -> Answer:
    if volume.run.startswith("run"):
        volume.next_run("restore-1")
    return volume.step("restore", expect=expect, restore=wish)


def moment(days_ago: float) -> str:
    return datetime.fromtimestamp(time.time() - days_ago * 86400, UTC).isoformat()


@pytest.mark.parametrize("codec", ["auto", "gzip"])
def test_a_file_a_glob_and_everything(codec: str, volume: Volume) -> None:
    volume.more["compression"] = codec
    files = {
        f"{folder}/{number}.log": os.urandom(3000 + number) for folder in ("a", "b") for number in range(5)
    }
    for name, data in files.items():
        volume.write(name, data)
    volume.clean()
    assert volume.live() == []
    assert restore(volume, globs=["a/3.log"], to="one").facts["files"] == 1
    assert volume.live() == ["one/a/3.log"]
    volume.run = "restore-2"
    volume.step("restore", restore={"globs": ["**"], "to": "all"}, take_over="log_cleanup/restore-1")
    for name, data in files.items():
        assert (volume.root / "all" / name).read_bytes() == data


def test_without_a_place_it_goes_where_no_class_reaches(volume: Volume) -> None:
    volume.write("a.log", b"line\n")
    volume.clean()
    answer = restore(volume, globs=["a.log"])
    assert answer.facts["to"] == str(volume.state / "restored/restore-1")
    assert (volume.state / "restored/restore-1/a.log").read_bytes() == b"line\n"


def test_a_day_brings_back_what_may_have_lines_of_it(volume: Volume) -> None:
    for days in (10, 11, 12):
        volume.write(f"{days}.log", b"line\n", days=days)
    volume.clean()
    restore(volume, **{"from": moment(11.5), "until": moment(10.5), "to": "back"})
    assert volume.live() == ["back/10.log", "back/11.log"]  # the later one may have been begun that day


def test_a_file_that_was_written_over_several_days_is_found_by_each_of_them(volume: Volume) -> None:
    for days in (8, 10, 13):
        volume.write(f"batch.log.{days}", b"line\n", days=days)
    volume.write("other.log", b"line\n", days=30)
    volume.clean()
    answer = restore(volume, **{"from": moment(12), "until": moment(11), "to": "back"})
    assert volume.live() == [
        "back/batch.log.10"
    ]  # begun, at the earliest, 13 days ago; the one after it later
    assert answer.facts["changed_later"] == 1
    assert "1 file of these was written to after the time, and may have lines of it." in answer.text


def test_what_was_begun_long_before_it_ended_is_found_by_its_name_only(volume: Volume) -> None:
    volume.write("batch.log", b"line\n", days=10)
    volume.clean()
    restore(volume, expect=2, **{"from": moment(19), "until": moment(18), "to": "back"})


def test_a_hole_at_the_beginning_of_a_file_is_its_own(volume: Volume) -> None:
    path = volume.root / "sparse.log"
    with path.open("wb") as file:
        file.seek(3 << 20)
        file.write(b"data")
        file.truncate(5 << 20)
    volume.age(path, 30)
    os.link(path, volume.root / "too.log")
    was = path.read_bytes()
    volume.clean()
    assert volume.live() == []
    restore(volume, globs=["*"], to="back")
    for name in ("sparse.log", "too.log"):
        assert (volume.root / "back" / name).read_bytes() == was


def test_a_beginning_that_was_archived_before_is_no_hole_of_the_rest(volume: Volume) -> None:
    path = volume.root / "app.log"
    volume.more["compression"] = "gzip"
    with path.open("ab", buffering=0) as log:
        log.write(b"first line\n" * 50_000)
        volume.age(path, 30)
        assert volume.clean().facts["punched"] == 1
        volume.next_run("run-2")
        log.write(b"the rest\n" * 20)
    volume.age(path, 20)
    assert volume.clean().facts["deleted"] == 1
    volume.next_run("restore-1")
    # The archive of the first range is older than the time, and its manifest is passed over.
    header = volume.manifests[0]
    lines = gzip.decompress(header.read_bytes()).splitlines(keepends=True)
    first = json.loads(lines[0])
    first["created"] = moment(25)
    header.write_bytes(gzip.compress(b"".join([json.dumps(first).encode() + b"\n", *lines[1:]])))
    answer = volume.step("restore", restore={"from": moment(21), "until": moment(19), "to": "back"})
    assert answer.facts["restored"][0]["first"] > 500_000
    assert (volume.root / "back/app.log").read_bytes().endswith(b"the rest\n" * 20)
    assert (volume.root / "back/app.log").stat().st_size < 100_000


def test_a_file_that_is_there_is_never_overwritten(volume: Volume) -> None:
    volume.write("a.log", b"old\n")
    volume.write("b.log", b"old\n")
    volume.clean()
    volume.write("back/a.log", b"mine\n", days=0)
    answer = restore(volume, expect=1, globs=["*.log"], to="back")
    assert (volume.root / "back/a.log").read_bytes() == b"mine\n"
    assert (volume.root / "back/b.log").read_bytes() == b"old\n"
    assert answer.facts["conflicts"] == ["a.log"]
    assert "another file lies at a.log" in answer.text


def test_restoring_again_finds_what_is_there(volume: Volume) -> None:
    volume.write("a.log", b"old\n")
    volume.clean()
    restore(volume, globs=["a.log"], to="back")
    volume.run = "restore-2"
    again = volume.step(
        "restore", restore={"globs": ["a.log"], "to": "back"}, take_over="log_cleanup/restore-1"
    )
    assert (again.facts["files"], again.facts["there_already"]) == (0, 1)


def test_files_of_one_name_from_several_days_come_back_side_by_side(volume: Volume) -> None:
    for number in (1, 2):
        path = volume.write("app.log", b"day %d\n" % number, days=30 - number)
        volume.clean()
        assert not path.exists()
        volume.next_run(f"run-{number + 1}")
    restore(volume, globs=["app.log"], to="back")
    found = sorted((volume.root / "back").iterdir())
    assert [path.read_bytes() for path in found] == [b"day 1\n", b"day 2\n"]
    assert all(path.name.startswith("app.log.20") for path in found)


def test_all_ranges_of_a_file_and_what_was_left_of_it_are_one_file(volume: Volume) -> None:
    whole = b""
    path = volume.root / "app.log"
    with path.open("ab", buffering=0) as log:
        for number in range(3):
            lines = b"".join(b"%d %07d\n" % (number, line) for line in range(120_000))
            log.write(lines)
            whole += lines
            volume.age(path, 30 - number)
            answer = volume.clean()
            assert answer.facts["punched"] == 1, answer.text
            volume.next_run(f"run-{number + 2}")
        log.write(b"the last line\n")
        whole += b"the last line\n"
    volume.age(path, 20)
    assert volume.clean().facts["deleted"] == 1
    restore(volume, globs=["app.log"], to="back")
    assert (volume.root / "back/app.log").read_bytes() == whole


def test_a_damaged_archive_restores_nothing_false(volume: Volume) -> None:
    volume.more["compression"] = "gzip"
    volume.write("a.log", os.urandom(100_000))
    volume.clean()
    data = bytearray(volume.archives[0].read_bytes())
    data[len(data) // 2] ^= 1
    volume.archives[0].write_bytes(data)
    answer = restore(volume, expect=1, globs=["**"], to="back")
    assert answer.facts["damaged"]
    assert volume.live() == []


def test_an_archive_that_is_gone_is_named(volume: Volume) -> None:
    volume.write("a.log", b"line\n")
    volume.clean()
    shutil.move(volume.archives[0], volume.base / "elsewhere")
    assert "No such file" in restore(volume, expect=1, globs=["**"], to="back").facts["damaged"][0]


def test_nothing_asked_for_and_nothing_found(volume: Volume) -> None:
    volume.write("a.log", b"line\n")
    volume.clean()
    assert "globs, or from and until" in restore(volume, expect=2, to="back").text
    volume.run = "restore-3"
    answer = volume.step(
        "restore", expect=2, restore={"globs": ["nothing/**"]}, take_over="log_cleanup/restore-1"
    )
    assert "No archive of this volume has what is asked for" in answer.text


def test_a_hold_on_the_first_path_holds_the_copies_too(volume: Volume) -> None:
    for number in (1, 2):
        volume.write("app.log", b"day %d\n" % number, days=30 - number)
        volume.write(f"other-{number}.log", b"no case\n")
        volume.clean()
        volume.next_run(f"run-{number + 1}")
    volume.run = "restore-1"
    volume.step("restore", restore={"globs": ["**"], "to": "back [*]/x"})
    copies = [name for name in volume.live() if "app.log" in name]
    assert len(copies) == 2
    volume.next_run("run-4")
    for name in volume.live():
        volume.age(volume.root / name, 30)
    volume.holds = [{"case": "4711", "owner": "Legal", "globs": ["app.log"]}]
    volume.clean()
    assert volume.live() == copies


def test_a_place_outside_the_volume(volume: Volume, tmp_path: Path) -> None:
    volume.write("a.log", b"line\n")
    volume.clean()
    restore(volume, globs=["a.log"], to=str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere/a.log").read_bytes() == b"line\n"


def test_a_link_on_the_way_is_not_followed(volume: Volume, tmp_path: Path) -> None:
    for name in ("a.log", "sub/b.log"):
        volume.write(name, b"line\n")
    volume.clean()
    outside = tmp_path / "outside"
    outside.mkdir()
    (volume.root / "back").symlink_to(outside)
    answer = restore(volume, expect=1, globs=["**"], to="back/there")
    assert "links are not followed" in answer.text
    (volume.root / "other").mkdir()
    (volume.root / "other/sub").symlink_to(outside)
    answer = volume.step("restore", expect=1, restore={"globs": ["**"], "to": "other"})
    assert answer.facts["conflicts"] == ["sub/b.log"]
    assert (volume.root / "other/a.log").read_bytes() == b"line\n"
    assert list(outside.iterdir()) == []


def test_a_restore_leaves_the_floor_to_whoever_writes(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.write("a.log", os.urandom(100_000))
    volume.clean()

    def small(_path: str) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 1000, 220, 220, 100, 100, 100, 0, 255))  # 22 % of 4 MB are free

    volume.next_run("restore-1")
    monkeypatch.setattr("include.logs.program.usage.os.statvfs", small)
    answer = volume.step("restore", expect=4, restore={"globs": ["a.log"]})
    assert (
        "1 file of 97.7 KiB asked back, and there is room for 80.0 KiB: 880.0 KiB (22.0 %) are free, and the floor, 20 %, is "
        "left to whoever writes there. Nothing was restored.\nAsk for less, or make room first."
    ) in answer.text
    assert not (volume.state / "restored").exists()
    volume.more = {"floor_percent": 15}
    assert "Restored 1 file, " in volume.step("restore", restore={"globs": ["a.log"]}).text


def test_a_directory_with_a_size_of_its_own_is_not_filled_by_a_restore(volume: Volume) -> None:
    volume.write("a.log", os.urandom(100_000))
    volume.clean()
    volume.next_run("restore-1")
    volume.more = {"size": 300_000}
    answer = volume.step("restore", expect=4, restore={"globs": ["a.log"]})
    assert "the floor, 20 %, is left to whoever writes there" in answer.text
