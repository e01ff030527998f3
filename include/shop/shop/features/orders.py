"""Orders as customers place them. What is ordered is not looked up here: the order processor does."""

from __future__ import annotations

from ..common.db import Database
from ..common.logs import now
from ..common.web import HttpError, Request, Response, Router


def add(router: Router, database: Database) -> None:
    """Serve the orders' pages."""

    def create(request: Request) -> Response:
        given = request.json()
        user, item, quantity = given.get("user_id"), given.get("item"), given.get("quantity", 1)
        if type(user) is not int or not 0 < user < 2**63:
            raise HttpError(422, "user_id: expected a user's number")
        if not isinstance(item, str) or not item.strip() or "\0" in item or len(item) > 200:
            raise HttpError(422, "item: expected the name of a plant")
        if type(quantity) is not int or not 1 <= quantity <= 100:
            raise HttpError(422, "quantity: expected a number from 1 to 100")
        with database.transaction() as connection:
            if not connection.row("SELECT id FROM accounts WHERE id = ?", (user,)):
                raise HttpError(422, f"user_id: no user {user}")
            order = connection.insert(
                "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (?, ?, ?, ?)",
                (user, item.strip(), quantity, now()),
            )
        return Response(201, {"id": order, "status": "open"}, {"Location": f"/orders/{order}"})

    def show(request: Request) -> Response:
        with database.connection() as connection:
            row = connection.row(
                "SELECT id, user_id, item, quantity, status, created_at FROM orders WHERE id = ?",
                (request.number("id"),),
            )
        if row is None:
            raise HttpError(404, f"no order {request.values['id']}")
        return Response(200, row)

    def summary(_: Request) -> Response:
        with database.connection() as connection:
            rows = connection.rows(
                "SELECT status, count(*) AS orders FROM orders GROUP BY status ORDER BY status"
            )
        return Response(200, {row["status"]: row["orders"] for row in rows})

    router.add("POST", "/orders", create)
    router.add("GET", "/orders/{id}", show)
    router.add("GET", "/orders", summary)
