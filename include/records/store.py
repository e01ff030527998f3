"""The records: verdicts, changes, and who was told. One database for all environments that name it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Text, delete, func, select

from include.records.database import Database
from include.records.looks import LookBook
from include.records.models import Change, Verdict, utc_now
from include.records.problems import ProblemBook
from include.records.tables import changes, entries, looks, problems, told, verdicts
from include.records.upserting import upsert


@dataclass(frozen=True)
class Pruned:
    """How many rows were too old."""

    verdicts: int
    changes: int
    told: int


class Records:
    """Reads and writes the records. Makes and updates its tables when it is first used.

    Every method raises RecordsError when the database cannot be used.

    Args:
        url: ``sqlite:////path/file.db`` or ``postgresql://user:password@host/name``.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    @property
    def shown(self) -> str:
        """Where the records are, without a password."""
        return self._database.shown

    @property
    def problems(self) -> ProblemBook:
        """Open problems of procedures, and the on-call log."""
        return ProblemBook(self._database)

    @property
    def looks(self) -> LookBook:
        """What procedures saw over time."""
        return LookBook(self._database)

    def add_verdict(self, verdict: Verdict) -> Verdict:
        """Add a verdict; returns it as it is kept, with its id.

        With a ``run``, saying the same once more adds nothing: the verdict of that run and digest is returned. A run
        that comes to another result (somebody cleared it) adds that one.
        """
        with self._database.transaction() as connection:
            if not verdict.run:
                return self._insert(connection, verdict, uuid.uuid4().hex)
            said = self._of_run(connection, verdict)
            if said and said[-1].passed == verdict.passed:
                return said[-1]
            key = "\n".join((verdict.source, verdict.run, verdict.digest, str(len(said))))
            return self._insert(connection, verdict, hashlib.sha256(key.encode()).hexdigest()[:32])

    def newest_verdicts(self, digests: Iterable[str], trusted: Iterable[str]) -> dict[str, Verdict]:
        """Per digest the verdict that was recorded last by one of the ``trusted`` sources; none, no entry."""
        wanted = set(digests)
        newest = (
            select(func.max(verdicts.c.sequence))
            .where(verdicts.c.digest.in_(wanted), verdicts.c.source.in_(set(trusted)))
            .group_by(verdicts.c.digest)
        )
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(select(verdicts).where(verdicts.c.sequence.in_(newest))).mappings()
            return {row["digest"]: _verdict(row) for row in rows}

    def verdicts(self, digest: str | None = None, limit: int = 200) -> list[Verdict]:
        """All verdicts on a digest or on those that begin with it (None: on any), the newest first."""
        query = select(verdicts).order_by(verdicts.c.sequence.desc()).limit(limit)
        if digest is not None:
            query = query.where(verdicts.c.digest.startswith(digest, autoescape=True))
        with self._database.transaction(writes=False) as connection:
            return [_verdict(row) for row in connection.execute(query).mappings()]

    def save_change(self, change: Change) -> None:
        """Write what a run does or did; a later call for the same run replaces it."""
        values = change.model_dump(exclude={"images", "details"}) | {
            "images": dict(change.images),
            "details": change.model_dump(mode="json")["details"],
        }
        with self._database.transaction() as connection:
            upsert(connection, changes, values, key="run")

    def change(self, run: str) -> Change | None:
        """What a run (``dag_id/run_id``) did; None when it is not recorded."""
        found = self._changes(select(changes).where(changes.c.run == run))
        return found[0] if found else None

    def changes(
        self, app: str | None = None, environment: str | None = None, limit: int = 50
    ) -> list[Change]:
        """The history, the newest first; of one app or environment, or of all."""
        query = select(changes).order_by(changes.c.started.desc(), changes.c.sequence.desc()).limit(limit)
        if app is not None:
            query = query.where(changes.c.app == app)
        if environment is not None:
            query = query.where(changes.c.environment == environment)
        return self._changes(query)

    def last_change(self, app: str, environment: str) -> Change | None:
        """The newest change of an app in an environment, whatever became of it."""
        found = self.changes(app, environment, limit=1)
        return found[0] if found else None

    def brought_by(self, digest: str) -> list[str]:
        """The names of the releases that went out with this build, in any environment."""
        has_it = changes.c.images.cast(Text).contains(digest)
        query = select(changes.c.release).where(
            has_it, changes.c.kind == "release", changes.c.outcome == "released"
        )
        with self._database.transaction(writes=False) as connection:
            return sorted(set(connection.execute(query).scalars()))

    def places(self) -> list[tuple[str, str]]:
        """Every app and environment that has a change."""
        query = (
            select(changes.c.app, changes.c.environment).distinct().order_by(*changes.c["app", "environment"])
        )
        with self._database.transaction(writes=False) as connection:
            return [(row.app, row.environment) for row in connection.execute(query)]

    def was_told(self, key: str) -> bool:
        """Whether a message with this key went out."""
        with self._database.transaction(writes=False) as connection:
            return connection.execute(select(told.c.key).where(told.c.key == key)).first() is not None

    def mark_told(self, key: str) -> None:
        """Remember that a message went out; again changes nothing."""
        with self._database.transaction() as connection:
            upsert(connection, told, {"key": key, "at": utc_now()}, key="key", replace=False)

    def prune(self, now: datetime, keep_days: int) -> Pruned:
        """Remove what is older than ``keep_days``.

        Kept for ever: the newest verdict of each source on each digest, and of each app and environment the newest
        change of each outcome (so that the last one that went out is known however many were refused since), open
        problems, and of each procedure the newest entry that was good and that was not.
        """
        before = now - timedelta(days=keep_days)
        newest_verdicts = select(func.max(verdicts.c.sequence)).group_by(verdicts.c.digest, verdicts.c.source)
        newest_changes = select(func.max(changes.c.sequence)).group_by(
            changes.c.app, changes.c.environment, changes.c.outcome
        )
        with self._database.transaction() as connection:
            old_verdicts = connection.execute(
                delete(verdicts).where(verdicts.c.at < before, verdicts.c.sequence.not_in(newest_verdicts))
            )
            old_changes = connection.execute(
                delete(changes).where(changes.c.started < before, changes.c.sequence.not_in(newest_changes))
            )
            old_told = connection.execute(delete(told).where(told.c.at < before))
            connection.execute(delete(problems).where(problems.c.resolved < before))
            connection.execute(delete(looks).where(looks.c.at < before))
            newest = select(func.max(entries.c.sequence)).group_by(
                entries.c.procedure, entries.c.environment, entries.c.good
            )
            connection.execute(
                delete(entries).where(entries.c.started < before, entries.c.sequence.not_in(newest))
            )
        return Pruned(old_verdicts.rowcount, old_changes.rowcount, old_told.rowcount)

    def _changes(self, query: Select[Any]) -> list[Change]:
        with self._database.transaction(writes=False) as connection:
            return [_change(row) for row in connection.execute(query).mappings()]

    def _of_run(self, connection: Connection, verdict: Verdict) -> list[Verdict]:
        query = select(verdicts).where(
            verdicts.c.digest == verdict.digest,
            verdicts.c.source == verdict.source,
            verdicts.c.run == verdict.run,
        )
        return [_verdict(row) for row in connection.execute(query.order_by(verdicts.c.sequence)).mappings()]

    def _insert(self, connection: Connection, verdict: Verdict, given: str) -> Verdict:
        values = verdict.model_dump() | {"id": given}
        # Two copies of one task come to the same id; the second leaves the first's row as it is.
        upsert(connection, verdicts, values, key="id", replace=False)
        row = connection.execute(select(verdicts).where(verdicts.c.id == given)).mappings().one()
        return _verdict(row)


def _verdict(row: RowMapping) -> Verdict:
    return Verdict(**{name: value for name, value in row.items() if name != "sequence"})


def _change(row: RowMapping) -> Change:
    return Change(**{name: value for name, value in row.items() if name != "sequence"})
