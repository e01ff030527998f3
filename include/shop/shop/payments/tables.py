"""The tables of the payment queue: made when missing, and brought up to date when an older program made them."""

from __future__ import annotations

from ..common.db import SQLITE, Connection
from ..common.logs import now


def create_tables(connection: Connection) -> None:
    """Create or upgrade, in the caller's transaction.

    New columns may be empty, so that the program before this one works on with the same database.
    """
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS payments ({connection.identity()}, order_name TEXT NOT NULL UNIQUE, "
        "amount_cents BIGINT NOT NULL, state TEXT NOT NULL, reason TEXT, charge_key TEXT NOT NULL UNIQUE, "
        "attempts INTEGER NOT NULL DEFAULT 0, next_try DOUBLE PRECISION NOT NULL DEFAULT 0, "
        "created_at TEXT NOT NULL, changed_at TEXT NOT NULL)"
    )
    connection.execute("CREATE TABLE IF NOT EXISTS queue_hold (reason TEXT NOT NULL, since TEXT NOT NULL)")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS queue_hold_ended (run TEXT PRIMARY KEY, ended_at TEXT NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS settlements (run TEXT PRIMARY KEY, reason TEXT NOT NULL, at TEXT NOT NULL)"
    )
    for name in {"holder", "run"} - columns(connection, "queue_hold"):
        connection.execute(f"ALTER TABLE queue_hold ADD COLUMN {name} TEXT")
    if "settlement" not in columns(connection, "payments"):
        connection.execute("ALTER TABLE payments ADD COLUMN settlement TEXT")
        _distrust(connection)


def columns(connection: Connection, table: str) -> set[str]:
    """Return the names of a table's columns."""
    if connection.dialect == SQLITE:
        found = connection.rows("SELECT name FROM pragma_table_info(?)", (table,))
    else:
        found = connection.rows(
            "SELECT column_name AS name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = ?",
            (table,),
        )
    return {row["name"] for row in found}


def _distrust(connection: Connection) -> None:
    """Ask the gateway about payments that may have arrived although the program before this one queued them again.

    It did so when a second try was refused, whatever had become of the first.
    """
    connection.execute(
        "UPDATE payments SET state = 'in_flight', next_try = 0, changed_at = ? "
        "WHERE state IN ('queued', 'held') AND attempts >= 2",
        (now(),),
    )
