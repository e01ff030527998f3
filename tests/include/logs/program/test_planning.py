from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.logs.program import history
from include.logs.program.__main__ import step
from include.logs.program.entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, DELETE, PUNCH, TRUNCATE
from include.logs.program.problems import StepError
from include.logs.program.sifting import Sifter
from tests.include.logs.program.planned import APP, DELETED, Volume

MIB = 1 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def test_what_is_older_than_its_class_keeps_it_goes(volume: Volume) -> None:
    volume.file("a/old.log", days=8)
    volume.file("a/young.log", days=6)
    volume.file("a/old.txt", days=800)
    facts = volume.plan()
    assert volume.actions() == {"a/old.log": ARCHIVE_DELETE}
    assert facts["unclassified"]["files"] == 1
    assert facts["unclassified"]["largest"][0]["path"] == "a/old.txt"
    (found,) = facts["classes"]
    assert (found["files"], found["actions"]["archive_delete"]["files"]) == (2, 1)
    assert found["examples"] == {"archive_delete": ["a/old.log"]}


def test_first_class_wins_and_each_has_its_own_time(volume: Volume) -> None:
    audit = {"name": "audit", "globs": ["audit/**"], "keep_days": 400}
    volume.file("audit/a.log", days=100)
    volume.file("b.log", days=100)
    volume.plan(audit, DELETED)
    assert volume.actions() == {"b.log": DELETE}


def test_a_hold_wins_over_everything(volume: Volume) -> None:
    volume.file("a.log", days=100)
    volume.file("case/b.log", days=100)
    facts = volume.plan(
        DELETED, {**APP, "name": "big"}, holds=[{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}]
    )
    assert volume.actions() == {"a.log": DELETE}
    assert facts["classes"][0]["held"]["files"] == 1


def test_size_takes_nothing_that_its_archive_would_not_keep_for_the_compliance_minimum(
    volume: Volume,
) -> None:
    """An archive that is kept for 60 days leaves 30 of the 90 to the live file."""
    for days in (20, 40):
        volume.file(f"{days}.log", days=days, content=b"x" * 8192)
    sized = {"name": "app", "globs": ["*.log"], "keep_size": 0, "archive_keep_days": 60, "minimum_days": 90}
    volume.plan(sized)
    assert list(volume.actions()) == ["40.log"]


def test_a_hold_on_a_log_holds_what_it_is_rotated_to(volume: Volume) -> None:
    held = (
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "app.log-20261121",
        "app.log.2026-11-21.gz",
        "x/app.log.3",
    )
    for name in (*held, "app.log.old", "app.logs.1", "myapp.log.1"):
        volume.file(name, days=30)
    volume.plan(
        {**DELETED, "globs": ["**"]}, holds=[{"case": "1", "owner": "Legal", "globs": ["**/app.log"]}]
    )
    assert sorted(volume.actions()) == ["app.log.old", "app.logs.1", "myapp.log.1"]


def test_a_hold_wins_over_size_too(volume: Volume) -> None:
    volume.file("case/b.log", days=3, content=b"x" * 9000)
    hold = [{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}]
    facts = volume.plan({**APP, "keep_size": 0}, holds=hold)
    assert volume.actions() == {}
    assert facts["classes"][0]["held"]["files"] == 1


def test_symbolic_links_are_never_followed(volume: Volume, tmp_path: Path) -> None:
    outside = Volume(tmp_path / "outside")
    outside.file("secret.log", days=100)
    (volume.root / "dir.log").symlink_to(outside.root)
    (volume.root / "file.log").symlink_to(outside.root / "secret.log")
    (volume.root / "dangling.log").symlink_to("nowhere")
    for name in ("dir.log", "file.log", "dangling.log"):
        volume.age(name, 100)
    facts = volume.plan()
    assert volume.actions() == {}
    assert facts["left"]["links"]["files"] == 3


