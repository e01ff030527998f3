"""How much waits, by SQL. The statements are the processor's own: what it would claim is what counts here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from include.orders.facts import Backlog, CodeCount, Failing, Kept
from include.release.problems import Problem
from include.release.texts import noted_time
from include.restarts.redact import redact
from include.shop.shop.release_2.processing import statements

Query = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Runs a statement with its parameters and returns the rows: ``DbApiHook.get_records``, or a cursor's execute and fetchall."""
Dialect = Literal["postgresql", "sqlite"]

ANSWERS_WITHIN = 20.0
"""Seconds that a statement may take, a lock that it waits for included; a million orders are counted in a fraction of one."""
ENOUGH = 20
"""So many orders processed in the window give an average that can be reckoned with."""
MOST_FAILING = 200
MOST_UNREADABLE = 20
"""So many values that look like a time and are none are passed over in search of the oldest order."""
LONGEST_TEXT = 500
_COLUMNS = (
    "open_orders",
    "in_work",
    "backing_off",
    "set_aside",
    "without_status",
    "without_time",
    "oldest_waiting",
    "arrived",
    "completed",
    "seconds_per_order",
    "last_completed",
)


class NoAnswerError(Exception):
    """The database did not answer in time."""

    def __init__(self, seconds: float, said: str) -> None:
        words = " ".join(said[: 4 * LONGEST_TEXT].split())
        super().__init__(f"the database did not answer within {max(1, round(seconds))} s ({words})")


