from __future__ import annotations

import pytest

from include.logs.program import forecast
from include.logs.program.history import AFTER, BEFORE, Point
from include.logs.program.measuring import outlook
from include.logs.program.request import DAY

NOW = 1_800_000_000.0
GIB = 1 << 30


def _point(days: float, when: str, used: float, run: int, size: int = 100 * GIB) -> Point:
    return Point(NOW - days * DAY, f"r{run}", when, int(used * GIB), size, size - int(used * GIB), {}, [])


def _daily(count: int, gross: float, remains: float, start: float = 20) -> list[Point]:
    """Runs of half an hour, a day apart: ``gross`` GiB written between, ``remains`` GiB more after each."""
    points = []
    for run in range(count):
        days, level = count - run, start + run * remains
        points.append(_point(days, BEFORE, level + gross, run))
        points.append(_point(days - 0.02, AFTER, level + remains, run))
    return points


def test_the_clean_ups_own_drops_are_no_negative_growth() -> None:
    found = forecast.written(_daily(7, gross=3, remains=0), NOW)
    assert found is not None
    assert found.per_day == pytest.approx(3 * GIB / 0.98, rel=0.01)
    assert found.samples == 6


def test_when_it_is_full_at_the_present_rate() -> None:
    facts = forecast.facts(_daily(7, gross=3, remains=0.5), NOW, 50 * GIB)
    assert facts["remains"]["full_in_days"] == pytest.approx(100, rel=0.01)
    assert facts["written"]["full_in_days"] == pytest.approx(50 / (2.5 / 0.98 + 0.5), rel=0.2)
    assert facts["remains"]["full_at"].startswith("2027-04-25")


def test_a_volume_that_the_clean_up_keeps_level_does_not_fill_up() -> None:
    facts = forecast.facts(_daily(7, gross=3, remains=0), NOW, 50 * GIB)
    assert facts["remains"]["full_at"] is None
    assert facts["written"]["full_at"] is not None
    assert "it does not fill up" in outlook(facts)


def test_one_clean_up_by_hand_changes_no_rate() -> None:
    points = _daily(7, gross=3, remains=0)
    odd = points[6]
    points[6] = odd._replace(used=odd.used - 15 * GIB)
    found = forecast.written(points, NOW)
    assert found is not None
    assert found.per_day == pytest.approx(3 * GIB / 0.98, rel=0.01)


def test_from_the_end_of_one_run_to_the_end_of_the_next_is_no_rate_of_writing() -> None:
    points = [point for point in _daily(7, gross=3, remains=0) if point.when == AFTER]
    assert forecast.written(points, NOW) is None


def test_only_the_last_days_count_and_only_this_size() -> None:
    old = [_point(days, AFTER, 90, days) for days in range(40, 20, -1)]
    smaller = [p._replace(size=GIB) for p in _daily(3, gross=50, remains=9)]
    points = [*old, *smaller, *_daily(5, gross=2, remains=0)]
    found = forecast.written(points, NOW)
    assert found is not None
    assert found.per_day == pytest.approx(2 * GIB / 0.98, rel=0.01)


def test_a_first_run_knows_no_rate() -> None:
    for points in ([], [_point(0, BEFORE, 5, 0)], [_point(0.1, BEFORE, 5, 0), _point(0, AFTER, 4, 0)]):
        facts = forecast.facts(points, NOW, GIB)
        assert facts["written"] == {
            "bytes_per_day": None,
            "samples": 0,
            "full_in_days": None,
            "full_at": None,
        }
        assert outlook(facts) == "No rate yet: that takes a second run."


def test_the_rate_in_words() -> None:
    text = outlook(forecast.facts(_daily(7, gross=3, remains=0.5), NOW, 50 * GIB))
    assert text.startswith("3.1 GiB a day are written; full in ")
    assert "512.0 MiB a day remain after the clean-ups; full in 100 days (2027-04-25) at this rate." in text
