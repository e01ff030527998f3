"""Who holds the queue. Several may at once; it flows again when the last has released it.

A run of a procedure holds once: when its hold has ended, or was released before it began, a late or repeated
call of the same run changes nothing.
"""

from __future__ import annotations

from typing import Optional

from ..common.db import Connection, Row
from ..common.logs import now

BY_HAND = "hand"
"""Holder of a hold that names none."""
EVERYBODY = "*"
"""As the holder in a release: every hold ends."""


def holds(connection: Connection) -> list[Row]:
    """Return the holds there are, oldest first: by, run, reason, since."""
    rows = connection.rows("SELECT holder, run, reason, since FROM queue_hold ORDER BY since")
    return [
        {
            "by": row["holder"] or BY_HAND,
            "run": row["run"] or "",
            "reason": row["reason"],
            "since": row["since"],
        }
        for row in rows
    ]


def why_held(connection: Connection) -> Optional[str]:
    """Return the reasons of all holds, or None when the queue is not held."""
    return "; ".join(each["reason"] for each in holds(connection)) or None


def begin(connection: Connection, reason: str, holder: str, run: str) -> bool:
    """Begin a hold unless it is there. Returns False when the run's hold has ended already."""
    if run and ended(connection, run):
        return False
    if not any((each["by"], each["run"]) == (holder, run) for each in holds(connection)):
        connection.execute(
            "INSERT INTO queue_hold (reason, since, holder, run) VALUES (?, ?, ?, ?)",
            (reason, now(), holder, run),
        )
    return True


def end(connection: Connection, holder: str, run: str) -> None:
    """End a holder's holds, or the one of a run only. A run that is named never holds again."""
    ending = [
        each
        for each in holds(connection)
        if holder in (EVERYBODY, each["by"]) and (not run or run == each["run"])
    ]
    for each in ending:
        connection.execute(
            "DELETE FROM queue_hold WHERE coalesce(holder, ?) = ? AND coalesce(run, '') = ?",
            (BY_HAND, each["by"], each["run"]),
        )
    for name in sorted({run, *(each["run"] for each in ending)} - {""}):
        if not ended(connection, name):
            connection.execute("INSERT INTO queue_hold_ended (run, ended_at) VALUES (?, ?)", (name, now()))


def ended(connection: Connection, run: str) -> bool:
    """Whether a run's hold has ended."""
    return connection.row("SELECT run FROM queue_hold_ended WHERE run = ?", (run,)) is not None
