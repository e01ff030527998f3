"""The catalog's start page and single plants. Searching is a module of its own per release."""

from __future__ import annotations

from ..common.db import Database
from ..common.web import HttpError, Request, Response, Router


def pattern(request: Request) -> str:
    """Return the LIKE pattern for the request's `q`; the characters with a meaning in LIKE stand for themselves."""
    word = request.query.get("q", "").lower()
    if "\0" in word:
        raise HttpError(400, "q: not a text")
    for special in ("\\", "%", "_"):
        word = word.replace(special, "\\" + special)
    return f"%{word}%"


def add(router: Router, database: Database) -> None:
    """Serve the start page and single plants."""

    def home(_: Request) -> Response:
        with database.connection() as connection:
            return Response(200, {"shop": "Exotic plants", "plants": connection.count("plants")})

    def plant(request: Request) -> Response:
        with database.connection() as connection:
            row = connection.row(
                "SELECT id, name, price_cents FROM plants WHERE id = ?", (request.number("id"),)
            )
        if row is None:
            raise HttpError(404, f"no plant {request.values['id']}")
        return Response(200, row)

    router.add("GET", "/", home)
    router.add("GET", "/catalog/{id}", plant)
