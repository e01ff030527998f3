from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from include.logs.program import holder
from include.logs.program.__main__ import step
from include.logs.program.problems import HELD, HeldByOtherError
from tests.include.logs.program.planned import Volume

HOLD = """
import sys, time
from include.logs.program import holder, request
from tests.include.logs.program.planned import Volume
from pathlib import Path
asked = Volume(Path(sys.argv[1])).request(run="first")
asked.layout.prepare()
with holder.working(asked):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def _working(volume: Volume) -> subprocess.Popen[str]:
    """A process in the middle of a step of run ``first``."""
    checkout = Path(__file__).parents[4]
    command = [sys.executable, "-c", HOLD, str(volume.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=checkout)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_airflow_maintenance_dags_lock_a_killed_step_blocks_nobody(volume: Volume) -> None:
    process = _working(volume)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert step("measure", volume.request(run="first"))["ok"]
    after = volume.request(run="second", take_over="log_cleanup/first")
    assert step("measure", after)["ok"]
    assert (holder.read_holder(after.layout) or {})["run"] == "log_cleanup/second"


def test_airflow_maintenance_dags_lock_a_living_one_refuses_and_is_named(volume: Volume) -> None:
    process = _working(volume)
    try:
        for take_over in ("", "log_cleanup/first"):
            with pytest.raises(HeldByOtherError, match="log_cleanup/first") as refused:
                step("measure", volume.request(run="second", take_over=take_over))
            assert refused.value.code == HELD
            assert refused.value.facts["holder"]["run"] == "log_cleanup/first"
            assert refused.value.facts["holder"]["working"] is True
    finally:
        process.kill()
        process.wait()


def test_between_its_steps_a_run_holds_the_volume_too(volume: Volume) -> None:
    step("measure", volume.request(run="first", open_days=1))
    with pytest.raises(
        HeldByOtherError, match=r"held by log_cleanup/first since .*changed nothing"
    ) as refused:
        step("measure", volume.request(run="second"))
    assert "working" not in refused.value.facts["holder"]
    assert not (volume.root / ".log-cleanup" / "runs" / "second" / "measure.json").exists()


def test_a_dry_run_goes_on_beside_it_and_changes_nothing(volume: Volume) -> None:
    volume.file("a.log", days=30)
    step("measure", volume.request(run="first"))
    history = (volume.root / ".log-cleanup" / "history.jsonl").read_bytes()
    assert volume.plan(run="second", dry_run=True)["files"] == 1
    assert (volume.root / ".log-cleanup" / "history.jsonl").read_bytes() == history
    assert (holder.read_holder(volume.request().layout) or {})["run"] == "log_cleanup/first"
    with pytest.raises(Exception, match="dry run"):
        step("delete", volume.request(run="second", dry_run=True))


def test_the_last_step_lets_the_volume_go(volume: Volume) -> None:
    step("measure", volume.request(run="first"))
    assert step("report", volume.request(run="first"))["released"] is True
    assert step("measure", volume.request(run="second"))["ok"]


def test_release_lets_go_ones_own_hold_or_the_one_named(volume: Volume) -> None:
    step("measure", volume.request(run="first"))
    assert step("release", volume.request(run="second"))["released"] is False
    assert step("release", volume.request(run="second", take_over="log_cleanup/first"))["released"] is True
    assert step("release", volume.request(run="second"))["holder"] is None


def test_where_there_are_no_locks_one_of_two_that_come_at_once_wins(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(holder.fcntl, "flock", no_locks)
    step("measure", volume.request(run="first"))
    answers = iter([None])  # the second has looked before the first had noted its hold
    look = holder.read_holder
    monkeypatch.setattr(holder, "read_holder", lambda layout: next(answers, look(layout)))
    with pytest.raises(HeldByOtherError, match="held by log_cleanup/first since"):
        step("measure", volume.request(run="second"))
    names = [path.name for path in (volume.root / ".log-cleanup").iterdir() if "partial" in path.name]
    assert names == []


@pytest.mark.parametrize("links", [True, False])
def test_where_there_are_no_locks_one_of_two_takes_over_from_a_third(
    links: bool, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some have no hard links either."""

    def not_here(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(holder.fcntl, "flock", not_here)
    if not links:
        monkeypatch.setattr(holder.os, "link", not_here)
    step("measure", volume.request(run="ended"))
    ended = holder.read_holder(volume.request().layout)
    step("measure", volume.request(run="first", take_over="log_cleanup/ended"))
    answers = iter([ended])  # the second has looked before the first had taken over
    look = holder.read_holder
    monkeypatch.setattr(holder, "read_holder", lambda layout: next(answers, look(layout)))
    with pytest.raises(HeldByOtherError, match="held by log_cleanup/first since"):
        step("measure", volume.request(run="second", take_over="log_cleanup/ended"))
    assert step("plan", volume.request(run="first"))["ok"]
    assert [path.name for path in (volume.root / ".log-cleanup").glob("holder*")] == ["holder.json"]


def test_runs_of_two_airflows_by_one_name_are_two(volume: Volume) -> None:
    one, other = ("https://airflow.example.com/dags/x", "https://airflow.test/dags/x")
    step("measure", volume.request(run="first", link=one))
    with pytest.raises(HeldByOtherError, match="held by log_cleanup/first since ") as refused:
        step("plan", volume.request(run="first", link=other))
    assert refused.value.facts["holder"]["link"] == one
    assert step("release", volume.request(run="first", link=other))["released"] is False
    assert step("plan", volume.request(run="first"))["ok"]  # without a page they cannot be told apart
    assert step("release", volume.request(run="first", link=one))["released"] is True


def test_a_holder_that_cannot_be_read_is_no_free_volume(volume: Volume) -> None:
    step("measure", volume.request(run="first"))
    (volume.root / ".log-cleanup" / "holder.json").write_text("{")
    with pytest.raises(HeldByOtherError, match="unknown"):
        step("measure", volume.request(run="second"))
    assert step("measure", volume.request(run="third", take_over="unknown"))["ok"]


def test_a_link_in_the_place_of_the_lock_is_not_followed(volume: Volume, tmp_path: Path) -> None:
    (volume.root / ".log-cleanup").mkdir()
    (volume.root / ".log-cleanup" / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="cannot be opened"):
        step("measure", volume.request())
    assert not (tmp_path / "elsewhere").exists()
