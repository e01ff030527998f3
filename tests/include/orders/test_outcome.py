"""What a run came to, and what of it people are told."""

from __future__ import annotations

import pytest

from include.orders.entry import entry_of
from include.orders.outcome import Outcome, findings_of, run_facts
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


def entry(outcome: Outcome) -> str:
    facts = run_facts(outcome, orders(), pace(), raised=False, found=[], told=[], resolved=[])
    return entry_of(facts).text()


def test_a_request_that_was_refused_says_what_waits_and_who_has_it():
    outcome = Outcome(
        started=NOW, after=backlog(31, minutes=5), not_asked_for="read_backlog: param reason is empty"
    )
    assert outcome.word == "refused"
    assert entry(outcome) == (
        "2026-11-20 10:00 UTC -- *Order processing, a request that was refused*\n"
        "\n"
        "Troubleshooting\n"
        "\n"
        "- The request was refused: read_backlog: param reason is empty.\n"
        "- Checked the backlog: 31 orders wait; the oldest waits 5 min.\n"
        "\n"
        "Resolution\n"
        "\n"
        "- No batch was started. Who asked for it: put the request right and trigger it anew. Runs by schedule go on.\n"
    )


def test_a_dry_run_with_orders_that_wait_is_not_nothing_to_do():
    outcome = Outcome(started=NOW, before=backlog(31), after=backlog(31), dry_run=True)
    assert outcome.word == "dry run, nothing was started"
    text = entry(outcome)
    assert (
        "- Dry run: no batch was started, and nobody is told. What waits is left for the next run.\n" in text
    )
    assert "Nothing to be done" not in text
