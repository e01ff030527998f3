"""What may be the only copy is never removed, whatever becomes of the notes of the run that wrote it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from include.logs.program import archiving
from include.logs.program.layout import Layout
from tests.include.logs.program.cleaned import Volume

EVIDENCE = b"evidence\n" * 100


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    found = Volume(tmp_path, more={"keep_runs": 2})
    found.write("only-copy.log", EVIDENCE)
    return found


def whole(volume: Volume, run: str, **more: str) -> None:
    volume.run = run
    for command in ("measure", "plan", "archive", "verify", "delete", "space", "report"):
        volume.step(command, **more)


def restored(volume: Volume) -> bytes:
    volume.run = "restore"
    volume.step("restore", restore={"globs": ["only-copy.log"], "to": "back"}, take_over="log_cleanup/run-1")
    return (volume.root / "back/only-copy.log").read_bytes()


def test_a_run_that_is_cleared_after_its_notes_were_dropped_keeps_what_it_archived_then(
    volume: Volume,
) -> None:
    whole(volume, "run-1")
    for run in ("run-2", "run-3"):
        volume.write(f"{run}.log", b"more\n")
        whole(volume, run)
    assert not (volume.state / "runs/run-1").exists()
    volume.write("later.log", b"later\n")
    whole(volume, "run-1")
    assert volume.live() == []
    assert restored(volume) == EVIDENCE


def test_a_run_whose_notes_are_gone_but_for_its_directory_is_left_alone(volume: Volume) -> None:
    whole(volume, "run-1")
    for path in (volume.state / "runs/run-1").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    volume.write("later.log", b"later\n")
    whole(volume, "run-2")
    assert restored(volume) == EVIDENCE


def test_notes_go_all_at_once(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(volume, "run-1")

    def killed(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("include.logs.program.layout._remove", killed)
    layout = Layout(str(volume.root), "run-2")
    with pytest.raises(KeyboardInterrupt):
        layout.drop_old_runs(1)
    (left,) = Path(layout.runs).iterdir()
    assert left.name == ".gone-run-1"
    monkeypatch.undo()
    layout.drop_old_runs(1)
    assert list(Path(layout.runs).iterdir()) == []


def test_archives_that_another_run_counts_on_are_its_own_no_more(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.run = "run-1"
    for command in ("measure", "plan", "archive"):
        volume.step(command)
    (volume.state / "runs/run-1/archive.json").unlink()  # killed before it could answer
    whole(volume, "run-2", take_over="log_cleanup/run-1")
    assert volume.live() == []
    volume.run = "run-1"
    every = archiving.Archiving.all_chunks

    def full(self: archiving.Archiving) -> None:
        every(self)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archiving.Archiving, "all_chunks", full)
    answer = volume.step("archive", expect=None)
    assert "its archives stay as they are" in answer.facts["error"]
    assert restored(volume) == EVIDENCE


def test_nothing_is_deleted_when_an_archive_has_gone_since_it_was_verified(volume: Volume) -> None:
    for command in ("plan", "archive", "verify"):
        volume.step(command)
    for path in volume.archives:
        path.unlink()
    answer = volume.step("delete", expect=None)
    assert answer.code != 0
    assert answer.facts["gone"]
    assert volume.live() == ["only-copy.log"]


def test_an_archive_of_another_class_is_not_counted_on(tmp_path: Path) -> None:
    debug = {"name": "debug", "globs": ["**"], "keep_days": 7, "archive_keep_days": 1}
    orders = {"name": "orders", "globs": ["only-copy.log"], "keep_days": 7, "minimum_days": 365}
    volume = Volume(tmp_path, classes=[debug])
    volume.write("only-copy.log", EVIDENCE)
    for command in ("measure", "plan", "archive", "verify"):
        volume.step(command)
    volume.classes = [orders, debug]
    whole(volume, "run-2", take_over="log_cleanup/run-1")
    assert volume.live() == []
    assert any("+orders+" in path.name for path in volume.archives)


def test_archives_of_another_volume_in_the_same_place_stay(tmp_path: Path) -> None:
    place = {"archive_to": str(tmp_path / "archives")}
    Path(place["archive_to"]).mkdir()
    brief = {"name": "app", "globs": ["**"], "keep_days": 7, "archive_keep_days": 0}
    first = Volume(tmp_path / "first", more={**place, "volume": "first"})
    second = Volume(tmp_path / "second", classes=[brief], more={**place, "volume": "second"})
    for volume in (first, second):
        volume.write("a.log", EVIDENCE)
        whole(volume, "run-1")
    kept = sorted(path.name for path in (tmp_path / "archives").rglob("*.tar.*"))
    assert len(kept) == 2
    second.run = "run-2"
    second.step("plan")
    assert second.step("delete").facts["expired_archives"] == 1
    (left,) = (path.name for path in (tmp_path / "archives").rglob("*.tar.*"))
    assert left.startswith("first+")