def test_a_root_that_is_a_link_is_refused(volume: Volume, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(volume.root)
    with pytest.raises(StepError, match="links are not followed"):
        Volume(tmp_path / "link").plan()


def test_a_directory_swapped_for_a_link_is_not_entered(volume: Volume, tmp_path: Path) -> None:
    outside = Volume(tmp_path / "outside")
    outside.file("secret.log", days=100)
    volume.file("a/x.log", days=100)
    request = volume.request()
    request.layout.prepare()
    original = Sifter.directory

    def swap(self: Sifter, path: bytes, descriptor: int, walk: object) -> None:
        original(self, path, descriptor, walk)  # type: ignore[arg-type]
        if not path and (volume.root / "a").is_dir():
            (volume.root / "a").rename(tmp_path / "moved")
            (volume.root / "a").symlink_to(outside.root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sifter, "directory", swap)
        volume.plan()
    assert volume.actions() == {}


def test_special_files_are_left(volume: Volume) -> None:
    os.mkfifo(volume.root / "pipe.log")
    volume.age("pipe.log", 100)
    assert volume.plan()["left"]["special"]["files"] == 1
    assert volume.actions() == {}


def test_sparse_files_count_as_what_they_take(volume: Volume) -> None:
    path = volume.file("sparse.log", content=b"")
    os.truncate(path, 1 << 30)
    with path.open("r+b") as file:
        file.write(b"x" * 4096)
    volume.age("sparse.log", 30)
    facts = volume.plan()
    assert 0 < facts["freed"] < MIB
    assert volume.entries()["sparse.log"].size == 1 << 30


def test_zero_length_files_go_and_free_nothing(volume: Volume) -> None:
    volume.file("empty.log", days=30, content=b"")
    facts = volume.plan(DELETED)
    assert (facts["files"], facts["freed"]) == (1, 0)


def test_hard_links_free_space_once_and_only_with_the_last(volume: Volume) -> None:
    volume.file("both/1.log", days=30, content=b"x" * 8192)
    os.link(volume.root / "both/1.log", volume.root / "both/2.log")
    volume.file("one/1.log", days=30, content=b"x" * 8192)
    os.link(volume.root / "one/1.log", volume.root / "one/kept.txt")
    facts = volume.plan(DELETED)
    found = volume.entries()
    assert {path: (e.nlink, e.links_planned) for path, e in found.items()} == {
        "both/1.log": (2, 2), "both/2.log": (2, 2), "one/1.log": (2, 1),
    }  # fmt: skip
    assert facts["freed"] == (volume.root / "both/1.log").stat().st_blocks * 512


def test_bytes_of_an_open_file_with_another_name_stay(volume: Volume) -> None:
    path = volume.file("app.log", days=30, content=b"x" * 2 * MIB)
    os.link(path, volume.root / "held.txt")
    with path.open("ab"):
        facts = volume.plan()
    assert volume.actions() == {}
    assert facts["left"]["open_hard_links"]["examples"] == ["app.log"]


def test_names_that_are_no_utf8_and_names_with_anything_in_them(volume: Volume) -> None:
    names = [
        b"d/\xff\xfe.log",
        b"d/new\nline.log",
        b"d/ blank .log",
        b"d/'quote\".log",
        "d/größe.log".encode(),
    ]
    for name in names:
        volume.file(name, days=30)
    facts = volume.plan(DELETED)
    assert {os.fsencode(path) for path in volume.actions()} == set(names)
    assert "d/\\xff\\xfe.log" in facts["classes"][0]["examples"]["delete"]
    assert "d/new\\nline.log" in facts["classes"][0]["examples"]["delete"]


def test_the_future_is_kept_and_said(volume: Volume) -> None:
    volume.file("tomorrow.log", days=-1)
    facts = volume.plan({**APP, "keep_days": 0})
    assert volume.actions() == {}
    assert facts["left"]["future"]["examples"] == ["tomorrow.log"]


def test_the_future_is_not_taken_by_size_either(volume: Volume) -> None:
    volume.file("tomorrow.log", days=-1, content=b"x" * 8192)
    facts = volume.plan({**APP, "keep_days": None, "keep_size": 4096})
    assert volume.actions() == {}
    assert facts["left"]["future"]["examples"] == ["tomorrow.log"]
    assert "minimum_days" not in facts["left"]


def test_what_was_written_after_the_run_was_asked_for_is_beyond_the_size_all_the_same(volume: Volume) -> None:
    volume.file("app.log", days=0, content=b"x" * 65536)
    asked = datetime.fromtimestamp(time.time() - 3600, UTC).isoformat()
    facts = volume.plan({**APP, "keep_days": None, "keep_size": 0}, as_of=asked)
    assert volume.actions() == {"app.log": ARCHIVE_DELETE}
    assert facts["left"] == {}


def test_what_was_written_since_the_run_was_asked_for_is_no_future(volume: Volume) -> None:
    volume.file("now.log")
    assert "future" not in volume.plan(as_of="2026-01-01T00:00:00+00:00")["left"]


def test_a_rerun_decides_as_of_the_moment_the_run_was_asked_for(volume: Volume) -> None:
    volume.file("a.log", days=7.5)
    volume.plan(as_of="2000-01-01T00:00:00+00:00", run="past")
    assert volume.actions("past") == {}
    volume.plan(as_of="2100-01-01T00:00:00+00:00", run="ahead", take_over="log_cleanup/past")
    volume.file("b.log", days=1)
    assert volume.actions("ahead") == {"a.log": ARCHIVE_DELETE}


def test_errors_of_one_directory_stop_no_other(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    volume.file("a/x.log", days=30)
    volume.file("b/x.log", days=30)
    original = os.open

    def refusing(path: object, *arguments: object, **more: object) -> int:
        if path == b"a":
            raise PermissionError(13, "Permission denied")
        return original(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("include.logs.program.walking.os.open", refusing)
    facts = volume.plan()
    monkeypatch.undo()
    assert volume.actions() == {"b/x.log": ARCHIVE_DELETE}
    assert facts["unreadable_examples"] == ["a: Permission denied"]


def test_the_clean_ups_own_things_are_of_no_class(volume: Volume) -> None:
    volume.file(".log-cleanup/archives/a.log", days=900)
    volume.file("arch/archives/a.log", days=900)
    volume.file("arch2/a.log", days=900)
    volume.plan(archive_to=str(volume.root / "arch"))
    assert volume.actions() == {"arch2/a.log": ARCHIVE_DELETE}


def test_an_old_file_that_is_open_is_freed_within_not_deleted(volume: Volume) -> None:
    path = volume.file("app.log", days=30, content=b"x" * 2 * MIB)
    with path.open("ab"):
        facts = volume.plan()
    entry = volume.entries()["app.log"]
    assert (entry.action, entry.start, entry.end) == (ARCHIVE_PUNCH, 0, 2 * MIB)
    assert facts["freed"] == 2 * MIB


def test_a_small_one_that_is_open_is_not_planned_as_if_it_went(volume: Volume) -> None:
    small, page = volume.file("small.log", days=30), volume.file("page.log", days=30, content=b"x" * 8192)
    volume.file("shut.log", days=30)
    with small.open("ab"), page.open("rb"):
        facts = volume.plan()
    assert volume.actions() == {"page.log": ARCHIVE_PUNCH, "shut.log": ARCHIVE_DELETE}
    assert facts["left"]["open"]["examples"] == ["small.log"]


def test_beyond_some_thousand_small_files_only_the_delete_step_asks(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.logs.program.sifting.MOST_ASKED", 1)
    paths = [volume.file(f"{number}.log", days=30) for number in range(3)]
    with paths[0].open("ab"), paths[1].open("ab"), paths[2].open("ab"):
        facts = volume.plan()
    assert (len(volume.actions()), facts["left"]["open"]["files"]) == (2, 1)


def test_without_an_archive_it_is_punched_only(volume: Volume) -> None:
    path = volume.file("app.log", days=30, content=b"x" * 2 * MIB)
    with path.open("ab"):
        volume.plan(DELETED)
    assert volume.actions() == {"app.log": PUNCH}


@pytest.mark.parametrize(("accept", "action"), [("", None), ("the writer waits for nobody", TRUNCATE)])
def test_truncated_only_where_config_accepts_the_loss(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, accept: str, action: str | None
) -> None:
    monkeypatch.setattr("include.logs.program.planning.punchable", lambda path: False)
    path = volume.file("app.log", days=30, content=b"x" * 2 * MIB)
    with path.open("ab"):
        facts = volume.plan({**APP, "accept_loss": accept})
    assert volume.actions().get("app.log") == action
    assert ("open_not_punchable" in facts["left"]) is (action is None)


def test_a_class_that_was_never_cleaned_here_is_named(volume: Volume) -> None:
    volume.file("a.log", days=30)
    assert volume.plan()["new_classes"] == ["app"]
    point = history.Point(time.time(), "x", history.AFTER, 1, 2, 1, {}, ["app"])
    history.append(volume.request().layout.history, [history.point_line(point)])
    assert volume.plan(run="r2", take_over="log_cleanup/r1")["new_classes"] == []


def test_a_finished_plan_is_answered_again(volume: Volume) -> None:
    volume.file("a.log", days=30)
    first = volume.plan()
    volume.file("b.log", days=30)
    assert volume.plan() == {**first, "done_before": True}


def test_a_dry_run_plans_what_a_real_run_does(volume: Volume) -> None:
    for number in range(5):
        volume.file(f"a/{number}.log", days=5 * number, content=b"x" * 5000 * number)
    volume.file("b.txt", days=50)
    moment = "2026-01-01T00:00:00+00:00"
    dry = volume.plan(run="dry", dry_run=True, as_of=moment)
    real = volume.plan(run="real", as_of=moment)
    assert volume.entries("dry") == volume.entries("real")
    told = ("classes", "files", "freed", "left", "unclassified", "new_classes")
    assert [dry[key] for key in told] == [real[key] for key in told]


def test_planning_changes_no_file(volume: Volume) -> None:
    path = volume.file("a.log", days=30, content=b"x" * 2 * MIB)
    seen = path.stat()
    volume.plan()
    after = path.stat()
    assert (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_blocks) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_blocks,
    )


def test_the_answer_is_bounded(volume: Volume) -> None:
    for number in range(40):
        volume.file(f"{'long' * 50}{number}.log", days=30)
    classes = [{"name": f"c{n}", "globs": [f"*{n}.log"], "keep_days": 1} for n in range(40)]
    step("plan", volume.request(*classes))
    assert (volume.root / ".log-cleanup/runs/r1/plan.json").stat().st_size <= 32 * 1024
