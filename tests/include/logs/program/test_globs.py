from __future__ import annotations

import os

import pytest

from include.logs.program.globs import compiled


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("app.log", "app.log", True),
        ("app.log", "appxlog", False),
        ("app.log", "a/app.log", False),
        ("*.log", "a/b.log", False),
        ("**/*.log", "b.log", True),
        ("**/*.log", "a/b/c.log", True),
        ("a/**/b.log", "a/b.log", True),
        ("a/**/b.log", "a/x/y/b.log", True),
        ("a/**/b.log", "ab.log", False),
        ("a/**", "a/x/y", True),
        ("a/**", "ab", False),
        ("app.log.?", "app.log.1", True),
        ("a?b", "a/b", False),
        ("app.log.[0-9]", "app.log.7", True),
        ("app.log.[!0-9]", "app.log.7", False),
        ("app.log.[!0-9]", "app.log.x", True),
        ("a[!x]b", "a/b", False),
        ("a[^]b", "a^b", True),
        ("[]]", "]", True),
        ("[", "[", True),
        ("a.log", "a.log\n", False),
        ("*.log", "with\nnewline.log", True),
        ("(a|b)+", "(a|b)+", True),
        ("größe.log", "größe.log", True),
        ("*.log", os.fsdecode(b"\xff\xfe.log"), True),
    ],
)
def test_what_a_pattern_matches(glob: str, path: str, matches: bool) -> None:
    assert bool(compiled([[glob]]).match(path)) is matches


def test_the_first_class_that_matches_wins() -> None:
    match = compiled([["audit/**"], ["**/*.log", "**/*.out"]]).match
    found = [match(path) for path in ("audit/a.log", "b.log", "b.out", "c")]
    assert [one.lastindex if one else None for one in found] == [1, 2, 2, None]


def test_no_class_matches_nothing() -> None:
    assert compiled([]).match("") is None
