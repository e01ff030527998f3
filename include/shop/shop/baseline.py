"""`python3 -m shop.baseline`: the database as it was before release 1. Safe to run again."""

from __future__ import annotations

import hashlib
import random
import sys

from .common import build, settings
from .common.db import MIGRATION_LOCK, Connection, Database, DatabaseError
from .common.logs import say
from .schema import BASELINE, applied, create_ledger, record, users_columns

FIRST_NAMES = [
    "Ada",
    "Ben",
    "Carla",
    "Dmitri",
    "Esther",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Katya",
    "Liam",
]
LAST_NAMES = [
    "Abbott",
    "Baptiste",
    "Chen",
    "Duong",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jensen",
    "Lopez",
]
CITIES = [
    ("Lisbon", "PT", "1100-148"),
    ("Hanoi", "VN", "11013"),
    ("Oslo", "NO", "0150"),
    ("Boston", "US", "02108"),
]
PLANTS = [
    ("Bird of paradise", 3900),
    ("Fiddle-leaf fig", 4500),
    ("Monstera", 2900),
    ("Snake plant", 1900),
    ("Staghorn fern", 3400),
    ("String of pearls", 1500),
    ("Swiss cheese vine", 2700),
    ("Zebra plant", 2200),
]
USERS = 60
ORDERS = 20
CREATED = "2023-01-01T00:00:00Z"


def create(connection: Connection) -> None:
    """Create the tables and fill them; the same rows every time."""
    connection.execute(f"CREATE TABLE users ({users_columns(connection, middle_name=False)})")
    connection.execute(
        f"CREATE TABLE plants ({connection.identity()}, name TEXT NOT NULL UNIQUE, price_cents INTEGER NOT NULL)"
    )
    connection.execute(
        f"CREATE TABLE orders ({connection.identity()}, user_id BIGINT NOT NULL, item TEXT NOT NULL, "
        "quantity INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'open', created_at TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX orders_by_status ON orders (status, id)")
    numbers = random.Random(134)  # noqa: S311 - sample data, the same in every database
    for index in range(USERS):
        first, last = FIRST_NAMES[index % len(FIRST_NAMES)], LAST_NAMES[index % len(LAST_NAMES)]
        email = f"{first}.{last}.{index}@plants.example".lower()
        # What the DBAs' scripts of release 1 correct: initials in the first name, untidy e-mail addresses.
        if index % 6 == 0:
            first = f"{first} {numbers.choice('ABCDEFGHJKLM')}."
        if index % 9 == 0:
            email = f" {email.title()}"
        city, country, postcode = CITIES[index % len(CITIES)]
        secret = hashlib.sha256(f"{numbers.random()}".encode()).hexdigest()
        connection.execute(
            "INSERT INTO users (first_name, last_name, email, password_hash, street, city, postcode, country, phone, "
            "newsletter, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(first, last, email, f"old${secret}"),
                *(f"{index + 1} Garden Row", city, postcode, country, f"+1 555 {index:04d}"),
                *(index % 2, CREATED),
            ),
        )
    for name, price in PLANTS:
        connection.execute("INSERT INTO plants (name, price_cents) VALUES (?, ?)", (name, price))
    for index in range(ORDERS):
        connection.execute(
            "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (?, ?, ?, ?)",
            (index % USERS + 1, PLANTS[index % len(PLANTS)][0], index % 3 + 1, CREATED),
        )


def main() -> int:
    """Create the baseline unless it is there; return the exit status."""
    database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"), busy_seconds=60)
    try:
        database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
        with database.transaction(lock=MIGRATION_LOCK) as connection:
            create_ledger(connection)
            if BASELINE in applied(connection):
                say(
                    f"baseline: there already, since {applied(connection)[BASELINE]['applied_at']}; nothing done"
                )
                return 0
            create(connection)
            tables = ("users", "plants", "orders")
            rows = ", ".join(f"{connection.count(table)} {table}" for table in tables)
            record(connection, BASELINE, "up", build.build_id(), "-")
        say(f"baseline: created, {rows}")
    except DatabaseError as error:
        say(f"baseline: failed, nothing changed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
