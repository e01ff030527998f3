"""The tables as they were before release 1, and the ledger of what was done to them since."""

from __future__ import annotations

from typing import Optional

from .common.db import Connection, Row
from .common.logs import now

BASELINE = "baseline"
"""The baseline's own id in the ledger."""

PROFILE_COLUMNS = ("street", "city", "postcode", "country", "phone", "newsletter")
"""What release 1 moves out of the big users table."""


def users_columns(connection: Connection, *, middle_name: bool) -> str:
    """Return the column declarations of the one big users table."""
    return ", ".join(
        [
            connection.identity(),
            "first_name TEXT NOT NULL",
            "last_name TEXT NOT NULL",
            "email TEXT NOT NULL UNIQUE",
            "password_hash TEXT NOT NULL",
            "street TEXT",
            "city TEXT",
            "postcode TEXT",
            "country TEXT",
            "phone TEXT",
            "newsletter INTEGER NOT NULL DEFAULT 0",
            "created_at TEXT NOT NULL",
        ]
        + (["middle_name TEXT"] if middle_name else [])
    )


def create_ledger(connection: Connection) -> None:
    """Create the ledger: one row per migration that was done or taken back, never changed afterwards."""
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS schema_migrations ({connection.identity()}, "
        "migration TEXT NOT NULL, direction TEXT NOT NULL CHECK (direction IN ('up', 'down')), "
        "applied_at TEXT NOT NULL, build TEXT NOT NULL, checksum TEXT NOT NULL)"
    )


def record(connection: Connection, migration: str, direction: str, build: str, checksum: str) -> int:
    """Write a row into the ledger and return its number."""
    return connection.insert(
        "INSERT INTO schema_migrations (migration, direction, applied_at, build, checksum) VALUES (?, ?, ?, ?, ?)",
        (migration, direction, now(), build, checksum),
    )


def applied(connection: Connection) -> dict[str, Row]:
    """Return the ledger's row for each migration that is applied now."""
    if not connection.has("schema_migrations"):
        return {}
    latest: dict[str, Row] = {}
    for row in connection.rows("SELECT * FROM schema_migrations ORDER BY id"):
        latest[row["migration"]] = row
    return {migration: row for migration, row in latest.items() if row["direction"] == "up"}


def missing(connection: Connection, needed: list[str]) -> Optional[str]:
    """Return why the schema is too old for a build that needs these migrations, or None."""
    there = applied(connection)
    lacking = [migration for migration in [BASELINE, *needed] if migration not in there]
    if lacking:
        return "the schema is too old for this build, not applied: " + ", ".join(lacking)
    return None
