"""Open problems of procedures, each told once, updated and resolved; and the entries of the on-call log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, RowMapping, select

from include.records.database import Database
from include.records.models import Moment, Row, Text
from include.records.tables import entries, problems
from include.records.upserting import upsert


class OpenProblem(Row):
    """Something that people were told of. It stays the same problem until it is resolved."""

    key: Text = Field(max_length=300, title="What tells it from others: orders/production/error-12")
    procedure: Text = Field(max_length=63, title="DAG that keeps it")
    environment: Text = Field(max_length=63, title="Environment")
    title: Text = Field(title="What it is, in a line")
    text: str = Field(title="What is known of it now")
    opened: Moment = Field(title="When it was first seen")
    updated: Moment = Field(title="When something about it changed that people were told")
    resolved: Moment | None = Field(default=None, title="When it was over")
    run: str = Field(default="", max_length=500, title="dag_id/run_id that saw it first")
    updates: int = Field(default=0, title="How often people were told of it anew")
    details: dict[str, Any] = Field(default={}, title="What the next run needs to know of it")

    @property
    def open(self) -> bool:
        """Whether it is still there."""
        return self.resolved is None


class Entry(Row):
    """What one run of a procedure found and did, as the on-call log has it."""

    run: Text = Field(max_length=500, title="dag_id/run_id")
    procedure: Text = Field(max_length=63, title="DAG")
    environment: Text = Field(max_length=63, title="Environment")
    started: Moment = Field(title="When it began")
    ended: Moment = Field(title="When it ended")
    outcome: Text = Field(max_length=30, title="What became of it, in a word or two")
    good: bool = Field(
        title="Whether it went as it should: what changed since is asked from the last such run"
    )
    text: str = Field(default="", title="The entry: time, alert, troubleshooting, resolution")
    document: str = Field(default="", title="Where the entry lies beside the environment's documents")
    details: dict[str, Any] = Field(default={}, title="Figures")


class ProblemBook:
    """Reads and writes them. Every method raises RecordsError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def problem(self, key: str) -> OpenProblem | None:
        """The problem with this key, open or resolved; None when there never was one."""
        with self._database.transaction(writes=False) as connection:
            return _problem(connection, key)

    def open_problems(self, procedure: str, environment: str) -> list[OpenProblem]:
        """Those that are not resolved, the oldest first."""
        query = select(problems).where(
            problems.c.procedure == procedure,
            problems.c.environment == environment,
            problems.c.resolved.is_(None),
        )
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(query.order_by(problems.c.opened, problems.c.key)).mappings()
            return [OpenProblem(**row) for row in rows]

    def all_open(self) -> list[OpenProblem]:
        """Those of every procedure and environment that are not resolved, the oldest first."""
        query = select(problems).where(problems.c.resolved.is_(None))
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(query.order_by(problems.c.opened, problems.c.key)).mappings()
            return [OpenProblem(**row) for row in rows]

    def save(self, problem: OpenProblem) -> None:
        """Write what is known of it; a later call for the same key replaces it."""
        values = problem.model_dump() | {"details": problem.model_dump(mode="json")["details"]}
        with self._database.transaction() as connection:
            upsert(connection, problems, values, key="key")

    def write(self, entry: Entry) -> None:
        """Write a run's entry; a later call for the same run replaces it."""
        values = entry.model_dump() | {"details": entry.model_dump(mode="json")["details"]}
        with self._database.transaction() as connection:
            upsert(connection, entries, values, key="run")

    def entry(self, run: str) -> Entry | None:
        """What a run wrote; None when it wrote nothing."""
        with self._database.transaction(writes=False) as connection:
            row = connection.execute(select(entries).where(entries.c.run == run)).mappings().first()
            return _entry(row) if row else None

    def entries(self, procedure: str, environment: str, limit: int = 50) -> list[Entry]:
        """What the runs of a procedure wrote, the newest first."""
        query = select(entries).where(entries.c.procedure == procedure, entries.c.environment == environment)
        query = query.order_by(entries.c.started.desc(), entries.c.sequence.desc()).limit(limit)
        with self._database.transaction(writes=False) as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def last_entries(self, limit: int = 50, *, told: bool = False) -> list[Entry]:
        """What the runs of every procedure wrote, the newest first.

        Args:
            limit: at most so many.
            told: only those that are worth a page, which lie beside the documents, too.
        """
        query = select(entries).order_by(entries.c.started.desc(), entries.c.sequence.desc()).limit(limit)
        if told:
            query = query.where(entries.c.document != "")
        with self._database.transaction(writes=False) as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def last_good(self, procedure: str, environment: str, before: datetime) -> Entry | None:
        """The newest run that began before a time and went as it should."""
        query = select(entries).where(
            entries.c.procedure == procedure,
            entries.c.environment == environment,
            entries.c.good.is_(True),
            entries.c.started < before,
        )
        query = query.order_by(entries.c.started.desc(), entries.c.sequence.desc()).limit(1)
        with self._database.transaction(writes=False) as connection:
            row = connection.execute(query).mappings().first()
            return _entry(row) if row else None


def _problem(connection: Connection, key: str) -> OpenProblem | None:
    row = connection.execute(select(problems).where(problems.c.key == key)).mappings().first()
    return OpenProblem(**row) if row else None


def _entry(row: RowMapping) -> Entry:
    return Entry(**{name: value for name, value in row.items() if name != "sequence"})
