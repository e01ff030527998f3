"""What a run came to, and what of it people are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.orders.deciding import Decision
from include.orders.entry import entry_of
from include.orders.facts import BatchEnd, Failing
from include.orders.job import NOTE_NUMBER
from include.orders.outcome import Outcome, findings_of, run_facts, since_of
from include.orders.ran import NOTE_ENDED, Ended, Ran, noted_batches
from include.records.models import Change
from include.records.problems import Entry
from include.release.frozen import NOTE_RUN
from tests.include.orders.world import (
    COMPLETE,
    NOW,
    backlog,
    bad,
    good,
    judged,
    known,
    orders,
    pace,
    since,
    where,
)

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


def test_the_entry_of_a_run_by_hand_says_who_asked_why_and_what_was_opened_again():
    outcome = Outcome(
        started=NOW,
        before=backlog(0),
        asked="by jane, reason: order 23 is corrected",
        reopened="order 23 is open again, with all its tries; there is no order 999: nothing done",
    )
    text = entry(outcome)
    assert "Troubleshooting\n\n- Run by hand: by jane, reason: order 23 is corrected.\n- Checked" in text
    assert (
        "Resolution\n\n- Asked for orders to be opened again: order 23 is open again, with all its tries; there is no "
        "order 999: nothing done.\n"
    ) in text


@pytest.mark.parametrize(("lines", "word"), [(good(4, 5), "processed"), (bad(4), "none processed")])
def test_a_run_says_processed_when_an_order_was(lines, word):
    ran = batch(1, lines, "order-batch-1-a", next="done")
    assert Outcome(started=NOW, ran=(ran,)).word == word


def test_a_dry_run_with_orders_that_wait_is_not_nothing_to_do():
    outcome = Outcome(started=NOW, before=backlog(31), after=backlog(31), dry_run=True)
    assert outcome.word == "dry run, nothing was started"
    text = entry(outcome)
    assert (
        "- Dry run: no batch was started, and nobody is told. What waits is left for the next run.\n" in text
    )
    assert "Nothing to be done" not in text


def batch(number: int, lines: list[str], job: str, **decided: Any) -> Ran:
    judgement, stop, _ = judged(lines)
    end = BatchEnd(end="stopped", reason=stop.text, seconds=40) if stop else COMPLETE
    decision = Decision(next="restart", text=judgement.text, good=False).model_copy(update=decided)
    return Ran(
        number=number, job=job, started=NOW, ended=Ended(end=end, judgement=judgement), decision=decision
    )


def test_the_evidence_is_of_the_batch_in_which_it_began():
    first = batch(1, ["lost the catalog: disk full", *bad(4, 5, 6, 7, 8)], "order-batch-1-a")
    second = batch(
        2, ["Startup...", *bad(4, 5, 6, 7, 9)], "order-batch-2-b", next="hand_over", tell="developers"
    )
    outcome = Outcome(started=NOW, before=backlog(9), after=backlog(9), ran=(first, second))
    (found,) = findings_of(outcome, since(), orders(), known(), pace(), where())
    assert "Log of Job order-batch-1-a, 11 lines in all:" in found.text
    assert "lost the catalog: disk full" in found.text
    assert found.details["First occurrence"].startswith("line 3 of the log (order 4)")
    assert "9" in found.details["Orders hit"]
    assert found.details["Orders hit"].endswith("; 5 error lines in the last batch's log")
    assert found.details["Backlog"].startswith("9 orders wait")


def test_of_a_batch_that_cannot_work_it_is_the_first_that_could_not():
    fault = "order processor: the database went away: no route to host; nothing is lost"
    first = batch(1, ["the disk is full", fault], "order-batch-1-a")
    second = batch(2, ["Startup...", fault], "order-batch-2-b", next="hand_over", tell="ops")
    outcome = Outcome(started=NOW, before=backlog(9), after=backlog(9), ran=(first, second))
    (found,) = findings_of(outcome, since(), orders(), known(), pace(), where())
    assert "Log of Job order-batch-1-a" in found.text
    assert "the disk is full" in found.text


def test_orders_that_another_processor_set_aside_are_told_of_though_no_batch_was_run():
    """Such as the Deployment's own loop, whose log nobody reads: the database keeps what it found."""
    aside = (Failing(order=4, code="12", text="'x' is in no catalog", tries=6, set_aside=True),)
    outcome = Outcome(started=NOW, before=backlog(0), after=backlog(0), aside=aside)
    (found,) = findings_of(outcome, since(), orders(), known(), pace(), where())
    assert (found.key, found.tell) == ("set-aside-12", "developers")
    assert "order 4 after 6 tries" in found.text


def noted_job(number: int, asked_by: str, ran: Ran | None) -> dict[str, Any]:
    notes = {NOTE_RUN: asked_by, NOTE_NUMBER: str(number), **({NOTE_ENDED: ran.ended.note()} if ran else {})}
    pod = {"containers": [{"image": "shop@sha256:1"}]}
    meta = {
        "name": f"order-batch-{number}",
        "annotations": notes,
        "creationTimestamp": "2026-11-20T10:00:00Z",
    }
    return {"metadata": meta, "spec": {"template": {"spec": pod}}}


def test_what_batches_came_to_is_not_lost_with_the_task_that_ran_them():
    first, other = batch(1, [*good(1), *bad(4)], "order-batch-1"), batch(9, good(1), "of another run")
    jobs = [
        noted_job(2, "order_processor/run-1/0", None),
        noted_job(9, "order_processor/run-0/0", other),
        noted_job(1, "order_processor/run-1/0", first),
    ]
    ran = noted_batches(jobs, "order_processor/run-1/0")
    assert [(each.number, each.job, each.ended, each.build) for each in ran] == [
        (1, "order-batch-1", first.ended, "shop@sha256:1")
    ]
    trouble = "run_batch: the cluster does not answer."
    outcome = Outcome(started=NOW, before=backlog(9), after=backlog(8), ran=ran, trouble=trouble)
    (found,) = findings_of(outcome, since(), orders(), known(), pace(), where())
    assert found.text.startswith(f"{trouble} Batch 1 before that: ")
    text = entry(outcome)
    assert "- The run did not get to its end: run_batch: the cluster does not answer.\n" in text
    assert "- Checked its log: " in text
    assert "No batch was started" not in text


def released(name: str, began: int, ended: int | None) -> Change:
    """A release so many minutes after ten o'clock."""
    return Change(
        run=f"release/{name}", kind="release", app="shop", environment="production", release=name, outcome="released",
        started=NOW + timedelta(minutes=began), ended=None if ended is None else NOW + timedelta(minutes=ended),
    )  # fmt: skip


def test_what_changed_is_what_came_after_the_last_good_run_oldest_first():
    good_run = Entry(
        run="order_processor/1100", procedure="order_processor", environment="production", outcome="processed",
        good=True, started=NOW + timedelta(minutes=60), ended=NOW + timedelta(minutes=90),
    )  # fmt: skip
    history = [released("d", 100, None), released("c", 95, 99), released("b", 50, 61), released("a", 10, 20)]
    found = since_of(good_run, history, "shop:2")
    assert [each.name for each in found.changes] == ["b", "c", "d"]
    assert (found.good_run, found.good_at) == ("order_processor/1100", good_run.ended)
    assert [each.name for each in since_of(None, history, "").changes] == ["d"]
