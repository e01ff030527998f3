"""A volume without any room: what is told of it all the same, and the room that a run has kept for that day."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.logs.program import full
from include.logs.program.layout import Layout
from include.logs.program.listing import with_room
from tests.include.logs.program.cleaned import Answer, Volume

MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Volume]:
    """A volume of 12 MiB with three logs that are due, of 2 MiB each."""
    place = tmp_path / "small"
    place.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place]).returncode:
        pytest.skip("needs the right to mount a small volume")
    try:
        volume = Volume(tmp_path / "base")
        volume.root.rmdir()
        volume.root.symlink_to(place)
        volume.more = {"root": str(place)}
        for number in range(3):
            volume.write(f"{number}.log", os.urandom(2 * MIB))
        yield volume
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(volume: Volume) -> None:
    """To the last byte."""
    with (volume.root / "fill.bin").open("ab", 0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)


def told(answer: Answer) -> None:
    """How much is missing, and what is largest, as people have to know it."""
    space = answer.facts["space"]
    assert (space["free"], space["below_floor"]) == (0, True)
    assert space["shortfall"]["missing"] > 2 * MIB
    assert space["shortfall"]["add_storage"] > 0
    assert space["largest"][0]["path"] == "fill.bin"
    assert {alert["kind"] for alert in space["alerts"]} == {"floor_missed"}
    assert space["alerts"][0]["text"].startswith(
        f"Free, as nothing could be cleaned up ({space['undone']}): 0.0 %"
    )


@pytest.mark.parametrize("step", ["measure", "plan", "space"])
def test_a_volume_full_to_the_last_byte_is_told_with_what_is_missing(small: Volume, step: str) -> None:
    fill(small)
    answer = small.step(step, expect=4)
    assert answer.facts["alert"] == "volume_full"
    assert answer.facts["space"]["undone"] == "there is no room for the clean-up's own notes"
    told(answer)
    would = answer.facts["space"]["would"]
    assert would["free"] > 4 * MIB  # three logs of 2 MiB, less what their archives take
    assert with_room(would) in answer.text
    assert "(the archives need about 1.2 MiB on the volume, 0 B are free)" in answer.text
    assert small.live() == ["0.log", "1.log", "2.log", "fill.bin"]


def test_a_volume_without_room_for_its_archives_is_told_with_what_is_missing(small: Volume) -> None:
    plan = small.step("plan")
    assert (
        "Its archives need about 1.2 MiB on the volume before anything is deleted (20 % of 6.0 MiB)."
        in plan.text
    )
    assert "WILL NOT FIT" not in plan.text
    fill(small)
    (small.root / "fill.bin").write_bytes((small.root / "fill.bin").read_bytes()[: -MIB // 2])
    answer = small.step("archive", expect=4)
    space = answer.facts["space"]
    assert space["undone"] == "its archives have no room"
    assert (space["below_floor"], space["largest"][0]["path"]) == (True, "fill.bin")
    assert space["shortfall"]["missing"] > MIB


def test_a_plan_whose_archives_will_not_fit_says_so(small: Volume) -> None:
    small.step("measure")
    fill(small)
    (small.root / "fill.bin").write_bytes((small.root / "fill.bin").read_bytes()[: -MIB // 2])
    plan = small.step("plan")
    need = plan.facts["archives_need"]
    assert (need["fit"], need["elsewhere"]) == (False, False)
    assert " are free, so `archive` would fail and nothing would be deleted. Make about" in plan.text
    assert "THEY WILL NOT FIT: " in plan.text
    assert "or name another place for archives (archive_to)." in plan.text
    small.step("archive", expect=4)
    assert small.live() == ["0.log", "1.log", "2.log", "fill.bin"]


def test_what_a_run_has_kept_lets_the_next_one_work(small: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full, "RESERVE", MIB)
    monkeypatch.setattr(full, "LEAST", 10)
    small.classes[0]["archive"] = False
    small.step("report")
    reserve = small.state / "reserve"
    assert reserve.stat().st_blocks * 512 == MIB
    small.run = "run-2"
    fill(small)
    answer = small.step("measure")
    assert (
        "Volume logs is full: the 1.0 MiB are given up that an earlier run has kept for this." in answer.text
    )
    assert not reserve.exists()
    for step in ("plan", "archive", "verify", "delete"):
        small.step(step)
    assert small.live() == ["fill.bin"]


def test_a_small_volume_gets_no_reserve(tmp_path: Path) -> None:
    volume = Volume(tmp_path, more={"size": 100 * MIB})
    volume.step("report")
    assert not (volume.state / "reserve").exists()
    volume.run = "run-2"
    volume.more = {"size": 1 << 40}
    answer = volume.step("report")
    assert (volume.state / "reserve").stat().st_size == full.RESERVE, json.dumps(answer.facts)


def test_notes_elsewhere_are_this_runs_only() -> None:
    layout = Layout("/logs", "run-1", scratch="/tmp/x")
    assert (layout.run, layout.plan, layout.history) == (
        "/tmp/x",
        "/tmp/x/plan",
        "/logs/.log-cleanup/history.jsonl",
    )
