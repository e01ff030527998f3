from __future__ import annotations

import os

import pytest

from include.logs.program.globs import Directories, compiled


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


GLOBS = (
    "**/*.log", "**/*.log.[0-9]*", "**/audit-*.log", "**/[!a]*", "**/[+-9]*x", "**/a[/b]c", "**/[", "**/a**b", "**/a/*.log",
    "a/**", "a/**/*.log", "a/b/?.log", "*.log", "*/b/**", "a/b/c.log", "ab*/**", "[ab]/**", "größe/**", "**",
)  # fmt: skip
PATHS = [
    below + name
    for below in ("", "a/", "a/b/", "ab/", "a/b/c/", "b/a/", "größe/", "x/a/")
    for name in ("c.log", "a.log.1", "audit-1.log", "a", "ax", "b.log\n", "[", "1x", "bc", "a1b", "größe.log")
]


@pytest.mark.parametrize("first", GLOBS)
def test_in_each_directory_the_same_group_matches_as_on_the_whole_path(first: str) -> None:
    for second in GLOBS:
        groups = [[first], [second, "b/*.log"], ["**/*.log"], []]
        whole, directories = compiled(groups).match, Directories(groups)
        for path in PATHS:
            prefix, name = path[: path.rfind("/") + 1], path[path.rfind("/") + 1 :]
            match, head, numbers = directories.within(prefix)
            expected, found = whole(path), match(head + name) if match else None
            assert (found and numbers[(found.lastindex or 0) - 1]) == (
                expected and (expected.lastindex or 0) - 1
            ), f"{groups} on {path!r}"


def test_a_directory_without_a_glob_of_its_own_asks_for_names_only() -> None:
    directories = Directories([["payments/**"], ["**/*.log"]])
    assert directories.within("orders/")[1:] == ("", [1])
    assert directories.within("payments/2026/")[1:] == ("payments/2026/", [0, 1])
    assert Directories([["payments/**"], []]).within("orders/").match is None
