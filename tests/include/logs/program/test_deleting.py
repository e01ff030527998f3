"""Deleting: what is open, changed, held or swapped stays; what was archived goes only when it was verified."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.include.logs.program.cleaned import Volume

DELETED_ONLY = [{"name": "app", "globs": ["**"], "keep_days": 7, "archive": False}]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path, classes=DELETED_ONLY)


def test_what_is_old_goes_and_the_space_is_counted(volume: Volume) -> None:
    volume.write("a/old.log", b"x" * 10_000)
    volume.write("a/young.log", b"y" * 10_000, days=1)
    answer = volume.clean()
    assert volume.live() == ["a/young.log"]
    assert answer.facts["deleted"] == 1
    assert answer.facts["freed_bytes"] >= 10_000


def test_airflow_maintenance_dags_55_an_open_file_is_not_unlinked_and_its_holder_is_named(
    volume: Volume,
) -> None:
    path = volume.write("app/old.log", b"x" * 5000)
    volume.step("plan")
    with path.open("rb"):
        answer = volume.step("delete")
    assert volume.live() == ["app/old.log"]
    assert answer.facts["left"]["open"]["files"] == 1
    assert answer.facts["open"] == [
        {"path": "app/old.log", "by": [f"{Path('/proc/self/comm').read_text().strip()} ({os.getpid()})"]}
    ]
    assert "space would not come back" in answer.text
    volume.next_run("run-2")
    assert volume.clean().facts["deleted"] == 1


def test_a_file_that_changes_between_plan_and_delete_stays(volume: Volume) -> None:
    path = volume.write("app/a.log", b"old\n")
    volume.write("app/b.log", b"old\n")
    volume.step("plan")
    path.write_bytes(b"new line\n")
    answer = volume.step("delete")
    assert volume.live() == ["app/a.log"]
    assert answer.facts["left"]["changed"]["examples"] == ["app/a.log"]


def test_a_link_swapped_in_between_plan_and_delete_is_not_followed(volume: Volume, tmp_path: Path) -> None:
    for name in ("dir/a.log", "b.log", "c.log"):
        volume.write(name, b"old\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.log").write_bytes(b"precious\n")
    volume.step("plan")
    (volume.root / "dir").rename(tmp_path / "moved")
    (volume.root / "dir").symlink_to(elsewhere)
    (volume.root / "b.log").unlink()
    (volume.root / "b.log").symlink_to(elsewhere / "a.log")
    answer = volume.step("delete")
    assert (elsewhere / "a.log").read_bytes() == b"precious\n"
    assert volume.live() == ["b.log", "dir"]
    assert answer.facts["left"]["changed"]["files"] == 2


def test_a_pipe_in_a_file_s_place_stops_nobody(volume: Volume) -> None:
    path = volume.write("a.log", b"old\n")
    volume.step("plan")
    path.unlink()
    os.mkfifo(path)
    assert volume.step("delete").facts["left"]["changed"]["files"] == 1


def test_hard_links_go_together_and_their_space_is_counted_once(volume: Volume) -> None:
    path = volume.write("a.log", b"x" * 8192)
    os.link(path, volume.root / "b.log")
    answer = volume.clean()
    assert volume.live() == []
    assert answer.facts["deleted"] == 2
    assert answer.facts["freed_bytes"] == 8192


def test_a_hold_that_came_after_the_plan_wins(volume: Volume) -> None:
    volume.write("case/a.log", b"old\n")
    volume.write("b.log", b"old\n")
    volume.step("plan")
    volume.holds = [{"case": "4711", "owner": "Legal", "globs": ["case/**"]}]
    answer = volume.step("delete")
    assert volume.live() == ["case/a.log"]
    assert answer.facts["left"]["held"]["examples"] == ["case/a.log"]


def test_nothing_that_is_to_be_archived_goes_before_its_archive_is_verified(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    volume.write("a.log", b"old\n")
    volume.step("plan")
    assert "not verified" in volume.step("delete", expect=1).text
    volume.step("archive")
    assert "not verified" in volume.step("delete", expect=1).text
    assert volume.live() == ["a.log"]
    volume.step("verify")
    assert volume.step("delete").facts["deleted"] == 1


def test_what_the_user_may_not_remove_is_counted_and_stops_nobody(volume: Volume) -> None:
    volume.plain_user = True
    volume.write("mine/a.log", b"old\n")
    volume.write("theirs/b.log", b"old\n")
    (volume.root / "theirs").chmod(0o555)
    answer = volume.clean()
    assert volume.live() == ["theirs/b.log"]
    assert answer.facts["left"]["unreadable"]["examples"] == ["theirs/b.log: Permission denied"]


def test_an_unreadable_file_is_not_archived_and_so_not_deleted(tmp_path: Path) -> None:
    volume = Volume(tmp_path, plain_user=True)
    volume.write("a.log", b"old\n")
    volume.write("b.log", b"old\n").chmod(0)
    for command in ("plan", "archive"):
        answer = volume.step(command)
    assert answer.facts["left"]["unreadable"]["examples"] == ["b.log: Permission denied"]
    volume.step("verify")
    volume.step("delete")
    assert volume.live() == ["b.log"]


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("accept_loss", ["", "nobody reads it"])
def test_a_log_that_was_cut_off_and_grew_again_since_the_plan_keeps_its_lines(
    volume: Volume, accept_loss: str, archive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.logs.program import planning

    volume.classes = [{**DELETED_ONLY[0], "archive": archive, "accept_loss": accept_loss}]
    if accept_loss:
        monkeypatch.setattr(planning, "punchable", lambda _: False)
    path = volume.write("app.log", b"".join(b"old %09d\n" % number for number in range(20_000)))
    with path.open("ab"):
        answer = volume.step("plan")
        assert list(answer.facts["classes"][0]["actions"]) == [
            "truncate" if accept_loss else "archive_punch" if archive else "punch"
        ]
        os.truncate(path, 0)
        fresh = b"".join(b"new %09d\n" % number for number in range(25_000))
        path.write_bytes(fresh)
        if archive:
            volume.step("archive")
            volume.step("verify")
        answer = volume.step("delete")
    assert path.read_bytes() == fresh
    assert archive or answer.facts["left"]["changed"]["examples"] == ["app.log"]
    assert volume.archives == []


@pytest.mark.parametrize("accept_loss", ["", "nobody reads it"])
def test_a_log_that_got_another_name_since_the_plan_keeps_its_bytes(
    volume: Volume, accept_loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.logs.program import planning

    volume.classes = [{**DELETED_ONLY[0], "accept_loss": accept_loss}]
    if accept_loss:
        monkeypatch.setattr(planning, "punchable", lambda _: False)
    path = volume.write("app.log", b"x" * 300_000)
    with path.open("ab"):
        volume.step("plan")
        os.link(path, volume.root / "evidence.log")
        answer = volume.step("delete")
    assert (volume.root / "evidence.log").read_bytes() == b"x" * 300_000
    assert answer.facts["left"]["changed"]["examples"] == ["app.log"]


APPENDER = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as log:
    number = int(sys.argv[2])
    while True:
        log.write(b"line %09d\\n" % number)
        number += 1
        time.sleep(0.0005)
"""


