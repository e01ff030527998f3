"""The DBAs' correction: e-mail addresses without spaces around them and without capitals."""

from __future__ import annotations

from ..common.db import DatabaseError
from . import Migration, Work


def up(work: Work) -> None:
    """Correct the addresses; two users who would then share one end it before anything changes."""
    database = work.connection
    shared = database.rows(
        "SELECT lower(trim(email)) AS address FROM users GROUP BY lower(trim(email)) HAVING count(*) > 1"
    )
    if shared:
        raise DatabaseError(
            f"{len(shared)} addresses belong to more than one user once corrected: merge them first"
        )
    untidy = database.rows(
        "SELECT id, lower(trim(email)) AS address FROM users WHERE email <> lower(trim(email))"
    )
    for row in untidy:
        database.execute("UPDATE users SET email = ? WHERE id = ?", (row["address"], row["id"]))
    work.did(f"corrected the address of {len(untidy)} of {database.count('users')} users")
    work.same("untidy addresses left", database.count("users", "email <> lower(trim(email))"), 0)


MIGRATION = Migration(
    id="r1-dba-emails",
    release=1,
    ticket="101",
    description="DBAs' correction: spaces and capitals in e-mail addresses",
    up=up,
)
