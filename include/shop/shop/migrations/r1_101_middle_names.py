"""Ticket 101: users have middle names."""

from __future__ import annotations

from ..common.db import POSTGRESQL, Connection
from ..schema import PROFILE_COLUMNS, users_columns
from . import Migration, Work


def up(work: Work) -> None:
    """Add the column. It may be empty, so that the previous build's inserts still work."""
    work.step("add users.middle_name", "ALTER TABLE users ADD COLUMN middle_name TEXT")


def down(work: Work) -> None:
    """Remove the column."""
    if work.connection.dialect == POSTGRESQL:
        work.step("drop users.middle_name", "ALTER TABLE users DROP COLUMN middle_name")
        return
    # SQLite before 3.35 cannot drop a column: build the table again without it.
    before = work.connection.count("users")
    columns = ", ".join(
        ("id", "first_name", "last_name", "email", "password_hash", *PROFILE_COLUMNS, "created_at")
    )
    declarations = users_columns(work.connection, middle_name=False)
    work.step("create users_without", f"CREATE TABLE users_without ({declarations})")
    copy = f"INSERT INTO users_without ({columns}) SELECT {columns} FROM users"  # noqa: S608 - names from the code
    work.step("copy users", copy)
    work.same("copied users", work.connection.count("users_without"), before)
    work.step("drop the old table", "DROP TABLE users")
    work.step("rename users_without to users", "ALTER TABLE users_without RENAME TO users")


def lost(connection: Connection) -> dict[str, int]:
    """Count the users who have a middle name."""
    return {"users with a middle name": connection.count("users", "middle_name IS NOT NULL")}


MIGRATION = Migration(
    id="r1-101-middle-names",
    release=1,
    ticket="101",
    description="column for users' middle names",
    up=up,
    down=down,
    lost=lost,
)
