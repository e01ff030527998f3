"""The tables, as the code reads and writes them. ``schema/versions`` makes and changes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

HEAD = "0003"
"""The newest schema version that this code knows; the last file of ``schema/versions``."""
VERSION_TABLE = "release_records_version"


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Sequence = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself in an INTEGER only."""

metadata = MetaData()


def _sequence() -> Column[Any]:
    """The order in which rows were recorded."""
    return Column("sequence", Sequence, primary_key=True, autoincrement=True)


def _filled(name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any]) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, kind, nullable=False)


verdicts = Table(
    "release_verdicts",
    metadata,
    # The order in which verdicts were recorded: clocks of CI machines differ, and the newest one decides.
    _sequence(),
    Column("id", String(32), nullable=False, unique=True),
    _filled("digest", String(71)),
    _filled("image", String(255)),
    _filled("app", String(63)),
    _filled("passed", Boolean),
    _filled("source", String(63)),
    _filled("by", String(255)),
    _filled("at", Moment),
    _filled("reason", Text),
    _filled("link", Text),
    _filled("run", String(500)),
    Index("release_verdicts_by_digest", "digest", "sequence"),
)

changes = Table(
    "release_changes",
    metadata,
    _sequence(),
    Column("run", String(500), nullable=False, unique=True),
    _filled("kind", String(20)),
    _filled("app", String(63)),
    _filled("environment", String(63)),
    _filled("release", String(255)),
    _filled("number", Integer),
    _filled("spec_digest", String(71)),
    _filled("images", JSON),
    _filled("user", String(255)),
    _filled("reason", Text),
    _filled("started", Moment),
    Column("ended", Moment, nullable=True),
    _filled("outcome", String(20)),
    _filled("summary", Text),
    _filled("approved_by", String(255)),
    Column("approved_at", Moment, nullable=True),
    _filled("approval_reason", Text),
    _filled("document", Text),
    _filled("details", JSON),
    Index("release_changes_by_place", "app", "environment", "started"),
)

told = Table(
    "release_told",
    metadata,
    Column("key", String(500), primary_key=True),
    _filled("at", Moment),
)

problems = Table(
    "procedure_problems",
    metadata,
    Column("key", String(300), primary_key=True),
    _filled("procedure", String(63)),
    _filled("environment", String(63)),
    _filled("title", Text),
    _filled("text", Text),
    _filled("opened", Moment),
    _filled("updated", Moment),
    Column("resolved", Moment, nullable=True),
    _filled("run", String(500)),
    _filled("updates", Integer),
    _filled("details", JSON),
)

entries = Table(
    "procedure_entries",
    metadata,
    _sequence(),
    Column("run", String(500), nullable=False, unique=True),
    _filled("procedure", String(63)),
    _filled("environment", String(63)),
    _filled("started", Moment),
    _filled("ended", Moment),
    _filled("outcome", String(30)),
    _filled("good", Boolean),
    _filled("text", Text),
    _filled("document", Text),
    _filled("details", JSON),
    Index("procedure_entries_by_place", "procedure", "environment", "started"),
)

looks = Table(
    "procedure_looks",
    metadata,
    Column("key", String(32), primary_key=True),
    _filled("kind", String(20)),
    _filled("subject", String(100)),
    _filled("at", Moment),
    _filled("run", String(500)),
    _filled("figures", JSON),
    Index("procedure_looks_by_subject", "kind", "subject", "at"),
)
