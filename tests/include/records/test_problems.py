"""Open problems and the on-call log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.records.problems import Entry, OpenProblem
from include.records.store import Records

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def records(tmp_path) -> Records:
    return Records(f"sqlite:///{tmp_path}/records.db")


def problem(key: str = "orders/production/error-12", **more) -> OpenProblem:
    found = {
        "key": key, "procedure": "order_processor", "environment": "production", "title": "Error #12",
        "text": "3 orders", "opened": NOW, "updated": NOW, "details": {"orders": [4, 5, 6]},
    }  # fmt: skip
    return OpenProblem(**(found | more))


def entry(run: str, hours: int = 0, *, good: bool = True, **more) -> Entry:
    at = NOW + hours * HOUR
    found = {
        "run": run, "procedure": "order_processor", "environment": "production", "started": at, "ended": at,
        "outcome": "all processed", "good": good,
    }  # fmt: skip
    return Entry(**(found | more))


def test_a_problem_is_the_same_until_it_is_resolved(records):
    book = records.problems
    book.save(problem())
    book.save(problem(text="5 orders", updated=NOW + HOUR, updates=1))
    (found,) = book.open_problems("order_processor", "production")
    assert (found.text, found.opened, found.updates, found.details) == (
        "5 orders", NOW, 1, {"orders": [4, 5, 6]},
    )  # fmt: skip
    book.save(found.model_copy(update={"resolved": NOW + 2 * HOUR}))
    assert book.open_problems("order_processor", "production") == []
    kept = book.problem(found.key)
    assert kept is not None
    assert not kept.open


def test_problems_of_another_place_are_not_listed(records):
    records.problems.save(problem())
    records.problems.save(problem("b", environment="qa"))
    records.problems.save(problem("c", procedure="log_cleanup"))
    assert [each.key for each in records.problems.open_problems("order_processor", "qa")] == ["b"]


def test_a_run_that_is_looked_at_again_replaces_its_entry(records):
    records.problems.write(entry("order_processor/a", outcome="stopped", good=False))
    records.problems.write(entry("order_processor/a"))
    (found,) = records.problems.entries("order_processor", "production")
    assert found.outcome == "all processed"


def test_the_last_good_run_is_that_before_this_one(records):
    book = records.problems
    for each in (entry("a"), entry("b", 1), entry("c", 2, good=False), entry("d", 3)):
        book.write(each)
    found = book.last_good("order_processor", "production", NOW + 3 * HOUR)
    assert found is not None
    assert found.run == "b"
    assert book.last_good("order_processor", "qa", NOW + 9 * HOUR) is None


def test_what_is_open_and_the_last_good_run_are_never_too_old(records):
    book = records.problems
    book.save(problem())
    book.save(problem("resolved", resolved=NOW))
    for each in (entry("good"), entry("bad-1", 1, good=False), entry("bad-2", 2, good=False)):
        book.write(each)
    records.prune(NOW + timedelta(days=800), 730)
    assert book.problem("resolved") is None
    assert [each.key for each in book.open_problems("order_processor", "production")] == [problem().key]
    assert [each.run for each in book.entries("order_processor", "production")] == ["bad-2", "good"]


def test_records_of_the_version_before_are_upgraded_and_keep_what_they_have(tmp_path):
    from alembic import command
    from sqlalchemy import create_engine, text

    from include.records.upgrade import settings

    url = f"sqlite:///{tmp_path}/records.db"
    with create_engine(url).connect() as connection, connection.begin():
        command.upgrade(settings(connection), "0001")
        connection.execute(text("INSERT INTO release_told VALUES ('old', '2026-11-21 12:00:00')"))
    records = Records(url)
    records.problems.save(problem())
    assert records.was_told("old")
