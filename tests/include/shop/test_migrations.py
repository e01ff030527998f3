"""Migrations on real databases: run again, taken back, at once, killed half-way."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.shop.shop.common.db import Database, DatabaseError

OLD_BUILD = [
    # The statements of the build before release 1, which wrote one big users table.
    (
        "INSERT INTO users (first_name, last_name, email, password_hash, street, city, created_at) "
        "VALUES ('Old', 'Build', 'old@plants.example', 'x', '1 Way', 'Oslo', '2023-02-01T00:00:00Z')"
    ),
    "UPDATE users SET city = 'Bergen', last_name = 'Builder' WHERE email = 'old@plants.example'",
]


def tables(database: Database) -> dict[str, Any]:
    """Every row of what the migrations touch."""
    with database.connection() as connection:
        return {
            name: connection.rows(f"SELECT * FROM {name} ORDER BY 1")
            for name in (
                "users",
                "accounts",
                "profiles",
                "menu_items",
                "menu_entries",
                "exotic_plants",
                "plants",
            )
            if connection.has(name)
        }


def events(database: Database) -> list[tuple[str, str]]:
    with database.connection() as connection:
        rows = connection.rows("SELECT migration, direction FROM schema_migrations ORDER BY id")
    return [(row["migration"], row["direction"]) for row in rows]


@pytest.fixture
def opened(both: Any) -> Database:
    return Database(both.env["DATABASE_URL"])


def test_up_down_up_three_times_ends_where_it_began(both: Any, opened: Database) -> None:
    both.prepare(1)
    ids = [name for name in both.ids(1) if name != "r1-dba-emails"]
    before = tables(opened)
    assert (len(before["accounts"]), len(before["users"])) == (60, 60)
    for _ in range(2):
        both.steps([("down", name) for name in reversed(ids)])
        with opened.connection() as connection:
            assert not connection.has("accounts")
            assert connection.count("users") == 60
            assert "middle_name" not in connection.rows("SELECT * FROM users LIMIT 1")[0]
        both.steps([("up", name) for name in ids])
        assert tables(opened) == before


def test_the_second_try_of_a_migration_changes_nothing(both: Any, opened: Database) -> None:
    both.prepare(1, 2)
    before, ledger = tables(opened), events(opened)
    both.prepare(1, 2)
    assert tables(opened) == before
    assert events(opened) == ledger
    assert "applied already" in both.migrate("up", "r1-101-split-users")
    both.migrate("down", "r2-202-menu-catalog")
    assert "not applied; nothing done" in both.migrate("down", "r2-202-menu-catalog")
    assert events(opened) == [*ledger, ("r2-202-menu-catalog", "down")]


def test_the_previous_build_works_on_the_split_users(both: Any, opened: Database) -> None:
    both.prepare(1)
    with opened.transaction() as connection:
        for statement in OLD_BUILD:
            connection.execute(statement)
        row = connection.row(
            "SELECT id, last_name, city, newsletter FROM users WHERE email = 'old@plants.example'"
        )
        assert row is not None
        assert (row["last_name"], row["city"], row["newsletter"]) == ("Builder", "Bergen", 0)
        assert connection.row("SELECT last_name FROM accounts WHERE id = ?", (row["id"],)) == {
            "last_name": "Builder"
        }
        connection.execute("DELETE FROM users WHERE email = 'old@plants.example'")
        assert (connection.count("accounts"), connection.count("profiles")) == (60, 60)


def test_ids_go_on_after_a_split_and_back(both: Any, opened: Database) -> None:
    both.prepare(1)
    for name in ("r1-dba-names", "r1-101-split-users"):
        both.migrate("down", name)
    with opened.transaction() as connection:
        new = connection.insert(OLD_BUILD[0])
    assert new > 60


def test_what_down_destroys_is_counted_first(both: Any, opened: Database) -> None:
    both.prepare(1)
    with opened.transaction() as connection:
        connection.execute("INSERT INTO menu_items (title, path, position) VALUES ('New', '/new', 6)")
    assert json.loads(both.migrate("lost", "r1-102-menu", "--json")) == {"menu_items": 6}
    assert json.loads(both.migrate("lost", "r2-201-orders", "--json")) == {}
    assert "destroys 6 rows: menu_items" in both.migrate("down", "r1-102-menu")


def test_rows_are_kept_when_that_is_asked_for(both: Any, opened: Database) -> None:
    both.prepare(1, 2)
    before, ledger = tables(opened), events(opened)
    said = both.migrate("down", "r2-203-exotic-catalog", expect=3, MIGRATE_KEEP_ROWS="1")
    assert (
        "would destroy rows (6 in exotic_plants, 6 in exotic_stock), and MIGRATE_KEEP_ROWS says to keep"
        in said
    )
    assert (tables(opened), events(opened)) == (before, ledger)
    said = both.migrate("down", "r2-201-order-problems", MIGRATE_KEEP_ROWS="1")
    assert "destroys 0 rows: order_problems" in said
    said = both.migrate("down", "r2-201-orders", MIGRATE_KEEP_ROWS="1")
    assert "destroys 0 rows: fulfilments" in said
    assert events(opened) == [*ledger, ("r2-201-order-problems", "down"), ("r2-201-orders", "down")]


def test_corrections_change_the_rows_they_are_about(both: Any, opened: Database) -> None:
    both.prepare()
    names, mails = "first_name LIKE '% _.'", "email <> lower(trim(email))"
    with opened.connection() as connection:
        assert (connection.count("users", names), connection.count("users", mails)) == (10, 7)
    both.prepare(1)
    with opened.connection() as connection:
        assert (connection.count("users", names), connection.count("users", mails)) == (0, 0)
        assert connection.count("users", "middle_name IS NOT NULL") == 10


def test_two_at_once_apply_it_once(both: Any, opened: Database) -> None:
    both.prepare()
    both.migrate("up", "r1-101-middle-names")
    pair = [
        both.start("shop:1.0.0", "shop.migrate", "up", "r1-101-split-users", MIGRATE_STEP_SECONDS="0.05")
        for _ in range(2)
    ]
    assert [program.process.wait(30) for program in pair] == [0, 0]
    assert events(opened).count(("r1-101-split-users", "up")) == 1
    assert sum("nothing done" in program.output() for program in pair) == 1


def test_killed_half_way_leaves_nothing_and_can_be_repeated(
    both: Any, opened: Database, until: Callable[..., Any]
) -> None:
    both.prepare()
    both.migrate("up", "r1-101-middle-names")
    before, ledger = tables(opened), events(opened)
    slow = both.start("shop:1.0.0", "shop.migrate", "up", "r1-101-split-users", MIGRATE_STEP_SECONDS="0.3")
    until(lambda: "fill accounts: 60 rows" in slow.output(), "the migration is half-way")
    slow.end(signal.SIGKILL)

    def unchanged() -> bool:
        try:
            return tables(opened) == before and events(opened) == ledger
        except DatabaseError:
            return False

    until(unchanged, "the database is as before")
    both.migrate("up", "r1-101-split-users")
    assert events(opened) == [*ledger, ("r1-101-split-users", "up")]


def test_a_write_while_users_are_split_is_not_lost(
    both: Any, opened: Database, until: Callable[..., Any]
) -> None:
    both.prepare()
    both.migrate("up", "r1-101-middle-names")
    slow = both.start("shop:1.0.0", "shop.migrate", "up", "r1-101-split-users", MIGRATE_STEP_SECONDS="0.05")
    until(lambda: "fill accounts" in slow.output(), "rows are copied")
    with opened.transaction() as connection:  # waits for the migration, then goes through the view
        connection.execute(OLD_BUILD[0])
    assert slow.process.wait(30) == 0
    with opened.connection() as connection:
        assert connection.count("accounts", "email = 'old@plants.example'") == 1


def test_order_is_kept(shop: Any) -> None:
    assert "needs baseline" in shop.migrate("up", "r1-102-menu", expect=3)
    shop.prepare()
    assert "needs r1-101-middle-names" in shop.migrate("up", "r1-101-split-users", expect=3)
    shop.prepare(1, 2)
    assert "needed by r1-101-split-users, r1-dba-names" in shop.migrate(
        "down", "r1-101-middle-names", expect=3
    )
    assert "no way down" in shop.migrate("down", "r1-dba-emails", expect=3)
    # Build 1.0.0 cannot know that release 2's menu was made from this one.
    refused = shop.migrate("down", "r1-102-menu", image="shop:1.0.0", expect=3)
    assert "does not know" in refused
    assert "r2-202-menu-catalog" in refused


def test_an_unknown_id_names_the_known_ones(shop: Any) -> None:
    output = shop.migrate("up", "r2-201-orders", image="shop:1.0.0", expect=2)
    assert re.search(r"no migration 'r2-201-orders' in build 1\.0\.0: it has r1-101-middle-names, ", output)


def test_a_changed_text_of_an_applied_migration_is_refused(shop: Any, tmp_path: Path) -> None:
    shop.prepare(1)
    tree = tmp_path / "changed"
    shutil.copytree(shop.images["shop:1.0.0"].path, tree)
    with (tree / "app/shop/migrations/r1_102_menu.py").open("a") as file:
        file.write("\n# changed\n")
    assert "another text" in shop.migrate("up", "r1-102-menu", tree=tree, expect=3)
    status = json.loads(shop.migrate("status", "--json", tree=tree))
    assert [entry["id"] for entry in status if entry["checksum_matches"] is False] == ["r1-102-menu"]


def test_a_database_that_does_not_answer_is_named_without_its_password(shop: Any) -> None:
    shop.env |= {"DATABASE_URL": "postgresql://shop:geheim@127.0.0.1:1/shop", "DATABASE_WAIT_SECONDS": "0"}
    output = shop.migrate("up", "r1-102-menu", expect=1)
    assert "refused" in output
    assert "geheim" not in output
    shop.env["DATABASE_URL"] = "mysql://shop:geheim@db/shop"
    output = shop.migrate("up", "r1-102-menu", expect=1)
    assert "expected sqlite:////path or postgresql://" in output
    assert "geheim" not in output


def test_list_declares_what_a_release_needs_to_know(shop: Any) -> None:
    listing = {entry["id"]: entry for entry in json.loads(shop.migrate("list", "--json"))}
    assert {entry["release"] for entry in listing.values()} == {1, 2}
    assert listing["r1-101-middle-names"] | {"description": ""} == {
        "id": "r1-101-middle-names",
        "release": 1,
        "ticket": "101",
        "description": "",
        "has_down": True,
        "drops_data": True,
        "old_build_compatible": True,
        "requires": [],
    }
    assert not listing["r1-dba-emails"]["has_down"]
    assert not listing["r1-101-split-users"]["drops_data"]
