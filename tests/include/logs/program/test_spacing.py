from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import history, measuring, spacing, usage
from include.logs.program.__main__ import step
from include.logs.program.summary import keep
from include.logs.program.unlinked import unlinked
from tests.include.logs.program.planned import APP, Volume

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def test_a_directory_with_a_size_is_measured_by_what_its_files_take(volume: Volume) -> None:
    path = volume.file("a/one.log", content=b"x" * MIB)
    os.link(path, volume.root / "a" / "two.log")
    sparse = volume.file("sparse.log", content=b"")
    os.truncate(sparse, 1 << 40)
    (volume.root / "link").symlink_to("/usr")
    facts = step("measure", volume.request(size=4 * MIB))
    assert facts["size"] == 4 * MIB
    assert MIB <= facts["used"] < MIB + 64 * 1024
    assert facts["free"] == 4 * MIB - facts["used"]


def test_a_directory_that_has_outgrown_its_size_has_nothing_free(volume: Volume) -> None:
    volume.file("one.log", content=b"x" * MIB)
    facts = step("measure", volume.request(size=MIB // 2))
    assert (facts["free"], facts["free_percent"], facts["below_floor"]) == (0, 0.0, True)
    assert facts["to_floor"] >= MIB // 2 + MIB // 2 * 0.2  # what is beyond the size, and a fifth of it


def test_free_is_counted_as_df_counts_it(volume: Volume) -> None:
    found = usage.usage(volume.request())
    told = os.statvfs(volume.root)
    assert found.free == pytest.approx(told.f_bavail * told.f_frsize, rel=0.1)
    assert 0 < found.free_percent < 100


def test_what_is_missing_brings_the_free_space_to_the_percentage() -> None:
    space = usage.Usage(1000, 900, 50)
    missing = space.missing(20)
    assert space.after(missing).free_percent >= 20 > space.after(missing - 1).free_percent
    assert space.missing(5) == 0


def test_airflow_61559_pressure_never_shortens_retention_it_alerts(volume: Volume) -> None:
    for day in range(6):
        volume.file(f"app.log.{day}", days=day + 0.5, content=b"x" * MIB)
    kept = {**APP, "keep_days": 7, "archive": False, "minimum_days": 2}
    request = {"size": 7 * MIB, "floor_percent": 50, "target_percent": 60}
    plan = volume.plan(kept, **request)
    assert volume.actions() == {}
    assert plan["shortfall"]["missing"] >= 3 * MIB
    (change,) = plan["shortfall"]["settings"]
    assert (change["setting"], change["from"], change["to"], change["enough"]) == ("keep_days", 7, 2, True)
    answer = step("space", volume.request(kept, **request))
    (alert,) = answer["alerts"]
    assert alert["kind"] == "floor_missed"
    assert "Retention was not shortened." in alert["text"]
    assert "class app: keep_days from 7 days to 2 days frees 4.0 MiB" in alert["text"]
    assert "more storage" in alert["text"]
    assert len(list(volume.root.glob("app.log.*"))) == 6


def test_airflow_61559_not_even_a_full_volume_does(volume: Volume) -> None:
    volume.file("app.log.1", days=1, content=b"x" * 2 * MIB)
    plan = volume.plan({**APP, "minimum_days": 2, "archive": False}, size=MIB)
    assert plan["shortfall"]["settings"] == []
    assert plan["shortfall"]["policy_can"] is False
    assert plan["largest"][0] == {"path": "app.log.1", "bytes": 2 * MIB, "class": "app"}
    assert volume.actions() == {}


def test_the_setting_for_a_file_that_grows_is_computed_from_its_watermarks(volume: Volume) -> None:
    path = volume.file("app.log", content=b"1" * 2 * MIB)
    volume.noted("app.log", 5.1)
    with path.open("ab") as file:
        file.write(b"2" * MIB)
    volume.noted("app.log", 3.1)
    with path.open("ab") as file:
        file.write(b"3" * MIB)
    plan = volume.plan({**APP, "archive": False}, size=4 * MIB, floor_percent=40, target_percent=40)
    (change,) = plan["shortfall"]["settings"]
    assert (change["to"], change["frees"]) == (5, 2 * MIB)


def _answers(volume: Volume, **answers: dict[str, Any]) -> None:
    layout = volume.request().layout
    layout.prepare()
    for name, facts in answers.items():
        keep(layout.answer(name), facts)


def test_airflow_maintenance_dags_55_space_that_did_not_come_back_is_said_and_by_whom_it_is_kept(
    volume: Volume,
) -> None:
    path = volume.file("gone.log", content=b"x" * 4 * MIB)
    now = usage.usage_of(str(volume.root)).used
    seen = {"used_before": now, "used_after": now}
    _answers(volume, measure={"used": 0}, delete={"ok": True, "freed_bytes": 40 * GIB, **seen})
    with path.open("rb"):
        path.unlink()
        facts = step("space", volume.request(size=20 * MIB))
    (alert,) = facts["alerts"]
    assert alert["kind"] == "not_returned"
    assert alert["text"].startswith("40.0 GiB were deleted, but only ")
    assert f"deleted, but still open: {path} (4.0 MiB), by " in alert["text"]
    assert f"({os.getpid()})" in alert["text"]


@pytest.mark.parametrize(("after", "now", "alerts"), [(6, 90, False), (10, 6, False), (10, 90, True)])
def test_what_was_written_while_somebody_thought_about_the_approval_is_no_space_that_stayed_away(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, after: int, now: int, alerts: bool
) -> None:
    """Only from just before the first deletion on; a file system may also count later what it has freed."""
    monkeypatch.setattr(spacing, "usage_of", lambda _: usage.Usage(100 * MIB, now * MIB, (100 - now) * MIB))
    delete = {"freed_bytes": 4 * MIB, "used_before": 10 * MIB, "used_after": after * MIB}
    facts = spacing._returned(volume.request(), {"archive": {}, "delete": delete})
    assert (facts["not_returned"] is not None) is alerts


def test_deleting_notes_what_was_used_before_and_after(volume: Volume) -> None:
    for name in ("plan", "archive", "verify"):
        step(name, volume.request())
    facts = step("delete", volume.request())
    assert facts["used_before"] > 0 < facts["used_after"]


def test_what_archives_take_is_not_expected_back(volume: Volume) -> None:
    answers: dict[str, Any] = {
        "archive": {"archive_bytes": 9 * MIB},
        "delete": {"freed_bytes": 10 * MIB, "freed": {"expired": MIB}, "freed_elsewhere": MIB},
    }
    facts = spacing._returned(volume.request(), answers)
    assert facts == {"expected": 0, "returned": None, "not_returned": None}
    apart = volume.request(archive_to=str(volume.root / "arch"))
    assert spacing._returned(apart, answers)["expected"] == 9 * MIB


def test_what_archives_take_counts_those_of_this_run(volume: Volume) -> None:
    _answers(volume, archive={"archive_bytes": 9 * MIB})
    request = {"floor_percent": 99, "target_percent": 99, "size": MIB}
    assert step("space", volume.request(**request))["shortfall"]["archives"] == 9 * MIB


def test_the_largest_files_are_those_that_are_there_now(volume: Volume) -> None:
    volume.file("old.log", days=30, content=b"x" * 4 * MIB)
    volume.file("new.log", content=b"x" * 2 * MIB)
    volume.file("notes", content=b"x" * MIB)
    volume.file(b"\xff.log", content=b"x" * 8192)
    request = volume.request({**APP, "archive": False})
    for name in ("plan", "archive", "verify", "delete"):
        step(name, request)
    (volume.root / "new.log").write_bytes(b"x" * 4096)  # cut to less meanwhile
    assert step("space", request)["largest"] == [
        {"path": "notes", "bytes": MIB, "class": "(no class)"},
        {"path": "\\xff.log", "bytes": 8192, "class": "app"},
        {"path": "new.log", "bytes": 4096, "class": "app"},
    ]


def test_only_deleted_files_of_this_volume_are_named(tmp_path: Path) -> None:
    path = tmp_path / "here.log"
    path.write_bytes(b"x" * 5000)
    with path.open("rb"):
        dev = tmp_path.stat().st_dev
        assert str(path) not in [item["path"] for item in unlinked(dev)]
        path.unlink()
        assert str(path) in [item["path"] for item in unlinked(dev)]
        assert unlinked(dev + 1) == []


def test_too_few_inodes_are_an_alert(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    few = usage.Usage(100, 10, 90, inodes_free_percent=3)
    monkeypatch.setattr(spacing, "usage", lambda request: few)
    monkeypatch.setattr(measuring, "usage", lambda request: few)
    (alert,) = step("space", volume.request())["alerts"]
    assert alert["text"] == "Only 3.0 % of the inodes are free: no file can be made without one."


def test_a_run_notes_the_space_before_and_after_and_what_it_cleaned(volume: Volume) -> None:
    volume.file("a.log", days=30)
    step("measure", volume.request())
    volume.plan()
    _answers(volume, delete={"ok": True, "freed_bytes": 4096}, archive={"bytes": 7, "archive_bytes": 5})
    step("space", volume.request())
    before, after = history.read(volume.request().layout.history).points
    assert (before.when, before.cleaned) == (history.BEFORE, [])
    assert (after.when, after.cleaned, after.classes, after.archived) == (
        history.AFTER,
        ["app"],
        {"app": 0},
        7,
    )


def test_a_class_whose_files_were_not_deleted_stays_new(volume: Volume) -> None:
    volume.file("a.log", days=30)
    volume.plan()
    step("space", volume.request())
    assert history.read(volume.request().layout.history).cleaned() == []


def test_what_a_class_grows_by_in_a_day(volume: Volume) -> None:
    volume.file("a.log", content=b"x" * 3 * MIB)
    request = volume.request(run="r2")
    request.layout.prepare()
    then = history.Point(time.time() - 2 * 86400, "r1", history.AFTER, 1, 2, 1, {"app": MIB}, ["app"])
    history.append(request.layout.history, [history.point_line(then)])
    assert volume.plan(run="r2")["classes"][0]["bytes_per_day"] == pytest.approx(MIB, rel=0.01)
