"""Ticket 102: the menu is a table."""

from __future__ import annotations

from ..common.db import Connection
from . import Migration, Work

ENTRIES = [
    ("Home", "/"),
    ("Plants", "/catalog"),
    ("My orders", "/orders"),
    ("My account", "/users"),
    ("Help", "/help"),
]


def up(work: Work) -> None:
    """Create the table with the entries the previous build had in its code."""
    work.step(
        "create menu_items",
        f"CREATE TABLE menu_items ({work.connection.identity()}, title TEXT NOT NULL, path TEXT NOT NULL, "
        "position INTEGER NOT NULL)",
    )
    for position, (title, path) in enumerate(ENTRIES, 1):
        work.connection.execute(
            "INSERT INTO menu_items (title, path, position) VALUES (?, ?, ?)", (title, path, position)
        )
    work.same("menu entries", work.connection.count("menu_items"), len(ENTRIES))


def down(work: Work) -> None:
    """Drop the table."""
    work.step("drop menu_items", "DROP TABLE menu_items")


def lost(connection: Connection) -> dict[str, int]:
    """Count the menu's entries."""
    return {"menu_items": connection.count("menu_items")}


MIGRATION = Migration(
    id="r1-102-menu", release=1, ticket="102", description="menu table", up=up, down=down, lost=lost
)
