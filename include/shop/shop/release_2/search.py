"""Searching the catalog, with ticket 205's fix: only known sort columns reach the statement."""

from __future__ import annotations

from ..common.db import Database
from ..common.web import HttpError, Request, Response, Router
from ..features.catalog import pattern

STATEMENTS = {
    "name": "SELECT id, name, price_cents FROM plants WHERE lower(name) LIKE ? ESCAPE '\\' ORDER BY name, id",
    "price_cents": (
        "SELECT id, name, price_cents FROM plants WHERE lower(name) LIKE ? ESCAPE '\\' ORDER BY price_cents, id"
    ),
}


def add(router: Router, database: Database) -> None:
    """Serve the search."""

    def search(request: Request) -> Response:
        statement = STATEMENTS.get(request.query.get("sort") or "name")
        if statement is None:
            raise HttpError(400, f"sort: expected one of {', '.join(STATEMENTS)}")
        with database.connection() as connection:
            return Response(200, {"plants": connection.rows(statement, (pattern(request),))})

    router.add("GET", "/catalog", search)