def test_no_line_is_lost_when_the_range_of_a_live_log_is_punched(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    path = volume.write("app.log", b"".join(b"line %09d\n" % number for number in range(200_000)))
    appender = subprocess.Popen([sys.executable, "-c", APPENDER, str(path), "200000"])
    try:
        while path.stat().st_size <= 200_000 * 15:
            time.sleep(0.01)
        volume.age(path, 30)
        blocks = path.stat().st_blocks
        plan_open_file(volume, path)
        for command in ("archive", "verify"):
            volume.step(command)
        answer = volume.step("delete")
        time.sleep(0.1)
    finally:
        appender.kill()
        appender.wait()
    assert answer.facts["punched"] == 1
    assert answer.facts["freed"]["punched"] > 2_900_000
    assert path.stat().st_blocks < blocks // 2
    volume.step("restore", restore={"globs": ["app.log"], "to": "back"})
    lines = (volume.root / "back/app.log").read_bytes() + path.read_bytes().lstrip(b"\0")
    assert lines == b"".join(b"line %09d\n" % number for number in range(lines.count(b"\n")))
    assert lines.count(b"\n") > 200_000


def plan_open_file(volume: Volume, path: Path) -> None:
    """Plan to archive and punch what a live log has now, up to its last whole line."""
    from include.logs.program import punching
    from include.logs.program.entries import ARCHIVE_PUNCH, Entry, write_plan
    from include.logs.program.growing import SEEN
    from include.logs.program.history import tail_of

    found = path.stat()
    with path.open("rb") as file:
        end = punching.line_end(file.fileno(), 0, found.st_size)
        tail = tail_of(file.fileno(), end, SEEN)
    entry = Entry(
        os.fsencode(path.relative_to(volume.root)), found.st_dev, found.st_ino, found.st_size, found.st_blocks,
        found.st_mtime_ns, 1, 1, "app", ARCHIVE_PUNCH, 0, end, tail,
    )  # fmt: skip
    run = volume.state / "runs" / volume.run
    run.mkdir(parents=True, exist_ok=True)
    write_plan(str(run / "plan"), {"classes": ["app"], "dev": found.st_dev, "holds": []}, [entry])


def test_not_one_rm_per_file_nor_any_other_process(volume: Volume) -> None:
    """``xargs -n1 rm`` and ``find -exec rm {} ;`` begin a process for each file: 0.8 thousand files a second."""
    (volume.root / "app").mkdir()
    for number in range(3000):
        path = volume.root / f"app/{number}.log"
        path.touch()
        os.utime(path, (1e9, 1e9))
    volume.step("plan", workers=2)
    code = (
        "import os, runpy, sys\n"
        "noted = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "begins = ('os.fork', 'os.forkpty', 'os.exec', 'os.posix_spawn', 'os.system', 'subprocess.Popen')\n"
        "sys.addaudithook(lambda event, _: event in begins and os.write(noted, event.encode() + b'\\n'))\n"
        "runpy.run_module('logcleanup', run_name='__main__', alter_sys=True)\n"
    )
    arguments = volume.command("delete", workers=2)[3:]
    noted = volume.base / "begun"
    subprocess.run(
        [sys.executable, "-c", code, noted, *arguments], env=volume.environment, check=True, timeout=120
    )
    assert volume.live() == []
    begun = noted.read_text().splitlines()
    assert set(begun) == {"os.fork"}  # no program at all
    assert len(begun) <= 2


def test_a_directory_that_has_become_empty_stays(volume: Volume) -> None:
    """Who writes there may count on it, with its owner and mode."""
    volume.write("2026/11/21/a.log", b"line\n")
    volume.clean()
    assert volume.live() == []
    assert (volume.root / "2026/11/21").is_dir()
