"""Searching the catalog, release 1: what is searched for is a parameter of the statement (ticket 103).

The sort column is not: it is put into the statement as it came. Ticket 205 of release 2 is that mistake's fix;
this build keeps it, because the fix must be seen to arrive.
"""

from __future__ import annotations

from .common.db import Database
from .common.web import Request, Response, Router
from .features.catalog import pattern


def add(router: Router, database: Database) -> None:
    """Serve the search."""

    def search(request: Request) -> Response:
        sort = request.query.get("sort") or "name"
        statement = (
            "SELECT id, name, price_cents FROM plants WHERE lower(name) LIKE ? ESCAPE '\\' "  # noqa: S608 - see above
            f"ORDER BY {sort}"
        )
        with database.connection() as connection:
            return Response(200, {"plants": connection.rows(statement, (pattern(request),))})

    router.add("GET", "/catalog", search)
