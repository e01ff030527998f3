"""Reading a log on from where it was read to."""

from __future__ import annotations

from include.jobs.place import Place

LOG = [
    "2026-11-21T10:00:00.1Z one",
    "2026-11-21T10:00:00.12Z two",
    "2026-11-21T10:00:00.12Z the same",
    "2026-11-21T10:00:00.12Z the same",
    "2026-11-21T10:00:01Z ",
    "2026-11-21T10:00:01.000000001Z 2026-11-21T09:00:00Z said twice",
]
TEXTS = ["one", "two", "the same", "the same", "", "2026-11-21T09:00:00Z said twice"]


def read(place: Place, lines: list[str]) -> list[str]:
    place.begin()
    return [text for line in lines if (text := place.take(line)) is not None]


def test_wherever_it_breaks_off_no_line_is_repeated_and_none_left_out():
    for first in range(len(LOG) + 1):
        for second in range(first, len(LOG) + 1):
            place = Place()
            found = read(place, LOG[:first])
            # The node has no lines any more from before the last one that was read, or all of them.
            rest = [line for line in LOG if line[:19] >= place.since[:19]]
            found += read(place, rest[: second - len(LOG) + len(rest)] if second else [])
            found += read(place, LOG)
            assert found == TEXTS, (first, second)


def test_it_asks_from_the_last_whole_second_in_the_nodes_own_zone():
    place = Place()
    assert place.since == ""
    read(place, ["2026-11-21T10:00:00.999999999+01:00 one"])
    assert place.since == "2026-11-21T10:00:00+01:00"


def test_lines_that_cross_and_lines_without_a_stamp_are_kept():
    place = Place()
    crossed = ["2026-11-21T10:00:02Z out", "2026-11-21T10:00:01Z err", "unable to retrieve container logs"]
    assert read(place, crossed) == ["out", "err", "unable to retrieve container logs"]
    assert read(place, [*crossed[:2], "2026-11-21T10:00:03Z next"]) == ["next"]
