"""Users, with middle names (ticket 101), in the split tables of Design Doc 134."""

from __future__ import annotations

from ..common.db import ConflictError, Database
from ..common.logs import now
from ..common.web import HttpError, Request, Response, Router
from . import passwords


def add(router: Router, database: Database) -> None:
    """Serve the users' pages."""

    def show(request: Request) -> Response:
        with database.connection() as connection:
            row = connection.row(
                "SELECT a.id, a.first_name, a.middle_name, a.last_name, p.city, p.country FROM accounts a "
                "JOIN profiles p ON p.account_id = a.id WHERE a.id = ?",
                (request.number("id"),),
            )
        if row is None:
            raise HttpError(404, f"no user {request.values['id']}")
        return Response(200, row)

    def create(request: Request) -> Response:
        given = request.json()
        names = {name: _word(given, name) for name in ("first_name", "last_name", "email", "password")}
        middle = _word(given, "middle_name", required=False) or None
        unmet = passwords.unmet(names["password"])
        if unmet:
            raise HttpError(422, "the password does not meet the requirements", unmet=unmet)
        secret = passwords.hashed(names["password"])
        email = names["email"].strip().lower()
        try:
            with database.transaction() as connection:
                user = connection.insert(
                    "INSERT INTO accounts (first_name, middle_name, last_name, email, password_hash, created_at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (names["first_name"], middle, names["last_name"], email, secret, now()),
                )
                connection.execute("INSERT INTO profiles (account_id) VALUES (?)", (user,))
        except ConflictError:
            raise HttpError(409, "there is a user with this e-mail address") from None
        return Response(201, {"id": user}, {"Location": f"/users/{user}"})

    router.add("GET", "/users/{id}", show)
    router.add("POST", "/users", create)


def _word(given: dict[str, object], name: str, *, required: bool = True) -> str:
    value = given.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value.strip() or "\0" in value or len(value) > 200:
        raise HttpError(422, f"{name}: expected a text of 1 to 200 characters")
    return value.strip() if name != "password" else value
