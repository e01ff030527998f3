"""The program as it is shipped: a package of its own, run by a command, by the oldest Python it promises."""

from __future__ import annotations

import ast
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import __main__ as program
from include.logs.program import holder
from include.logs.program.entries import PlanWriter
from include.logs.program.problems import BAD_REQUEST, NO_SPACE, StepError
from tests.include.logs.program.planned import APP, Volume

ORDINARY = [] if os.geteuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""The steps have an ordinary user's rights, even where the tests are root's."""
SOURCES = Path(program.__file__).parent


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "logs")


def _shipped(
    volume: Volume, command: str, python: str = sys.executable, **more: Any
) -> tuple[int, dict[str, Any], str]:
    """Run a step as the Job does: exit code, data of the last line, everything printed."""
    package = volume.root.parent / "program" / "logcleanup"
    if not package.exists():
        shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    request = {
        "volume": "logs",
        "root": str(volume.root),
        "run": {"name": "log_cleanup/r1", "slug": "r1"},
        "classes": [APP],
        **more,
    }
    path = volume.root.parent / "request.json"
    path.write_text(json.dumps(request))
    done = subprocess.run(
        [*ORDINARY, python, "-m", "logcleanup", command, "--request", str(path)],
        env={"PYTHONPATH": str(package.parent), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        cwd=volume.root.parent,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    return (
        done.returncode,
        json.loads(last.removeprefix("SUMMARY ")) if last else {},
        done.stdout + done.stderr,
    )


def test_the_last_line_is_the_data(volume: Volume) -> None:
    volume.file("a.log", days=30)
    code, facts, text = _shipped(volume, "plan")
    assert (code, facts["ok"], facts["command"], facts["files"]) == (0, True, "plan", 1)
    assert text.startswith("Plan: 1 file to clean up")


def test_a_wrong_request_ends_with_2(volume: Volume) -> None:
    code, facts, text = _shipped(volume, "plan", floor=20)
    assert (code, facts["ok"], facts["code"]) == (2, False, 2)
    assert text.startswith("request: found 'floor', expected no such key")


def test_a_held_volume_ends_with_3_and_its_holder(volume: Volume) -> None:
    _shipped(volume, "measure")
    code, facts, _ = _shipped(volume, "measure", run={"name": "log_restore/x", "slug": "x"})
    assert (code, facts["holder"]["run"]) == (3, "log_cleanup/r1")


def test_a_volume_that_is_not_there_ends_with_1(volume: Volume) -> None:
    code, facts, text = _shipped(volume, "plan", root="/does/not/exist")
    assert (code, facts["ok"]) == (1, False)
    assert "No such file or directory" in facts["error"]
    assert "Traceback" not in text


def test_directories_that_cannot_be_read_are_said_and_stop_nothing(volume: Volume) -> None:
    volume.file("shut/a.log", days=30)
    volume.file("b.log", days=30)
    (volume.root / "shut").chmod(0)
    try:
        code, facts, text = _shipped(volume, "plan")
    finally:
        (volume.root / "shut").chmod(0o700)
    assert (code, facts["files"], facts["unreadable"]) == (0, 1, 1)
    assert facts["unreadable_examples"] == ["shut: Permission denied"]
    assert "not looked into, shut: Permission denied" in text


def test_an_error_nobody_thought_of_has_its_line_too(
    volume: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    path = volume.root.parent / "request.json"
    path.write_text(
        json.dumps({"volume": "v", "root": str(volume.root), "run": {"name": "a/b", "slug": "b"}})
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("include.logs.program.measuring.usage", lambda request: 1 // 0)
        assert program.main(["measure", "--request", str(path)]) == 1
    facts = json.loads(capsys.readouterr().out.splitlines()[-1].removeprefix("SUMMARY "))
    assert facts["error"] == "ZeroDivisionError: integer division or modulo by zero"


def test_a_volume_with_no_room_for_a_plan_says_so(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(writer: PlanWriter) -> None:
        writer._file.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("include.logs.program.entries.PlanWriter.finish", refuse)
    with pytest.raises(
        StepError, match=r"Volume logs is full: `plan` cannot write its own files below"
    ) as ended:
        program.step("plan", volume.request())
    assert (ended.value.code, ended.value.facts["alert"]) == (NO_SPACE, "volume_full")


def test_two_volumes_of_one_directory_are_told_in_one_run_too(volume: Volume) -> None:
    program.step("plan", volume.request())
    with pytest.raises(StepError, match="is the root of volume logs too") as refused:
        program.step("plan", volume.request(volume="other"))
    assert refused.value.code == BAD_REQUEST


def test_a_step_that_is_cleared_after_the_report_is_reported_and_gives_the_volume_back(
    volume: Volume,
) -> None:
    request = volume.request()
    for command in ("measure", "plan"):
        program.step(command, request)
    first = program.step("report", request)
    assert "delete" in first["missing_steps"]
    assert program.step("report", request)["done_before"]
    for command in ("archive", "verify", "delete", "space"):
        program.step(command, request)
    assert holder.read_holder(request.layout) is not None
    assert program.step("report", request)["missing_steps"] == []
    assert holder.read_holder(request.layout) is None


def test_a_dry_run_reports_what_a_real_run_would_do(volume: Volume) -> None:
    volume.file("a.log", days=30)
    run = {"name": "log_cleanup/dry", "slug": "dry", "dry_run": True}
    assert _shipped(volume, "plan", run=run)[0] == 0
    code, facts, text = _shipped(volume, "report", run=run)
    assert code == 0
    assert "a dry run, nothing was changed" in text
    assert facts["missing_steps"] == ["measure", "archive", "verify", "delete", "space"]
    assert holder.read_holder(volume.request().layout) is None


def test_the_oldest_python_runs_it(volume: Volume) -> None:
    """Python 3.9 where there is one; the sources are checked for it in any case, below."""
    python = shutil.which("python3.9")
    # A version manager's stand-in for it is no Python.
    if python is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Python 3.9 here")
    volume.file("a.log", days=30)
    for command in ("measure", "plan", "archive", "verify", "delete", "space", "report"):
        code, facts, text = _shipped(volume, command, python=python)
        assert code == 0, text
    assert facts["missing_steps"] == []
    assert not (volume.root / "a.log").exists()


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.py")), ids=lambda path: path.name)
def test_each_module_needs_the_standard_library_only_and_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(alias.name.partition(".")[0] in sys.stdlib_module_names for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1 or str(node.module).partition(".")[0] in sys.stdlib_module_names
        elif isinstance(node, ast.Call):
            assert not any(word.arg in ("slots", "strict", "kw_only") for word in node.keywords)
    if len(tree.body) > 1:
        assert "from __future__ import annotations" in path.read_text()


def test_each_command_has_its_module() -> None:
    for module in program.COMMANDS.values():
        assert (SOURCES / f"{module}.py").is_file()
