"""Archives in two places: those from before ``archive_to`` was configured stay on the volume, and are no less archives."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.include.logs.program.cleaned import Volume

CLASS = {"name": "app", "globs": ["*.log"], "keep_days": 7, "archive_keep_days": 100}
HOLD = {"case": "2026-117", "owner": "Legal", "globs": ["case.log"]}


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Each of two archives on the volume has a file; from now on they go to another place."""
    volume = Volume(tmp_path, classes=[CLASS], more={"compression": "gzip"})
    for number, name in enumerate(("case.log", "old.log"), 1):
        volume.write(name, b"a line of %s\n" % name.encode())
        volume.clean()
        volume.next_run(f"run-{number + 1}")
    (tmp_path / "elsewhere").mkdir()
    volume.more["archive_to"] = str(tmp_path / "elsewhere")
    return volume


def made(manifest: Path, days_ago: float) -> None:
    """Let the archive of a manifest have been made so many days ago."""
    head, _, rest = gzip.decompress(manifest.read_bytes()).partition(b"\n")
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    facts = {**json.loads(head), "created": moment.isoformat()}
    manifest.write_bytes(gzip.compress(json.dumps(facts).encode() + b"\n" + rest))


def test_a_file_is_restored_from_either_place(volume: Volume) -> None:
    volume.write("new.log", b"a line of new.log\n")
    volume.clean()
    volume.next_run("restore-1")
    volume.step("restore", restore={"globs": ["**"], "to": "back"})
    for name in ("case.log", "old.log", "new.log"):
        assert (volume.root / "back" / name).read_text() == f"a line of {name}\n"


def test_an_archive_that_lies_in_both_places_is_restored_once(volume: Volume) -> None:
    for path in (*volume.archives, *volume.manifests):
        copy = volume.base / "elsewhere" / path.relative_to(volume.state)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    volume.step("restore", restore={"globs": ["**"], "to": "back"})
    assert volume.live() == ["back/case.log", "back/old.log"]


def test_an_archive_expires_where_it_lies_and_a_held_one_stays(volume: Volume) -> None:
    volume.holds = [HOLD]
    for manifest in volume.manifests:
        made(manifest, days_ago=101)
    volume.write("new.log", b"line\n")
    assert volume.clean().facts["expired_archives"] == 1
    assert (len(volume.archives), len(volume.manifests)) == (1, 1)
    assert volume.step("delete").facts["freed_elsewhere"] == 0

    volume.next_run("run-4")
    (moved,) = (volume.base / "elsewhere/manifests").rglob("*.gz")
    made(moved, days_ago=101)
    plan = volume.step("plan")
    assert [left["why"] for left in plan.facts["expired_left"]] == [
        "case.log in it is held: 2026-117 (Legal)"
    ]
    # What an archive elsewhere gives back, the volume does not get.
    assert plan.facts["after"]["free"] == plan.facts["before"]["free"]
    for command in ("archive", "verify"):
        volume.step(command)
    deleted = volume.step("delete").facts
    assert (deleted["expired_archives"], deleted["freed_elsewhere"]) == (1, deleted["freed_bytes"])
    assert not list((volume.base / "elsewhere").rglob("*.gz"))
    assert (len(volume.archives), len(volume.manifests)) == (1, 1)


def test_a_hold_on_what_only_an_archive_on_the_volume_has_is_about_something(volume: Volume) -> None:
    volume.holds = [HOLD]
    assert volume.step("plan").facts["holds_of_nothing"] == []


def test_what_a_run_archived_before_counts_for_the_next_one(volume: Volume) -> None:
    elsewhere = volume.more.pop("archive_to")
    volume.write("new.log", b"line\n")
    for command in ("plan", "archive"):
        volume.step(command)
    volume.next_run("run-4")
    volume.more["archive_to"] = elsewhere
    assert volume.clean().facts["deleted"] == 1
    assert len(volume.archives) == 3
    assert not list(Path(elsewhere).rglob("*.gz"))
