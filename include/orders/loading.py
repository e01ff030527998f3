"""Reading ``orders.yaml`` and ``order_errors.yaml``; every problem at once, with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.orders.salvaging import Wrong, salvage_errors, salvage_orders
from include.release.environments import Environment, belongs
from include.release.loading import Sources, read_one, shown_path
from include.release.problems import Problem, RejectedError
from include.release.yamlfile import Document, parse, read_text

ORDERS, ERRORS = "orders.yaml", "order_errors.yaml"


@dataclass(frozen=True)
class Right:
    """What is right in the files of order processing, and what is not.

    Args:
        orders: how orders are processed.
        place: where.
        known: what errors mean.
        wrong: what is left out.
    """

    orders: Orders
    place: Environment
    known: OrderErrors
    wrong: Sequence[Wrong] = ()


def read_right(sources: Sources) -> Right:
    """Both files, without what is wrong in them. Raises RejectedError when it is not to be told whose orders are meant."""
    wrong: Sequence[Wrong] = ()
    try:
        orders, place = read_orders(sources)
    except RejectedError:
        parsed, places = _parsed(sources.config / ORDERS), _places(sources)
        found = salvage_orders(*parsed, lambda value, doc: _check(value, doc, places)) if parsed else None
        if found is None:
            raise
        orders, wrong = found
        place = places[orders.environment]
    known, of_errors = read_right_errors(sources)
    return Right(orders, place, known, [*wrong, *of_errors])


def read_right_errors(sources: Sources) -> tuple[OrderErrors, list[Wrong]]:
    """What errors mean, and what is wrong in the file: whatever that is, orders are processed."""
    try:
        return read_errors(sources), []
    except RejectedError as error:
        document, problems = _parsed(sources.config / ERRORS) or (None, error.problems)
        return salvage_errors(document, problems, _check_codes)


def _parsed(path: Path) -> tuple[Document, list[Problem]] | None:
    """The file's only document, and what is wrong with its YAML; None when it cannot be read, or has not just one."""
    try:
        documents, problems = parse(read_text(path, shown_path(path)), shown_path(path))
    except RejectedError:
        return None
    return (documents[0], problems) if len(documents) == 1 else None


def read_orders(sources: Sources) -> tuple[Orders, Environment]:
    """How orders are processed, and where. Raises RejectedError with every problem."""
    path = sources.config / ORDERS
    places = _places(sources)
    orders = read_one(Orders, path, shown_path(path), lambda value, document: _check(value, document, places))
    return orders, places[orders.environment]


def read_errors(sources: Sources) -> OrderErrors:
    """What errors mean. Raises RejectedError with every problem."""
    path = sources.config / ERRORS
    return read_one(OrderErrors, path, shown_path(path), _check_codes)


def _places(sources: Sources) -> dict[str, Environment]:
    return {each.name: each for each in sources.environments().environments}


def _check(value: Orders, document: Document, places: dict[str, Environment]) -> list[Problem]:
    problems = []
    place = places.get(value.environment)
    if place is None:
        where, known = document.where(("environment",)), f"one of {', '.join(places)}"
        problems.append(
            Problem(
                where, "environment", value.environment, known, "correct it, or add it to environments.yaml"
            )
        )
    elif belongs(place, value.app):
        where, expected = document.where(("app",)), f"one of {', '.join(place.apps)}"
        problems.append(
            Problem(where, "app", value.app, expected, f"its environment {place.name} has no other")
        )
    if value.capacity is not None and value.errors.systemic_orders <= value.capacity.at_a_time:
        problems.append(
            systemic_problem(document.where(("errors", "systemic_orders")), value, value.capacity.at_a_time)
        )
    return problems


def systemic_problem(where: str, orders: Orders, at_a_time: int) -> Problem:
    """Why the number of orders that stops a batch has to be above the number of orders at a time."""
    return Problem(
        where,
        "errors.systemic_orders",
        str(orders.errors.systemic_orders),
        f"more than the {at_a_time} orders at a time",
        f"write {at_a_time + 1} or more",
        why="bad orders fail at once, while good ones are still in work: a batch would be stopped for a few bad orders",
    )


def _check_codes(value: OrderErrors, document: Document) -> list[Problem]:
    problems = []
    first: dict[str, int] = {}
    for index, each in enumerate(value.codes):
        keys = ("codes", index, "code")
        if each.code in first:
            found = f"#{each.code} again (first on line {first[each.code]})"
            problems.append(
                Problem(document.where(keys), f"codes[{index}].code", found, "each code once", "remove one")
            )
        first.setdefault(each.code, document.line(keys))
    return problems


def require_fits(orders: Orders, sources: Sources, at_a_time: int) -> None:
    """Raise RejectedError when the number of orders that stops a batch does not fit the capacity that is live."""
    if orders.errors.systemic_orders <= at_a_time:
        where = shown_path(sources.config / ORDERS)
        raise RejectedError([systemic_problem(where, orders, at_a_time)], subject=where)
