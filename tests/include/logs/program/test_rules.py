from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.logs.program import rules
from include.logs.program.__main__ import step
from include.logs.program.request import LogClass
from tests.include.logs.program.planned import APP, Volume

BASE = LogClass("app", ("*.log",), keep_days=30, keep_size=None, archive=True, archive_keep_days=365)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"keep_days": 3}, ["keep_days from 30 to 3"]),
        ({"keep_days": 40, "archive_keep_days": None, "globs": ()}, []),
        ({"keep_days": None, "keep_size": 1 << 20}, ["keep_size from no limit to 1.0 MiB"]),
        ({"archive": False, "archive_keep_days": None}, ["no archive any more"]),
        ({"archive_keep_days": 30.5}, ["archive_keep_days from 365 to 30.5"]),
        (
            {"globs": ("*.log", "**/*.txt"), "accept_loss": "noise"},
            ["open files are cut off", "also **/*.txt"],
        ),
    ],
)
def test_what_takes_more_than_before_is_said(change: dict[str, Any], said: list[str]) -> None:
    assert rules.stricter(rules.of(BASE), LogClass(**{**vars(BASE), **change})) == said


def test_the_first_plan_by_stricter_rules_says_so_and_the_next_one_does_not(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "logs")

    def clean(run: str, days: float) -> dict[str, Any]:
        volume.file(f"{run}.log", days=40)
        request = volume.request({**APP, "keep_days": days}, run=run)
        plan = step("plan", request)
        for name in ("archive", "verify", "delete", "space", "report"):
            step(name, request)
        return plan

    assert clean("r1", 30)["stricter"] == []
    assert clean("r2", 3)["stricter"] == ["app (keep_days from 30 to 3)"]
    assert clean("r3", 3)["stricter"] == []
    assert clean("r4", 20)["stricter"] == []
