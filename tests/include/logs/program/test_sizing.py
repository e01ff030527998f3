from __future__ import annotations

import random

from include.logs.program.sizing import Cut, cut, packed
from include.logs.program.tally import BLOCK


def test_everything_stays_within_the_size() -> None:
    assert cut([packed(1, 8), packed(2, 8)], 16 * BLOCK) is None
    assert cut([], 0) is None


def test_the_newest_stay() -> None:
    files = [packed(moment, 8) for moment in (3, 1, 2)]
    assert cut(files, 20 * BLOCK) == Cut(1, 4 * BLOCK)
    assert cut(files, 16 * BLOCK) == Cut(1, 0)
    assert cut(files, 0) == Cut(3, 0)


def test_of_those_changed_at_the_same_moment_as_many_stay_as_fit() -> None:
    assert cut([packed(5, 8)] * 10 + [packed(9, 8)], 40 * BLOCK) == Cut(5, 32 * BLOCK)


def test_moments_before_1970_sort_too() -> None:
    assert cut([packed(-5, 8), packed(-9, 8)], 8 * BLOCK) == Cut(-9, 0)


def test_it_holds_for_any_files() -> None:
    chance = random.Random(7)
    for _ in range(200):
        files = [(chance.randrange(20), chance.randrange(50)) for _ in range(chance.randrange(1, 40))]
        keep = chance.randrange(1200) * BLOCK
        found = cut([packed(*file) for file in files], keep)
        newer = sum(blocks for moment, blocks in files if found is None or moment > found.moment) * BLOCK
        assert newer <= keep
        if found:
            assert found.room == keep - newer
            assert newer + sum(b for m, b in files if m == found.moment) * BLOCK > keep
