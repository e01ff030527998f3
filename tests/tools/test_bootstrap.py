"""The first minute of a newcomer: which Python, and what is said when there is none that will do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def fake_python(folder: Path, name: str, version: str, lacks: str = "") -> Path:
    """A program that answers the probe as a Python of that version, without the module ``lacks``."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    answer = f"echo {version}\n"
    answer += (
        f"echo \"ModuleNotFoundError: No module named '{lacks}'\" >&2; exit 1\n" if lacks else "echo ok\n"
    )
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] || {{ echo chosen {name}; exit 0; }}\n{answer}')
    path.chmod(0o755)
    return path


def bootstrap(
    path: Path, runner: str = "import runpy", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run tools/bootstrap.py with only ``path`` on PATH, as a Python that is too old itself."""
    code = f"import sys, runpy; sys.executable = ''; sys.version_info = (3, 8, 18); {runner}; " + (
        f"sys.argv = ['bootstrap.py', 'base']; runpy.run_path({str(ROOT / 'tools/bootstrap.py')!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_takes_the_newest_supported_python_on_the_path(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.11", "3.11")
    fake_python(tmp_path, "python3.12", "3.12")
    done = bootstrap(tmp_path)
    assert (done.returncode, done.stdout) == (0, "chosen python3.12\n")


def test_takes_the_python_that_is_asked_for(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.11", "3.11")
    fake_python(tmp_path, "python3.12", "3.12")
    assert bootstrap(tmp_path, PYTHON="python3.11").stdout == "chosen python3.11\n"


def test_passes_over_a_python_without_venv(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.13", "3.13", lacks="ensurepip")
    fake_python(tmp_path, "python3.11", "3.11")
    assert bootstrap(tmp_path).stdout == "chosen python3.11\n"


@pytest.mark.parametrize(
    ("pythons", "environment", "said"),
    [
        ([], {}, "needs Python 3.11 to 3.13, found 3.8"),
        ([("python3.13", "3.13", "ensurepip")], {}, "sudo apt install python3.13-venv"),
        ([("python3.12", "3.12", "sqlite3")], {}, "no module sqlite3"),
        ([("python3.9", "3.9", "")], {"PYTHON": "python3.9"}, "PYTHON=python3.9 is 3.9"),
        ([], {"PYTHON": "python7"}, "PYTHON=python7 is not found"),
    ],
)
def test_says_in_one_line_what_is_missing(
    tmp_path: Path, pythons: list[tuple[str, str, str]], environment: dict[str, str], said: str
) -> None:
    for name, version, lacks in pythons:
        fake_python(tmp_path, name, version, lacks)
    done = bootstrap(tmp_path, **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_macos_gets_one_line(tmp_path: Path) -> None:
    done = bootstrap(tmp_path, runner="sys.platform = 'darwin'")
    assert done.returncode == 1
    assert "runs on Linux only" in done.stderr.replace("the demo and the tests run", "runs")
    assert "macOS" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_is_readable_for_python_3_6() -> None:
    import ast

    ast.parse((ROOT / "tools" / "bootstrap.py").read_text(), feature_version=(3, 6))


def test_make_without_any_python_says_so(tmp_path: Path) -> None:
    for tool in ("make", "sh", "env"):
        found = next(
            Path(folder) / tool
            for folder in [*os.defpath.split(":"), "/usr/bin"]
            if (Path(folder) / tool).exists()
        )
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "make", "demo"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 to 3.13" in done.stderr
