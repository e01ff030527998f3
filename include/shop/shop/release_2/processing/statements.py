"""The SQL on orders: the processor's claims, and what is asked about the backlog. Text only; imports nothing of the shop.

What waits and what is in work is decided here, once, for the processor that claims orders and for whoever watches
it. Parameters are `?` (`with_placeholder` changes that for another driver). Moments of claims are seconds since
1970; `created_at`, `processed_at` and the moments of problems are texts in UTC such as `2023-01-01T00:00:00.000Z`,
which sort as they follow each other.

An order is `open`, then `processed`, or `held` (set aside for a person). An open order is in work while a claim on
it lasts, else it waits; after an error it is not tried again before `not_before`.

Locks are always taken in the order orders, order_claims, others: nobody waits for each other in a circle.
"""

from __future__ import annotations

from datetime import datetime, timezone

TABLES = ("orders", "order_claims", "fulfilments", "order_problems")
"""What the statements need; the last one came with migration r2-201-order-problems."""

_FREE = (
    "FROM orders o LEFT JOIN order_claims c ON c.order_id = o.id "
    "WHERE o.status = 'open' AND coalesce(c.claimed_until, 0) < ? AND coalesce(c.not_before, 0) <= ? "
    "ORDER BY o.id LIMIT 1"
)
_TAKE = (
    "ON CONFLICT (order_id) DO UPDATE SET worker = excluded.worker, claimed_until = excluded.claimed_until, "
    "attempts = order_claims.attempts + 1 "
    "WHERE order_claims.claimed_until < ? AND order_claims.not_before <= ?"
)

# The database's own order of commits decides who was first, not what a reader saw before it: the condition of the
# update is checked on the claim as it is then. `attempts` is null for who came second, and tries the next order.
CLAIM_POSTGRESQL = (
    f"WITH free AS (SELECT o.id, o.user_id, o.item, o.quantity {_FREE} FOR UPDATE OF o SKIP LOCKED), "  # noqa: S608
    "taken AS (INSERT INTO order_claims (order_id, worker, claimed_until, attempts) "
    f"SELECT id, ?, ?, 1 FROM free {_TAKE} RETURNING order_id, attempts) "
    "SELECT f.id, f.user_id, f.item, f.quantity, t.attempts FROM free f LEFT JOIN taken t ON t.order_id = f.id"
)
"""One statement. Parameters: now, now, worker, end of the claim, now, now."""

FREE_SQLITE = f"SELECT o.id, o.user_id, o.item, o.quantity, coalesce(c.attempts, 0) + 1 AS attempts {_FREE}"
"""First part of a claim, after BEGIN IMMEDIATE: SQLite has one writer at a time. Parameters: now, now."""

TAKE_SQLITE = (
    f"INSERT INTO order_claims (order_id, worker, claimed_until, attempts) VALUES (?, ?, ?, 1) {_TAKE}"  # noqa: S608
)
"""Second part. Parameters: order, worker, end of the claim, now, now."""

GIVE_BACK = (
    "UPDATE order_claims SET claimed_until = 0, attempts = attempts - 1 "
    "WHERE order_id = ? AND worker = ? AND attempts = ?"
)
"""An order that was not worked on: the attempt does not count. Parameters: order, worker, attempts."""

GIVE_BACK_OF_DEAD = "UPDATE order_claims SET claimed_until = 0 WHERE worker LIKE ? AND claimed_until > 0"
"""Claims of a worker process that has ended, `<its name>/%`; the attempts count."""

COUNT_TRY_LATER = (
    "UPDATE order_claims SET attempts = attempts - 1 WHERE order_id = ? AND worker = ? AND attempts = ?"
)
"""An order that is to be tried alone waits for that, claimed. Parameters: order, worker, attempts."""

COUNT_TRY_NOW = (
    "UPDATE order_claims SET attempts = attempts + 1, claimed_until = ? "
    "WHERE order_id = ? AND worker = ? AND attempts = ?"
)
"""It is alone now. Parameters: end of the claim, order, worker, attempts."""

DONE = "UPDATE orders SET status = 'processed' WHERE id = ? AND status = 'open'"
HOLD = "UPDATE orders SET status = 'held' WHERE id = ? AND status = 'open'"
END_CLAIM = "DELETE FROM order_claims WHERE order_id = ? AND worker = ? AND attempts = ?"
FULFIL = (
    "INSERT INTO fulfilments (order_id, worker, total_cents, processed_at, seconds) VALUES (?, ?, ?, ?, ?)"
)
SOLVED = "UPDATE order_problems SET solved_at = ? WHERE order_id = ? AND solved_at IS NULL"

FAIL = (
    "UPDATE order_claims SET claimed_until = 0, not_before = ?, attempts = attempts - ?, last_error = ? "
    "WHERE order_id = ? AND worker = ? AND attempts = ?"
)
"""Parameters: next try, 1 when the attempt does not count (else 0), error, order, worker, attempts."""

