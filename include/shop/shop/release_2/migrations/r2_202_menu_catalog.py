"""Ticket 202: the menu is arranged in sections, with the exotic catalog.

The new menu has tables of its own: `menu_items` stays as it is for pods that still run release 1, whose
users must not be sent to pages it does not have.
"""

from __future__ import annotations

from ...common.db import Connection
from ...migrations import Migration, Work

SECTIONS = {"Shop": ["/", "/catalog"], "Mine": ["/orders", "/users"]}
OTHER = "More"
NEW = [("Shop", "Exotic plants", "/catalog/exotic")]


def up(work: Work) -> None:
    """Create the tables and sort the present entries into sections."""
    database = work.connection
    work.step(
        "create menu_sections",
        f"CREATE TABLE menu_sections ({database.identity()}, title TEXT NOT NULL UNIQUE, position INTEGER NOT NULL)",
    )
    work.step(
        "create menu_entries",
        f"CREATE TABLE menu_entries ({database.identity()}, section_id BIGINT NOT NULL REFERENCES menu_sections (id), "
        "title TEXT NOT NULL, path TEXT NOT NULL, position INTEGER NOT NULL)",
    )
    sections = {
        title: database.insert("INSERT INTO menu_sections (title, position) VALUES (?, ?)", (title, position))
        for position, title in enumerate([*SECTIONS, OTHER], 1)
    }
    items = database.rows("SELECT title, path FROM menu_items ORDER BY position, id")
    placed = [
        (
            next((title for title, paths in SECTIONS.items() if item["path"] in paths), OTHER),
            item["title"],
            item["path"],
        )
        for item in items
    ]
    for position, (section, title, path) in enumerate([*placed, *NEW], 1):
        database.execute(
            "INSERT INTO menu_entries (section_id, title, path, position) VALUES (?, ?, ?, ?)",
            (sections[section], title, path, position),
        )
    work.same("menu entries", database.count("menu_entries"), len(items) + len(NEW))


def down(work: Work) -> None:
    """Drop the tables; release 1's menu was never touched."""
    work.step("drop menu_entries", "DROP TABLE menu_entries")
    work.step("drop menu_sections", "DROP TABLE menu_sections")


def lost(connection: Connection) -> dict[str, int]:
    """Count the new menu's sections and entries."""
    return {table: connection.count(table) for table in ("menu_sections", "menu_entries")}


MIGRATION = Migration(
    id="r2-202-menu-catalog",
    release=2,
    ticket="202",
    description="menu in sections, with the exotic catalog",
    up=up,
    down=down,
    lost=lost,
    requires=("r1-102-menu",),
)
