"""The environment is made once, whole or not at all."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import make_venv


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with empty requirements: the environment is real, but takes a second."""
    for name in make_venv.LEVELS.values():
        (tmp_path / name).write_text("# nothing\n")
    monkeypatch.setattr(make_venv, "ROOT", tmp_path)
    monkeypatch.setattr(make_venv, "NEEDED_BYTES", 1)
    return tmp_path


def test_is_made_once(checkout: Path) -> None:
    assert make_venv.main(["base"]) == 0
    assert (checkout / ".venv/bin/python").exists()
    made = (checkout / ".venv/complete.json").stat().st_mtime_ns
    assert make_venv.build(checkout / ".venv", "base") is False
    assert (checkout / ".venv/complete.json").stat().st_mtime_ns == made


def test_what_is_half_built_is_made_anew(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/left").write_text("of an interrupted install")
    assert make_venv.main(["base"]) == 0
    assert "half-built" in capsys.readouterr().out
    assert not (checkout / ".venv/left").exists()


def test_what_checks_need_is_added_without_starting_over(checkout: Path) -> None:
    make_venv.main(["base"])
    (checkout / ".venv/kept").touch()
    assert make_venv.missing_levels(checkout / ".venv", "dev") == (["dev"], False)
    assert make_venv.main(["dev"]) == 0
    assert (checkout / ".venv/kept").exists()
    assert make_venv.missing_levels(checkout / ".venv", "base") == ([], False)


def test_other_requirements_another_place_or_a_lost_interpreter_make_it_anew(checkout: Path) -> None:
    venv = checkout / ".venv"
    make_venv.main(["base"])
    (checkout / "requirements.txt").write_text("# other\n")
    assert make_venv.missing_levels(venv, "base") == (["base"], True)
    (checkout / "requirements.txt").write_text("# nothing\n")
    assert make_venv.missing_levels(venv, "base") == ([], False)
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/nonexistent/python")
    assert make_venv.missing_levels(venv, "base") == (["base"], True)


def test_a_full_disk_is_said_before_anything_is_made(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_venv, "NEEDED_BYTES", 1_500_000_000)
    monkeypatch.setattr(make_venv.shutil, "disk_usage", lambda _: SimpleNamespace(free=200_000_000))
    assert make_venv.main(["base"]) == 1
    assert "not enough disk space" in capsys.readouterr().err
    assert not (checkout / ".venv").exists()


def test_a_failing_install_is_one_line_and_does_not_count(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "requirements.txt").write_text("certifi==0.0.0 --hash=sha256:" + "0" * 64 + "\n")
    assert make_venv.main(["base"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: the packages could not be installed: ")
    assert len(said.splitlines()) == 1
    assert make_venv.recorded(checkout / ".venv") == {}
    (checkout / "requirements.txt").write_text("# put right\n")
    assert make_venv.main(["base"]) == 0


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        (
            "WARNING: Retrying (Retry(total=0)) ... NewConnectionError\nERROR: No matching distribution",
            "cannot be reached",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "pip: THESE PACKAGES DO NOT MATCH THE HASHES"),
    ],
)
def test_pip_s_failures_are_told_apart(tmp_path: Path, log: str, said: str) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    assert said in make_venv.pip_failure(path)


def test_two_at_once_do_not_build_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        release = threading.Timer(0.3, lambda: fcntl.flock(first, fcntl.LOCK_UN))
        release.start()
        begun = time.monotonic()
        with make_venv.exclusive(lock):
            waited = time.monotonic() - begun
        release.join()
    assert waited > 0.2
    assert "another make is setting up" in capsys.readouterr().out


def test_pins_have_hashes_and_name_no_index() -> None:
    root = Path(make_venv.__file__).resolve().parent.parent
    for name in make_venv.LEVELS.values():
        text = (root / name).read_text()
        assert "--hash=sha256:" in text
        assert "index-url" not in text
        assert "://" not in text
