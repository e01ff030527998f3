"""Ticket 203: the catalog of exotic plants."""

from __future__ import annotations

from ..common.db import Database, Row
from ..common.web import HttpError, Request, Response, Router

PLANTS = (
    "SELECT e.id, e.name, e.botanical_name, e.origin, e.price_cents, e.permit_needed, coalesce(s.pieces, 0) AS pieces "
    "FROM exotic_plants e LEFT JOIN exotic_stock s ON s.plant_id = e.id"
)


def add(router: Router, database: Database) -> None:
    """Serve the exotic plants' pages."""

    def shown(row: Row) -> Row:
        return {**row, "permit_needed": bool(row["permit_needed"])}

    def catalog(_: Request) -> Response:
        with database.connection() as connection:
            return Response(
                200, {"plants": [shown(row) for row in connection.rows(f"{PLANTS} ORDER BY e.name")]}
            )

    def plant(request: Request) -> Response:
        with database.connection() as connection:
            row = connection.row(f"{PLANTS} WHERE e.id = ?", (request.number("id"),))
        if row is None:
            raise HttpError(404, f"no exotic plant {request.values['id']}")
        return Response(200, shown(row))

    router.add("GET", "/catalog/exotic", catalog)
    router.add("GET", "/catalog/exotic/{id}", plant)
