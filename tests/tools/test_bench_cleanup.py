"""The clean-up's benchmark: its arithmetic, its trees, and one small round from end to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tools.bench_cleanup import tools, trees
from tools.bench_cleanup.__main__ import main, run, turned
from tools.bench_cleanup.figures import Figures, line, misses
from tools.bench_cleanup.memory import Peak
from tools.bench_cleanup.options import Options, read
from tools.demo.options import DemoError

KEYS = {
    "delete_ratio_find",
    "delete_ratio_tmpreaper",
    "archive_ratio_equal_work",
    "archive_ratio_bare",
    "archive_gzip_ratio",
    "archive_and_delete_ratio",
    "rss_mb_million_files",
}


def test_ratios_are_ours_over_theirs_by_medians() -> None:
    figures = Figures(
        {tools.OURS_DELETE: [3.0, 1.0, 2.0], tools.FIND: [1.0, 1.0, 9.0], tools.OURS_ZSTD: [1.0]},
        peaks=[Peak("plan", 21.04, 3), Peak("archive", 70.06, 9)],
    )
    results = figures.results()
    assert set(results) == KEYS
    assert results["delete_ratio_find"] == 2.0
    assert results["archive_ratio_bare"] is None
    assert results["rss_mb_million_files"] == 70.1
    assert misses(results) == ["delete_ratio_find is 2.0, the aim is at most 1.15"]
    assert json.loads(line(results)) == results


def test_another_tool_begins_in_each_round(tmp_path: Path) -> None:
    found = tools.deleting(tools.Program(tmp_path), "tmpreaper")
    assert {turned(found, number)[0].name for number in range(3)} == {each.name for each in found}


def test_a_tool_that_did_not_do_its_work_is_told(tmp_path: Path) -> None:
    trees.make(tmp_path / "tree", 20)
    idle = tools.Tool("idle", lambda _root: None, tools.deleting(tools.Program(tmp_path), None)[1].check)
    with pytest.raises(DemoError, match="20 files are left"):
        tools.measure(idle, tmp_path / "tree")


def test_options() -> None:
    assert read({}) == Options()
    assert read({"FILES": "5000", "MILLION": "0", "COLD": "1"}) == Options(files=5000, million=0, cold=True)
    with pytest.raises(DemoError, match="FILES=few"):
        read({"FILES": "few"})


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
def test_a_small_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.bench_cleanup.__main__.find_tmpreaper", lambda home: None)
    options = Options(files=1100, large=1, large_mb=8, rounds=1, million=1000, home=tmp_path)
    results = run(options, lambda text: None).results()
    assert results.pop("delete_ratio_tmpreaper") is None
    assert all(value and value > 0 for value in results.values())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_end_says_what_was_measured(
    end: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(_options: Options, _say: object, figures: Figures) -> None:
        figures.seconds[tools.OURS_DELETE] = [3.0]
        figures.seconds[tools.FIND] = [2.0]
        os.kill(os.getpid(), end)
        signal.pause()

    monkeypatch.setattr("tools.bench_cleanup.__main__.run", run)
    monkeypatch.setenv("BENCH_DIR", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    # One of several processes that run tests ignores Ctrl-C.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main() == 130
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(results) == KEYS
    assert results["delete_ratio_find"] == 1.5
    assert results["archive_ratio_bare"] is None
