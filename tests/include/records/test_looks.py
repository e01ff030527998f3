"""What procedures saw, over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from include.records.looks import KEEP, LONGEST, Look
from include.records.store import Records

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def records(url: str) -> Records:
    return Records(url)


def look(days: float = 0, subject: str = "shop-logs", **more) -> Look:
    values = {"kind": "volume", "subject": subject, "at": NOW + days * DAY, "run": f"log_cleanup/{days}"}
    return Look(**(values | {"figures": {"free": 1}} | more))


def days(found: list[Look]) -> list[float]:
    return [(each.at - NOW) / DAY for each in found]


def test_a_run_that_looks_again_replaces_what_it_saw(records):
    records.looks.keep(look())
    records.looks.keep(look(figures={"free": 2, "text": "später"}))
    records.looks.keep(look(kind="orders"))
    (found,) = records.looks.since("volume", NOW - DAY)
    assert (found.figures, found.at) == ({"free": 2, "text": "später"}, NOW)


def test_what_was_seen_comes_in_order_and_the_last_look_of_each_subject_always(records):
    for each in (3, 1, 2):
        records.looks.keep(look(each))
    records.looks.keep(look(-9, "old"))
    records.looks.keep(look(-8, "old"))
    assert days(records.looks.since("volume", NOW + 2 * DAY)) == [-8, 2, 3]


def test_looks_are_kept_for_30_days_and_those_of_a_procedure_that_stopped_longer(records):
    records.looks.keep(look(-31))
    records.looks.keep(look(-31, "stopped"))
    records.looks.keep(look(-29))
    records.looks.keep(look())
    assert KEEP == 30 * DAY
    assert days(records.looks.since("volume", NOW - 99 * DAY)) == [-31, -29, 0]
    records.prune(NOW + 730 * DAY, 730)
    assert days(records.looks.since("volume", NOW - 99 * DAY)) == [0]


def test_figures_without_bounds_are_refused():
    with pytest.raises(ValidationError, match=f"figures of at most {LONGEST} characters"):
        look(figures={"names": ["x" * 100] * 100})
