from __future__ import annotations

import json
from typing import Any

import pytest

from include.logs.program.summary import LIMIT, bounded, print_summary, shown, sized


def test_short_facts_stay_as_they_are() -> None:
    facts = {"a": [1, 2], "b": {"c": "d"}}
    assert bounded(facts) == facts


def test_the_longest_lists_are_cut_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    facts: dict[str, Any] = {
        "freed": 5,
        "few": [1],
        "names": ["x" * 90] * 4000,
        "inner": {"more": ["ü" * 90] * 300},
    }
    print_summary(facts)
    line = capsys.readouterr().out
    assert len(line.encode()) <= LIMIT + 20
    found = json.loads(line.removeprefix("SUMMARY "))
    assert (found["freed"], found["few"], found["cut"]) == (5, [1], ["names", "inner.more"])
    assert len(facts["names"]) == 4000


def test_what_cannot_be_cut_is_not_printed() -> None:
    assert bounded({"ok": True, "text": "x" * 2 * LIMIT}) == {
        "cut": ["everything: the facts are too long"],
        "ok": True,
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"a/b.log", "a/b.log"),
        ("größe".encode(), "größe"),
        (b"\xff.log", "\\xff.log"),
        (b"a\n\x1b[31m", "a\\n\\x1b[31m"),
    ],
)
def test_paths_are_shown_without_what_a_terminal_takes_amiss(path: bytes, text: str) -> None:
    assert shown(path) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (-(1 << 20), "-1.0 MiB"),
        (5 << 40, "5.0 TiB"),
        ((1 << 30) - 1, "1.0 GiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert sized(count) == text
