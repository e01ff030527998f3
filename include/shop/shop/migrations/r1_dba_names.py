"""The DBAs' correction: an initial that was typed into the first name moves to the middle name."""

from __future__ import annotations

import re

from . import Migration, Work

INITIAL = re.compile(r"(\S.*?)\s+([A-Z]\.)")


def up(work: Work) -> None:
    """Move the initials, and keep what was changed in `name_corrections`."""
    database = work.connection
    work.step(
        "create name_corrections",
        "CREATE TABLE name_corrections (user_id BIGINT PRIMARY KEY, before TEXT NOT NULL, first_name TEXT NOT NULL, "
        "middle_name TEXT NOT NULL)",
    )
    candidates = database.rows("SELECT id, first_name FROM users WHERE middle_name IS NULL ORDER BY id")
    found = [(row, INITIAL.fullmatch(row["first_name"])) for row in candidates]
    moved = 0
    for row, match in found:
        if match is None:
            continue
        first, middle = match.groups()
        database.execute(
            "INSERT INTO name_corrections (user_id, before, first_name, middle_name) VALUES (?, ?, ?, ?)",
            (row["id"], row["first_name"], first, middle),
        )
        database.execute(
            "UPDATE users SET first_name = ?, middle_name = ? WHERE id = ?", (first, middle, row["id"])
        )
        moved += 1
    work.did(f"moved the initial of {moved} of {len(candidates)} users without a middle name")
    corrected = database.count(
        "users u JOIN name_corrections c ON c.user_id = u.id", "u.middle_name = c.middle_name"
    )
    work.same("corrected users", corrected, moved)


def down(work: Work) -> None:
    """Undo the correction where nobody has changed the name since."""
    database = work.connection
    unchanged = database.rows(
        "SELECT u.id, c.before FROM users u JOIN name_corrections c ON c.user_id = u.id "
        "WHERE u.first_name = c.first_name AND u.middle_name = c.middle_name ORDER BY u.id"
    )
    for row in unchanged:
        database.execute(
            "UPDATE users SET first_name = ?, middle_name = NULL WHERE id = ?", (row["before"], row["id"])
        )
    work.did(f"restored the first name of {len(unchanged)} of {database.count('name_corrections')} users")
    work.step("drop name_corrections", "DROP TABLE name_corrections")


MIGRATION = Migration(
    id="r1-dba-names",
    release=1,
    ticket="101",
    description="DBAs' correction: initials in first names move to the middle name",
    up=up,
    down=down,
    requires=("r1-101-middle-names",),
)