PROBLEM = (
    "INSERT INTO order_problems (order_id, code, text, tries, first_at, last_at, worker, set_aside_at) "
    "VALUES (?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT (order_id, code) DO UPDATE SET text = excluded.text, "
    "tries = order_problems.tries + 1, last_at = excluded.last_at, worker = excluded.worker, "
    "set_aside_at = excluded.set_aside_at, solved_at = NULL"
)
"""Parameters: order, code, text, first and last time, worker, time of setting aside or null."""

PRICE = "SELECT price_cents FROM plants WHERE name = ? UNION ALL SELECT price_cents FROM exotic_plants WHERE name = ?"

# Ranges, which an index answers at once; no status at all, or one that nobody knows.
_LOST = (
    "(status IS NULL OR status < 'held' OR (status > 'held' AND status < 'open') "
    "OR (status > 'open' AND status < 'processed') OR status > 'processed')"
)
WITHOUT_STATUS = f"SELECT id, status FROM orders WHERE {_LOST} ORDER BY id LIMIT ?"  # noqa: S608
HOLD_WITHOUT_STATUS = f"UPDATE orders SET status = 'held' WHERE id = ? AND {_LOST}"  # noqa: S608
"""Orders that nobody would ever see. Parameters: how many at most; order."""

RETURN_TRIES = (
    "UPDATE order_claims SET attempts = CASE WHEN attempts > ? THEN attempts - ? ELSE 0 END, not_before = ? "
    "WHERE order_id = ? AND claimed_until = 0"
)
"""Tries that say nothing of the order, as everything failed. Parameters: how many, how many, next try, order."""

OTHERS_SINCE = (
    "SELECT (SELECT count(*) FROM order_claims WHERE claimed_until >= ? AND worker NOT LIKE ?) "
    "+ (SELECT count(*) FROM fulfilments WHERE processed_at > ? AND worker NOT LIKE ?) "
    "+ (SELECT count(*) FROM order_problems WHERE last_at > ? AND worker NOT LIKE ?) AS orders"
)
"""Orders that other processors have in work, or processed or failed at since a moment."""

REOPEN = "UPDATE orders SET status = 'open' WHERE id = ? AND status = 'held'"
STATUS = "SELECT status FROM orders WHERE id = ?"
FORGET_CLAIM = "DELETE FROM order_claims WHERE order_id = ?"
NOT_ASIDE = "UPDATE order_problems SET set_aside_at = NULL, tries = 0 WHERE order_id = ?"

SOONEST = (
    "SELECT count(*) AS orders, min(CASE WHEN coalesce(c.claimed_until, 0) > coalesce(c.not_before, 0) "
    "THEN coalesce(c.claimed_until, 0) ELSE coalesce(c.not_before, 0) END) AS free_at "
    "FROM orders o LEFT JOIN order_claims c ON c.order_id = o.id WHERE o.status = 'open'"
)
"""How many are open, and when the first of them may be claimed: asked when none could be."""

_READABLE = "o.created_at >= '1970' AND o.created_at < '3'"
"""A time: not null, not empty, no garbage. An order without one is processed all the same."""

_OLDEST = (
    "SELECT o.created_at FROM orders o LEFT JOIN order_claims c ON c.order_id = o.id "  # noqa: S608
    f"WHERE o.status = 'open' AND {_READABLE} AND coalesce(c.claimed_until, 0) < ? "
)

# CROSS JOIN: SQLite begins with the table that is named first, which is the small one.
BACKLOG = (
    "SELECT (SELECT count(*) FROM orders WHERE status = 'open') AS open_orders, "  # noqa: S608
    "(SELECT count(*) FROM order_claims c CROSS JOIN orders o "
    "WHERE o.id = c.order_id AND c.claimed_until >= ? AND o.status = 'open') AS in_work, "
    "(SELECT count(*) FROM order_claims c CROSS JOIN orders o "
    "WHERE o.id = c.order_id AND c.claimed_until < ? AND c.not_before > ? AND o.status = 'open') AS backing_off, "
    "(SELECT count(*) FROM orders WHERE status = 'held') AS set_aside, "
    f"(SELECT count(*) FROM orders WHERE {_LOST}) AS without_status, "
    "(SELECT count(*) FROM orders WHERE status = 'open' AND created_at IS NULL) + "
    "(SELECT count(*) FROM orders WHERE status = 'open' AND created_at < '1970') + "
    "(SELECT count(*) FROM orders WHERE status = 'open' AND created_at >= '3') AS without_time, "
    f"({_OLDEST} ORDER BY o.created_at LIMIT 1) AS oldest_waiting, "
    f"(SELECT count(*) FROM orders o WHERE o.created_at >= ? AND {_READABLE}) AS arrived, "
    "(SELECT count(*) FROM fulfilments WHERE processed_at >= ?) AS completed, "
    "(SELECT avg(seconds) FROM fulfilments WHERE processed_at >= ?) AS seconds_per_order, "
    "(SELECT max(processed_at) FROM fulfilments) AS last_completed"
)
"""One row from one snapshot; see `backlog`."""

