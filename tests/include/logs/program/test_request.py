from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from include.logs.program.problems import BAD_REQUEST, RequestError
from include.logs.program.request import parse_request, read_request

REQUEST: dict[str, Any] = {
    "volume": "shop-logs",
    "root": "/logs",
    "run": {"name": "log_cleanup/r1", "slug": "r1", "as_of": "2026-01-31T04:00:00+01:00"},
    "classes": [
        {"name": "app", "globs": ["**/*.log"], "keep_days": 7, "archive_keep_days": 400, "minimum_days": 90}
    ],
    "holds": [{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}],
}


def _changed(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    *way, last = path.split(".")
    inner: Any = request
    for part in way:
        inner = inner[int(part) if part.isdigit() else part]
    inner[last] = value
    return request


def test_a_request_is_read(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST))
    found = read_request(str(path))
    assert (found.volume, found.floor_percent, found.workers) == ("shop-logs", 20, 2)
    assert found.now() == 1769828400
    assert found.classes[0].archive is True
    assert found.layout.plan == "/logs/.log-cleanup/runs/r1/plan"


def test_ages_are_never_counted_from_a_moment_to_come() -> None:
    assert parse_request(_changed("run.as_of", "2100-01-01T00:00:00Z")).now() <= time.time()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("root", "logs", "request.root: found 'logs', expected an absolute path"),
        ("volume", "a/b", "request.volume: found 'a/b', expected letters, digits"),
        ("run.slug", "..", "request.run.slug: found '..'"),
        ("run.as_of", "yesterday", "request.run.as_of: found 'yesterday', expected a moment"),
        ("run.as_of", "2026-01-31T04:00:00", "request.run.as_of"),
        ("colour", "red", "request: found 'colour', expected no such key"),
        ("classes.0.keep_dayz", 3, "request.classes[0]: found 'keep_dayz', expected no such key"),
        ("classes.0.keep_days", -1, "request.classes[0].keep_days: found -1, expected a number from 0"),
        ("classes.0.keep_days", True, "request.classes[0].keep_days: found True"),
        ("classes.0.globs", [], "request.classes[0].globs: found [], expected a list"),
        ("classes.0.globs", ["/etc/**"], "request.classes[0].globs: found '/etc/**', expected a pattern"),
        ("classes.0.globs", ["[z-a]"], "request.classes[0].globs: found '[z-a]', expected a pattern"),
        ("classes.0.archive_keep_days", 82, "expected with keep_days at least minimum_days, 90"),
        (
            "classes.0.archive",
            False,
            "request.classes[0].keep_days: found 7, expected at least minimum_days, 90",
        ),
        ("classes", [REQUEST["classes"][0]] * 2, "request.classes: found 'app', expected each name once"),
        ("holds.0.owner", "", "request.holds[0].owner: found '', expected a text"),
        ("target_percent", 10, "request.target_percent: found 10, expected no less than floor_percent"),
        ("workers", 0, "request.workers: found 0, expected a number from 1 to 64"),
        ("compression", "lz4", "request.compression: found 'lz4', expected one of auto, zstd, gzip"),
    ],
)
def test_what_is_wrong_is_said_and_where(path: str, value: Any, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_request(_changed(path, value))
    assert said in refused.value.text
    assert refused.value.code == BAD_REQUEST


def test_the_compliance_minimum_may_be_met_by_the_archive() -> None:
    assert parse_request(_changed("classes.0.archive_keep_days", 83)).classes[0].archive_keep_days == 83


def test_no_request_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a file that can be read"):
        read_request(str(tmp_path / "none"))
    (tmp_path / "broken").write_text("{")
    with pytest.raises(RequestError, match="expected JSON"):
        read_request(str(tmp_path / "broken"))
