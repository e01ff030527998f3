"""Ticket 102: the menu, from its table."""

from __future__ import annotations

from ..common.db import Database
from ..common.web import Request, Response, Router


def add(router: Router, database: Database) -> None:
    """Serve the menu."""

    def menu(_: Request) -> Response:
        with database.connection() as connection:
            return Response(
                200, {"menu": connection.rows("SELECT title, path FROM menu_items ORDER BY position, id")}
            )

    router.add("GET", "/menu", menu)
