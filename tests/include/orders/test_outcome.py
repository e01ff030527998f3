"""What a run came to, and what of it people are told."""

from __future__ import annotations

import pytest

from include.orders.outcome import Outcome, findings_of
from tests.include.orders.world import NOW, backlog, known, orders, pace, since, where

NO_TABLE = {
    "where": "connection shop_database",
    "found": "OperationalError: no such table: order_claims",
    "expected": "the tables",
    "fix": "release them",
}
NO_PROCESSOR = "no release has brought an order processor"


def told(outcome: Outcome, **history: object) -> list[str]:
    return [each.key for each in findings_of(outcome, since(**history), orders(), known(), pace(), where())]


@pytest.mark.parametrize(
    ("found", "good_run", "keys"),
    [
        (NO_TABLE, "", []),
        (NO_TABLE, "order_processor/0900", ["not-run", "database"]),
        ({**NO_TABLE, "found": "OperationalError: timed out"}, "", ["not-run", "database"]),
    ],
)
def test_tables_that_no_release_has_brought_yet_are_no_outage(found, good_run, keys):
    outcome = Outcome(started=NOW, unreadable=found, refused=NO_PROCESSOR)
    assert told(outcome, good_run=good_run) == keys


def test_orders_that_wait_without_a_processor_are_told_of_from_the_first_run_on():
    outcome = Outcome(started=NOW, before=backlog(3), after=backlog(3), refused=NO_PROCESSOR)
    assert told(outcome, good_run="") == ["not-run"]
