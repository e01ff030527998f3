from __future__ import annotations

from fractions import Fraction

import pytest

from include.capacity import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1300, 3), "433.3"),
        (Fraction(5), "5"),
        (Fraction(1, 20), "0.1"),
        (Fraction(-1, 4), "-0.3"),
        (0, "0"),
    ],
)
def test_numbers_are_shown_rounded_half_up(value, text):
    assert figures.number(value) == text


@pytest.mark.parametrize(
    ("text", "value"), [("1300/3", Fraction(1300, 3)), ("2.5", Fraction(5, 2)), (500, 500)]
)
def test_figures_are_exact(text, value):
    assert figures.fraction(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("85 %", Fraction(17, 20)), ("+25%", Fraction(1, 4)), ("-0.5 %", Fraction(-1, 200))]
)
def test_percentages_are_exact(text, value):
    assert figures.percent(text) == value


def test_sizes_become_quantities_rounded_up():
    mebi = Fraction(figures.MEBIBYTE)
    assert figures.memory_quantity(320 * mebi) == "320Mi"
    assert figures.memory_quantity(1024 * mebi) == "1Gi"
    assert figures.memory_quantity(Fraction(1000)) == "1000"
    assert figures.cpu_quantity(Fraction(1, 3)) == "334m"
    assert figures.step_up(Fraction(320), Fraction(32)) == 320
    assert figures.step_up(Fraction(321), Fraction(32)) == 352
