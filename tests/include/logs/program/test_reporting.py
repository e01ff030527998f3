from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.logs.messages import VolumeRun, run_message
from include.logs.program.__main__ import step
from include.logs.program.listing import listing
from include.logs.program.summary import keep
from tests.include.logs.program.planned import APP, Volume

MIB = 1 << 20
HOLD = [{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}]
STEPS = ("measure", "plan", "archive", "verify", "delete", "space")


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def test_a_hold_that_matches_no_file_is_told(volume: Volume) -> None:
    volume.file("case/app.log", days=9)
    volume.file("notes.txt", days=1)
    holds = [
        *HOLD,
        {"case": "2026-118", "owner": "Legal", "globs": ["home/sre/course4/app.log"]},
        {"case": "2026-119", "owner": "Legal", "globs": ["case/app.log", "*.txt"]},
    ]
    request = volume.request(holds=holds)
    facts = step("plan", request)
    told = "hold 2026-118 (Legal) matches nothing, neither a file nor what is in an archive: home/sre/course4/app.log. Is that a path below the volume's root?"
    assert [hold["case"] for hold in facts["holds_of_nothing"]] == ["2026-118"]
    assert told in listing(facts)
    lines = step("report", request)["text"].splitlines()
    assert told in lines
    assert [line.partition(", by ")[2] for line in lines if line.startswith("held: ")] == [
        "2026-117, 2026-119"
    ]
    run = VolumeRun("shop-logs", {"plan": facts})
    assert f"shop-logs: {told}" in run_message([run], {}, {}).paragraph


def test_what_was_restored_and_stays_is_named(volume: Volume) -> None:
    volume.file(".log-cleanup/restored/restore-1/app.log", content=b"x" * 8192)
    text = step("report", volume.request())["text"].splitlines()
    assert (
        "restored, in .log-cleanup/restored: 1 file, 8.0 KiB; they stay until somebody removes them" in text
    )


def test_a_whole_run_in_words(volume: Volume) -> None:
    for day in range(10):
        volume.file(f"app.log.{day}", days=day + 0.5, content=b"x" * 8192)
    volume.file("case/app.log.1", days=30, content=b"x" * 8192)
    volume.file("notes.txt", days=30, content=b"x" * 4096)
    request = volume.request(holds=HOLD, title="Logs of the shop")
    for command in STEPS:
        step(command, request)
    facts = step("report", request)
    text = facts["text"].splitlines()
    assert text[0] == "Logs of the shop: log_cleanup/r1"
    assert text[1] == "planned: 3 files, 24.0 KiB to free"
    assert text[2] == "held: 8.0 KiB, by 2026-117"
    assert text[3] == "of no class, kept: 1 file, 4.0 KiB"
    assert text[4].startswith("archived: 3 files, 24.0 KiB in ")
    assert text[5] == "freed: 24.0 KiB, 3 files deleted"
    assert text[6].startswith("net: ")
    assert text[6].endswith(" KiB, as the new archives lie on the volume too")
    assert text[7].startswith("free: ")
    assert facts["missing_steps"] == []
    assert facts["alerts"] == []
    assert facts["steps"]["delete"]["freed_bytes"] == 3 * 8192


def test_a_dry_run_lists_what_would_go_and_what_would_be_missing(volume: Volume) -> None:
    volume.file("app.log.1", days=1, content=b"x" * 2 * MIB)
    volume.file("app.log.9", days=9, content=b"x" * MIB)
    request = volume.request({**APP, "archive": False}, dry_run=True, size=3 * MIB)
    plan = step("plan", request)
    facts = step("report", request)
    assert plan["after"]["free_percent"] > plan["before"]["free_percent"]
    assert "a dry run, nothing was changed" in facts["text"]
    assert "free then: " in facts["text"]
    assert sorted(path.name for path in volume.root.iterdir()) == [".log-cleanup", "app.log.1", "app.log.9"]


def test_the_alerts_of_the_space_are_the_reports(volume: Volume) -> None:
    request = volume.request()
    request.layout.prepare()
    alert = {"kind": "floor_missed", "text": "Free after the clean-up: 3 %"}
    space = {"free": 3, "free_percent": 3.0, "floor_percent": 20, "alerts": [alert]}
    keep(request.layout.answer("space"), space)
    facts = step("report", request)
    assert facts["alerts"] == [alert]
    assert "Free after the clean-up: 3 %" in facts["text"]


def test_a_run_that_ended_early_is_reported_too(volume: Volume) -> None:
    step("measure", volume.request())
    facts = step("report", volume.request())
    assert facts["missing_steps"] == ["plan", "archive", "verify", "delete", "space"]
    assert facts["text"].splitlines()[-1].startswith("free: ")


def test_dry_runs_leave_the_newest_of_their_directories_and_all_of_the_others(volume: Volume) -> None:
    runs = volume.root / ".log-cleanup/runs"
    step("measure", volume.request(run="waits"))  # for an approval, say
    os.utime(runs / "waits", (1_600_000_000, 1_600_000_000))
    for number in range(5):
        request = volume.request(run=f"r{number}", keep_runs=3, dry_run=True)
        step("plan", request)
        step("report", request)
        os.utime(runs / f"r{number}", (1_700_000_000 + number, 1_700_000_000 + number))
    assert sorted(path.name for path in runs.iterdir()) == ["r2", "r3", "r4", "waits"]


def test_the_directories_of_the_newest_runs_stay(volume: Volume) -> None:
    for number in range(5):
        step("measure", volume.request(run=f"r{number}"))
        (volume.root / ".log-cleanup/runs" / f"r{number}" / "archived").mkdir()
        step("report", volume.request(run=f"r{number}", keep_runs=3))
        moment = 1_700_000_000 + number
        os.utime(volume.root / ".log-cleanup/runs" / f"r{number}", (moment, moment))
    assert sorted(path.name for path in (volume.root / ".log-cleanup/runs").iterdir()) == ["r2", "r3", "r4"]
