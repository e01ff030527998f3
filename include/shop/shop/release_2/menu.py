"""Ticket 202: the menu in sections."""

from __future__ import annotations

from typing import Any

from ..common.db import Database
from ..common.web import Request, Response, Router


def add(router: Router, database: Database) -> None:
    """Serve the menu."""

    def menu(_: Request) -> Response:
        with database.connection() as connection:
            rows = connection.rows(
                "SELECT s.title AS section, e.title, e.path FROM menu_entries e "
                "JOIN menu_sections s ON s.id = e.section_id ORDER BY s.position, e.position, e.id"
            )
        sections: dict[str, list[Any]] = {}
        for row in rows:
            sections.setdefault(row["section"], []).append({"title": row["title"], "path": row["path"]})
        return Response(
            200, {"menu": [{"section": name, "entries": entries} for name, entries in sections.items()]}
        )

    router.add("GET", "/menu", menu)