class Orders:
    """Asks the database about orders. Every method raises what the driver raises (``unreadable`` says it to people).

    Args:
        query: runs a statement.
        dialect: of the database: it decides how parameters are written.
    """

    def __init__(self, query: Query, dialect: Dialect) -> None:
        self._query = query
        self._placeholder = "?" if dialect == "sqlite" else "%s"

    def backlog(self, now: datetime, window_minutes: int = 60) -> Backlog:
        """What waits now, and what came and went in the window before. One statement, from one snapshot.

        Where an order's time looks like one and is none, such as ``1999x``, the next oldest is asked for.
        """
        statement, parameters = statements.backlog(
            now.timestamp(), text_of(now - timedelta(minutes=window_minutes))
        )
        found = dict(zip(_COLUMNS, self._rows(statement, parameters)[0], strict=True))
        in_work, completed = _count(found["in_work"]), _count(found["completed"])
        waiting = max(0, _count(found["open_orders"]) - in_work)
        oldest, unreadable = self._oldest(found["oldest_waiting"], now)
        measured = found["seconds_per_order"]
        return Backlog(
            at=now,
            waiting=waiting,
            in_work=in_work,
            backing_off=_count(found["backing_off"]),
            set_aside=_count(found["set_aside"]),
            without_status=_count(found["without_status"]),
            oldest=oldest,
            without_time=_count(found["without_time"]) + unreadable,
            untimed=waiting > 0 and oldest is None,
            window_minutes=window_minutes,
            arrived=_count(found["arrived"]),
            done=completed,
            seconds_per_order=float(measured) if measured and completed >= ENOUGH else None,
            last_done=_time(found["last_completed"]),
        )

    def _oldest(self, noted: Any, now: datetime) -> tuple[datetime | None, int]:
        """The first time that can be read, and how many orders have none though theirs sorts before it."""
        without = 0
        for _ in range(MOST_UNREADABLE):
            found = _time(noted)
            if found is not None or not noted:
                return found, without
            ((count, following),) = self._rows(statements.OLDEST_BUT, (noted, now.timestamp(), noted))
            noted, without = following, without + _count(count)
        return None, without

    def kept_since(self, since: datetime) -> Kept:
        """Which orders failed since then and are not processed yet, and how many were processed."""
        moment = text_of(since)
        problems = self._rows(statements.PROBLEMS_SINCE, (moment, MOST_FAILING))
        codes = self._rows(statements.CODES_SINCE, (moment,))
        soon = statements.soon(datetime.now(UTC).timestamp())
        alike = {_code(row[0]): row[1:] for row in self._rows(statements.ALIKE_BY_CODE, (soon,))}
        done = self._rows(statements.COMPLETED_SINCE, (moment,))
        return Kept(
            since=since,
            failing=tuple(_failing(row) for row in problems),
            codes=tuple(_of_code(row, *alike.get(_code(row[0]), (0, None))) for row in codes),
            processed=_count(done[0][0]),
        )

    def set_aside(self, most: int = MOST_FAILING) -> tuple[Failing, ...]:
        """The orders that wait for a person: the newest of each code, with how many there are of it."""
        rows = self._rows(statements.SET_ASIDE, (most,))
        return tuple(_failing(row[:-1]).model_copy(update={"of_code": _count(row[-1])}) for row in rows)

    def _rows(self, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return self._query(statements.with_placeholder(statement, self._placeholder), tuple(parameters))


def unreadable(error: BaseException, connection: str) -> Problem:
    """Why the orders could not be asked for, for people; without a password.

    Args:
        error: what the driver or the hook raised.
        connection: the Airflow connection that was used.
    """
    said = redact(" ".join(str(error)[: 4 * LONGEST_TEXT].split()))[:LONGEST_TEXT]
    found = f"{type(error).__name__}: {said}" if said else type(error).__name__
    where = f"connection {connection}"
    if isinstance(error, NoAnswerError):
        fix = (
            "see what holds it up: who has a lock (PostgreSQL: pg_stat_activity and pg_blocking_pids; SQLite: a process that "
            "writes), its load, the network; the next look tries again by itself"
        )
        return Problem(where, "", said, "an answer in time", fix)
    lower = said.lower()
    if lacks_tables(said):
        tables = ", ".join(statements.TABLES)
        fix = "is it the shop's database? If it is, a release with its migrations (release-2 and later) has to go out first"
        return Problem(where, "", found, f"the tables {tables}", fix)
    if "isn't defined" in lower or "not defined" in lower or "AirflowNotFound" in type(error).__name__:
        fix = f"add the Airflow connection {connection}, or correct database: in include/config/orders.yaml"
        return Problem(where, "", found, "an Airflow connection to the database with the orders", fix)
    fix = "bring the database back, or correct the Airflow connection; the next look tries again by itself"
    return Problem(where, "", found, "a database that answers", fix)


def lacks_tables(found: str) -> bool:
    """Whether the database says that it has no tables of orders, or older ones.

    Before the release that brings them that is no outage: ``outcome.not_yet`` and the look at the backlog ask for it.
    """
    return (
        re.search(r"no such (table|column)|(relation|column) \S+ does not exist", found.lower()) is not None
    )


def text_of(moment: datetime) -> str:
    """A moment as the shop's tables have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _failing(row: Sequence[Any]) -> Failing:
    order, code, text, tries, first, last, _, aside = row
    return Failing(
        order=int(order),
        code=_code(code),
        text=redact(" ".join(str(text or "")[: 4 * LONGEST_TEXT].split()))[:LONGEST_TEXT],
        tries=_count(tries),
        first_at=_time(first),
        last_at=_time(last),
        set_aside=aside is not None,
    )


def _of_code(row: Sequence[Any], alike: Any, since: Any) -> CodeCount:
    """What is known of a code; it began in an earlier batch, where no order was processed since."""
    code, orders, first, last = row
    times = [each for each in (_time(first), _time(since)) if each is not None]
    first_at = min(times, default=None)
    return CodeCount(
        code=_code(code), orders=_count(orders), first_at=first_at, last_at=_time(last), alike=_count(alike)
    )


def _code(value: Any) -> str:
    return str(value if value is not None else "").removeprefix("#")[:20]


def _count(value: Any) -> int:
    return int(value or 0)


def _time(value: Any) -> datetime | None:
    """A time as it is kept, a text; None for one that nobody can read."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return noted_time(str(value)) if value else None
