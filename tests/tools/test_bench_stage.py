"""Where the benchmark runs, and which runs it refuses to count."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.release.loading import Sources
from tools.bench.__main__ import ROUNDS, rounds_in
from tools.bench.measure import environment_of, tried_again
from tools.bench.stage import namespace_of, write_config
from tools.demo.options import DemoError


def test_its_environments_ask_nobody_and_do_not_share_a_namespace(tmp_path: Path):
    names = [environment_of(way, number) for way in ("dag", "script") for number in (1, 2)]
    sources = Sources(tmp_path / "releases", write_config(tmp_path / "config", names))
    found = sources.environments().environments
    assert [each.name for each in found] == ["dag-1", "dag-2", "script-1", "script-2"]
    assert [each.namespace for each in found] == [namespace_of(name) for name in names]
    for each in found:
        assert (each.approval.required, each.gate.required, each.may_trigger) == (False, False, ["*"])
        assert sources.image_lock(each).images


@pytest.mark.parametrize(
    ("state", "number", "again"),
    [
        ("success", 1, False),
        ("skipped", 0, False),
        ("success", 2, True),
        ("failed", 1, True),
        (None, None, False),
    ],
)
def test_a_run_that_tried_a_task_twice_is_known(state, number, again):
    assert tried_again({"state": state, "try_number": number}) is again


def test_rounds():
    assert (rounds_in(""), rounds_in("1")) == (ROUNDS, 1)
    for text in ("0", "-1", "many", "21"):
        with pytest.raises(DemoError, match=f"ROUNDS={text}"):
            rounds_in(text)
