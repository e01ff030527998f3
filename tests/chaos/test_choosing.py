"""Which points ``make chaos`` tries."""

from __future__ import annotations

from tests.chaos.__main__ import chosen, points
from tests.chaos.counting import Change


def test_points_are_chosen_by_number_or_as_the_first_ones():
    assert chosen("", 3) == {1, 2, 3}
    assert chosen("2", 40) == {1, 2}
    assert chosen("7,9-11", 40) == {7, 9, 10, 11}
    assert chosen("0", 40) == set()


def test_a_client_that_has_reported_its_end_is_not_killed_after_that():
    changes = [Change(1, "lock", "POST /leases"), Change(2, "lock", "reports SucceedTask of lock")]
    assert [(change.number, when) for change, when in points(changes, "")] == [
        (1, "before"), (1, "after"), (2, "before"),
    ]  # fmt: skip
