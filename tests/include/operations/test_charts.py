"""Curves as numbers of a drawing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.operations.charts import Limit, draw

START = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = START + 10 * HOUR


def points(*values: float | None):
    return [(START + number * HOUR, value) for number, value in enumerate(values)]


def test_time_goes_to_the_right_and_a_value_up():
    chart = draw(points(0, 50, 100), [Limit("floor 20 %", 20)], START, END, "text", high=100)
    assert chart.paths == ("M0.00 100.00 L10.00 50.00 L20.00 0.00",)
    assert chart.dots == ("M20.00 0.00 h0",)  # where it is now
    assert [(line.limit.name, line.y) for line in chart.lines] == [("floor 20 %", 80.0)]


def test_without_an_upper_edge_the_limit_is_in_the_drawing_too():
    chart = draw(points(1, 2), [Limit("limit 10", 10)], START, END, "")
    assert chart.high == 11
    assert chart.lines[0].y == 9.09
    assert draw(points(0, 0), [], START, END, "").paths == ("M0.00 100.00 L10.00 100.00",)


def test_a_time_of_which_nothing_is_known_is_a_gap_and_no_straight_line():
    chart = draw(points(1, 1, None, 1, None, 1, 1), [], START, END, "", high=2)
    assert chart.paths == ("M0.00 50.00 L10.00 50.00", "M50.00 50.00 L60.00 50.00")
    assert chart.dots == ("M30.00 50.00 h0", "M60.00 50.00 h0")
    late = [*points(1, 1), (START + 5 * HOUR, 1.0), (START + 6 * HOUR, 1.0)]
    assert len(draw(late, [], START, END, "", gap=2 * HOUR).paths) == 2
    assert len(draw(late, [], START, END, "").paths) == 1


def test_what_is_not_known_or_of_another_time_is_no_drawing():
    assert draw([], [], START, END, "") is None
    assert draw(points(None, None), [], START, END, "") is None
    assert draw(points(1), [], START + HOUR, END, "") is None


def test_a_value_beyond_the_edge_stays_in_the_drawing():
    assert draw(points(120, -5), [], START, END, "", high=100).paths == ("M0.00 0.00 L10.00 100.00",)
