"""What patterns have in common: held together with the expressions that the program decides by."""

from __future__ import annotations

import itertools
import random

import pytest

from include.logs.overlap import TooIntricateError, bad_range, example_in_both, example_in_first_only
from include.logs.program.globs import compiled

BOTH = {
    ("*.log", "app.*"): "app.log",
    ("*.log", "app.*.gz"): None,
    ("a/*.log", "*.log"): None,
    ("a/*.log", "**/*.log"): "a/.log",
    ("**", "x"): "x",
    ("a/**/b", "a/b"): "a/b",
    ("[a-c]1", "[d-f]1"): None,
    ("[a-c]1", "[c-f]1"): "c1",
    ("[!a]", "a"): None,
    ("[!a]", "b"): "b",
    ("?", "**/?"): "x",
}


@pytest.mark.parametrize(("one", "two"), BOTH)
def test_a_path_that_both_match(one, two):
    assert example_in_both([one], [two]) == BOTH[one, two]
    found = example_in_both([two], [one])
    assert (found is None) == (BOTH[one, two] is None)


FIRST_ONLY = {
    (("app.log.1",), ("app.log.*",)): None,
    (("app.log.*",), ("app.log.1",)): "app.log.",
    (("a/*", "b/*"), ("*/*",)): None,
    (("*",), ("[a-m]*", "[!a-m]*")): None,
    (("**",), ("*",)): "x/x",
    (("**/*.log",), ("**",)): None,
    (("a/**",), ("a/*", "a/**/*")): None,
}


@pytest.mark.parametrize(("one", "two"), FIRST_ONLY)
def test_a_path_that_the_first_matches_alone(one, two):
    found = example_in_first_only(one, two)
    if FIRST_ONLY[one, two] is None:
        assert found is None
    else:
        assert found is not None
        assert compiled([one]).match(found)
        assert not compiled([two]).match(found)


def test_every_answer_is_true_of_the_expressions_that_the_program_uses():
    chance = random.Random(7)
    pieces = ["a", "b", "*", "**", "?", "/", "[ab]", "[!a]", "**/", ".log"]
    paths = ["".join(each) for size in range(1, 6) for each in itertools.product("abx/", repeat=size)]
    paths = [each for each in paths if not each.startswith("/") and "//" not in each]
    for _ in range(300):
        one, two = ("".join(chance.choices(pieces, k=chance.randint(1, 4))).lstrip("/") for _ in "ab")
        if not one or not two or "//" in one + two:
            continue
        first, second = compiled([[one]]).match, compiled([[two]]).match
        both, alone = example_in_both([one], [two]), example_in_first_only([one], [two])
        for path in paths:
            if first(path):
                assert both is not None or not second(path), (one, two, path)
                assert alone is not None or second(path), (one, two, path)
        assert both is None or (first(both) and second(both)), (one, two, both)
        assert alone is None or (first(alone) and not second(alone)), (one, two, alone)


def test_patterns_that_take_too_long_to_compare_are_not_judged():
    with pytest.raises(TooIntricateError):
        example_in_first_only(["*aaaaaaaaaaaaaaaaab"], ["*a??????????????????"])


def test_a_range_that_makes_no_sense_is_found():
    assert bad_range("[z-a]")
    assert not bad_range("[a-z]")
