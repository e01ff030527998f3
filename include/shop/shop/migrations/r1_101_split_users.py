"""Ticket 101, Design Doc 134: the one big users table becomes `accounts` and `profiles`.

A view `users` with triggers takes the table's place, so that the previous build reads and writes as before.
"""

from __future__ import annotations

from ..common.db import POSTGRESQL
from ..schema import PROFILE_COLUMNS, users_columns
from . import Migration, Work

ACCOUNT = ("first_name", "middle_name", "last_name", "email", "password_hash", "created_at")
PROFILE = PROFILE_COLUMNS
COLUMNS = ", ".join(("id", *ACCOUNT, *PROFILE))

VIEW = (
    f"CREATE VIEW users AS SELECT a.id, {', '.join('a.' + c for c in ACCOUNT)}, {', '.join('p.' + c for c in PROFILE)} "  # noqa: S608
    "FROM accounts a JOIN profiles p ON p.account_id = a.id"
)

# A view has no defaults: what the table filled in, the trigger must.
DEFAULTS = {"newsletter": "coalesce(NEW.newsletter, 0)"}
ACCOUNT_VALUES = ", ".join(f"NEW.{c}" for c in ACCOUNT)
PROFILE_VALUES = ", ".join(DEFAULTS.get(c, f"NEW.{c}") for c in PROFILE)
UPDATE_ACCOUNT = f"UPDATE accounts SET {', '.join(f'{c} = NEW.{c}' for c in ACCOUNT)} WHERE id = OLD.id;"  # noqa: S608
UPDATE_PROFILE = (
    f"UPDATE profiles SET {', '.join(f'{c} = NEW.{c}' for c in PROFILE)} WHERE account_id = OLD.id;"  # noqa: S608
)
DELETE = "DELETE FROM profiles WHERE account_id = OLD.id; DELETE FROM accounts WHERE id = OLD.id;"

SQLITE_TRIGGERS = {
    "insert": f"INSERT INTO accounts (id, {', '.join(ACCOUNT)}) VALUES (NEW.id, {ACCOUNT_VALUES}); "  # noqa: S608
    f"INSERT INTO profiles (account_id, {', '.join(PROFILE)}) "
    f"VALUES (coalesce(NEW.id, last_insert_rowid()), {PROFILE_VALUES});",
    "update": f"{UPDATE_ACCOUNT} {UPDATE_PROFILE}",
    "delete": DELETE,
}

POSTGRESQL_FUNCTION = f"""
CREATE FUNCTION users_view_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.id := coalesce(NEW.id, nextval(pg_get_serial_sequence('accounts', 'id')));
    INSERT INTO accounts (id, {", ".join(ACCOUNT)}) VALUES (NEW.id, {ACCOUNT_VALUES});
    INSERT INTO profiles (account_id, {", ".join(PROFILE)}) VALUES (NEW.id, {PROFILE_VALUES});
    RETURN NEW;
  ELSIF TG_OP = 'UPDATE' THEN
    {UPDATE_ACCOUNT}
    {UPDATE_PROFILE}
    RETURN NEW;
  END IF;
  {DELETE}
  RETURN OLD;
END $$"""  # noqa: S608


def up(work: Work) -> None:
    """Split the table."""
    database = work.connection
    database.lock_tables("users")  # no row may be written between the copy and the drop
    before = database.count("users")
    account_columns = f"{database.identity()}, " + ", ".join(
        f"{c} TEXT" if c == "middle_name" else f"{c} TEXT NOT NULL{' UNIQUE' if c == 'email' else ''}"
        for c in ACCOUNT
    )
    profile_columns = "account_id BIGINT PRIMARY KEY, " + ", ".join(
        f"{c} INTEGER NOT NULL DEFAULT 0" if c == "newsletter" else f"{c} TEXT" for c in PROFILE
    )
    work.step("create accounts", f"CREATE TABLE accounts ({account_columns})")
    work.step("create profiles", f"CREATE TABLE profiles ({profile_columns})")
    for table, key, columns in (("accounts", "id", ACCOUNT), ("profiles", "account_id", PROFILE)):
        names = ", ".join(columns)
        work.step(f"fill {table}", f"INSERT INTO {table} ({key}, {names}) SELECT id, {names} FROM users")  # noqa: S608
        work.same(table, database.count(table), before)
    database.ids_were_given("accounts")
    work.step("drop the table users", "DROP TABLE users")
    work.step("create the view users for the previous build", VIEW)
    if database.dialect == POSTGRESQL:
        work.step("create the view's function", POSTGRESQL_FUNCTION)
        work.step(
            "create the view's trigger",
            "CREATE TRIGGER users_view_write INSTEAD OF INSERT OR UPDATE OR DELETE ON users "
            "FOR EACH ROW EXECUTE FUNCTION users_view_write()",
        )
    else:
        for event, body in SQLITE_TRIGGERS.items():
            trigger = (
                f"CREATE TRIGGER users_view_{event} INSTEAD OF {event.upper()} ON users BEGIN {body} END"
            )
            work.step(f"create the view's trigger for {event}", trigger)
    work.same("users through the view", database.count("users"), before)


def down(work: Work) -> None:
    """Put the two tables together again."""
    database = work.connection
    database.lock_tables("accounts", "profiles")
    before = database.count("accounts")
    view = "CREATE TABLE users_joined AS SELECT * FROM users"
    work.step("copy accounts and profiles together", view)
    work.step("drop the view users", "DROP VIEW users")
    if database.dialect == POSTGRESQL:
        work.step("drop the view's function", "DROP FUNCTION users_view_write()")
    work.step("create the table users", f"CREATE TABLE users ({users_columns(database, middle_name=True)})")
    work.step("fill users", f"INSERT INTO users ({COLUMNS}) SELECT {COLUMNS} FROM users_joined")  # noqa: S608
    work.same("users", database.count("users"), before)
    database.ids_were_given("users")
    for table in ("users_joined", "profiles", "accounts"):
        work.step(f"drop {table}", f"DROP TABLE {table}")


MIGRATION = Migration(
    id="r1-101-split-users",
    release=1,
    ticket="101",
    description="users table split into accounts and profiles (Design Doc 134)",
    up=up,
    down=down,
    requires=("r1-101-middle-names",),
)
