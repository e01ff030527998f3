"""Which volumes a run cleans up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.logs.choosing import chosen, named_volumes, right_retention
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError

VOLUME = {
    "title": "A",
    "path": "/var/log/shop",
    "classes": [{"name": "all", "globs": ["**"], "keep_days": 3}],
}


def sources(tmp_path: Path, *volumes: object) -> Sources:
    (tmp_path / "log_retention.yaml").write_text(json.dumps({"volumes": list(volumes)}, indent=1))
    environments = PROJECT / "include" / "config" / "environments.yaml"
    (tmp_path / "environments.yaml").write_text(environments.read_text())
    return Sources(PROJECT / "include" / "releases", tmp_path)


def test_none_named_is_all_and_the_order_is_the_files():
    assert chosen(["a", "b", "c"], []) == ["a", "b", "c"]
    assert chosen(["a", "b", "c"], ["c", "a"]) == ["a", "c"]


def test_a_volume_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(RejectedError) as caught:
        chosen(["a", "b"], ["c"])
    assert "found:    'c'" in str(caught.value)
    assert "expected: one of a, b" in str(caught.value)


def test_a_volume_that_is_wrong_is_still_named_so_that_its_run_says_what_is_wrong(tmp_path: Path):
    found = sources(
        tmp_path, {**VOLUME, "name": "right"}, {**VOLUME, "name": "wrong", "claim": "x"}, {"name": 3}
    )
    assert named_volumes(found) == ["right", "wrong"]
    assert [each.name for each in right_retention(found).volumes] == ["right"]


def test_a_file_without_a_right_volume_is_refused_with_its_problems(tmp_path: Path):
    with pytest.raises(RejectedError, match="claim"):
        right_retention(sources(tmp_path, {**VOLUME, "name": "wrong", "claim": "x"}))