OLDEST_BUT = (
    "SELECT (SELECT count(*) FROM orders WHERE status = 'open' AND created_at = ?) AS without_time, "  # noqa: S608
    f"({_OLDEST} AND o.created_at > ? ORDER BY o.created_at LIMIT 1) AS oldest_waiting"
)
"""For a `created_at` that looks like a time and is none: how many open orders have it, and the next one. Parameters:
that one, now, that one."""

PROBLEMS_SINCE = (
    "SELECT order_id, code, text, tries, first_at, last_at, worker, set_aside_at FROM order_problems "
    "WHERE last_at >= ? AND solved_at IS NULL ORDER BY last_at DESC, order_id LIMIT ?"
)
"""Errors that last: newest first. Parameters: since, how many at most."""

SET_ASIDE = (
    "SELECT order_id, code, text, tries, first_at, last_at, worker, set_aside_at, of_code FROM ("
    "SELECT p.order_id, p.code, p.text, p.tries, p.first_at, p.last_at, p.worker, p.set_aside_at, "
    "count(*) OVER (PARTITION BY p.code) AS of_code, "
    "row_number() OVER (PARTITION BY p.code ORDER BY p.set_aside_at DESC, p.order_id) AS place "
    "FROM order_problems p JOIN orders o ON o.id = p.order_id "
    "WHERE o.status = 'held' AND p.set_aside_at IS NOT NULL) listed ORDER BY place, code LIMIT ?"
)
"""Orders that wait for a person: first the newest of each code, then the one before it; `of_code` counts those of
its code. Parameter: how many at most."""

CODES_SINCE = (
    "SELECT code, count(*) AS orders, min(first_at) AS first_at, max(last_at) AS last_at FROM order_problems "
    "WHERE last_at >= ? AND solved_at IS NULL GROUP BY code ORDER BY orders DESC, code"
)
"""How many distinct orders each code hit that are not processed since, those set aside too. Parameter: since."""

# Times in the future are no news of the past: a clock was wrong.
_ALIKE = (
    "WITH success AS (SELECT coalesce(max(processed_at), '') AS moment FROM fulfilments WHERE processed_at < ?) "
    "SELECT {} FROM success CROSS JOIN order_problems p "
    "WHERE p.solved_at IS NULL AND p.last_at > success.moment AND p.first_at > success.moment "
)
ALIKE = _ALIKE.format("p.order_id, p.first_at, p.set_aside_at") + "AND p.code = ? ORDER BY p.first_at LIMIT ?"
"""Orders that first failed with a code after an order was last processed by anybody, in whatever batch; those set aside
too. So many of them are everything. Parameters: soon, code, how many at most."""

ALIKE_BY_CODE = _ALIKE.format("p.code, count(*) AS orders, min(p.first_at) AS first_at") + "GROUP BY p.code"
"""How many, and since when, for each code. Parameter: soon."""

COMPLETED_SINCE = "SELECT count(*) AS orders FROM fulfilments WHERE processed_at > ?"
"""Whether there was a success between. Parameter: since."""


TAKEN_BEFORE = "SELECT count(*) AS orders FROM order_claims WHERE claimed_until >= ? AND claimed_until < ?"
"""Orders in work that were taken before a moment. Parameters: now, end of a claim that began then."""


def backlog(now: float, since: str) -> tuple[str, tuple[float | str, ...]]:
    """Return the statement of the backlog and its parameters.

    Its one row has `open_orders` (waiting and in work), `in_work` (claimed now), `backing_off` (waiting, of which
    each failed and has its next try later), `set_aside`, `without_status` (nobody's: set aside by the next batch),
    `without_time` (open ones whose `created_at` is null or nothing like a time), `oldest_waiting` (the `created_at` of
    the oldest with one; null when none waits), `arrived` and `completed` since then,
    `seconds_per_order` (average of those; null when there are none) and `last_completed` (null: never).

    Args:
        now: seconds since 1970.
        since: start of the window, as the tables have it (UTC, `2023-01-01T00:00:00.000Z`).
    """
    return BACKLOG, (now, now, now, now, since, since, since)


def soon(now: float) -> str:
    """Return a moment in which nothing can have happened yet, though clocks differ: some minutes after now."""
    moment = datetime.fromtimestamp(now + 300, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_placeholder(statement: str, placeholder: str) -> str:
    """Return a statement for a driver whose parameters are `placeholder`, `?` or `%s`."""
    if placeholder == "?":
        return statement
    return statement.replace("%", "%%").replace("?", placeholder)
