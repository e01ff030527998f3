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

HEAD = "0001"
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

verdicts = Table(
    "release_verdicts",
    metadata,
    # The order in which verdicts were recorded: clocks of CI machines differ, and the newest one decides.
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("digest", String(71), nullable=False),
    Column("image", String(255), nullable=False),
    Column("app", String(63), nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("source", String(63), nullable=False),
    Column("by", String(255), nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("run", String(500), nullable=False),
    Index("release_verdicts_by_digest", "digest", "sequence"),
)

changes = Table(
    "release_changes",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    Column("run", String(500), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("app", String(63), nullable=False),
    Column("environment", String(63), nullable=False),
    Column("release", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("spec_digest", String(71), nullable=False),
    Column("images", JSON, nullable=False),
    Column("user", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment, nullable=True),
    Column("outcome", String(20), nullable=False),
    Column("summary", Text, nullable=False),
    Column("approved_by", String(255), nullable=False),
    Column("approved_at", Moment, nullable=True),
    Column("approval_reason", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Index("release_changes_by_place", "app", "environment", "started"),
)

told = Table(
    "release_told",
    metadata,
    Column("key", String(500), primary_key=True),
    Column("at", Moment, nullable=False),
)
