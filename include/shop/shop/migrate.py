"""`python3 -m shop.migrate`: apply migrations, take them back, and tell what was done.

The ledger's row is written in the migration's own transaction, so that a migration and its record are both
there or both not, whatever kills the process. Only one schema change runs at a time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Optional

from .common import build, settings
from .common.db import MIGRATION_LOCK, Connection, Database, DatabaseError
from .common.logs import say
from .migrations import Listed, Work, of_this_build
from .schema import BASELINE, applied, create_ledger, record

FAILED, WRONG_USE, REFUSED = 1, 2, 3
KEEP_ROWS = "MIGRATE_KEEP_ROWS"


class RefusedError(Exception):
    """The migration may not be done now; the message says why and what to do."""


def up(database: Database, listed: Listed, pause: float) -> None:
    """Apply one migration, unless the ledger says that it is applied."""
    migration = listed.migration
    started = time.monotonic()
    say(
        f"up {migration.id} (release {migration.release}, ticket {migration.ticket}): {migration.description}"
    )
    with database.transaction(lock=MIGRATION_LOCK) as connection:
        create_ledger(connection)
        there = applied(connection)
        if migration.id in there:
            entry = there[migration.id]
            if entry["checksum"] != listed.checksum:
                raise RefusedError(
                    f"{migration.id} is applied since {entry['applied_at']}, but with another text than this build's "
                    f"(build {entry['build'][:12]}): put a change of it into a new migration"
                )
            say(
                f"  applied already, since {entry['applied_at']} by build {entry['build'][:12]}; nothing done"
            )
            return
        lacking = [other for other in (BASELINE, *migration.requires) if other not in there]
        if lacking:
            raise RefusedError(f"{migration.id} needs {', '.join(lacking)}, not applied: apply that first")
        migration.up(Work(connection, pause))
        entry_number = record(connection, migration.id, "up", build.build_id(), listed.checksum)
    say(f"  applied in {time.monotonic() - started:.2f} s, entry {entry_number} of the ledger")


def down(
    database: Database, listed: Listed, known: dict[str, Listed], pause: float, *, keep_rows: bool
) -> None:
    """Take one migration back, unless the ledger says that it is not applied.

    With `keep_rows` it is refused when that would destroy a row.
    """
    migration = listed.migration
    started = time.monotonic()
    say(
        f"down {migration.id} (release {migration.release}, ticket {migration.ticket}): {migration.description}"
    )
    with database.transaction(lock=MIGRATION_LOCK) as connection:
        create_ledger(connection)
        there = applied(connection)
        if migration.id not in there:
            say("  not applied; nothing done")
            return
        if migration.down is None:
            raise RefusedError(f"{migration.id} has no way down: it was written to stay")
        if there[migration.id]["checksum"] != listed.checksum:
            raise RefusedError(
                f"{migration.id} was applied with another text than this build's: use the build that did"
            )
        newer = [other for other in there if other not in known and other != BASELINE]
        if newer:
            raise RefusedError(
                f"the ledger has {', '.join(newer)}, which build {build.build_file()['version']} does not know and which "
                f"may need {migration.id}: take it back with the build that applied it, or take that build for this"
            )
        holding = [
            other
            for other, entry in known.items()
            if migration.id in entry.migration.requires and other in there
        ]
        if holding:
            raise RefusedError(f"{migration.id} is needed by {', '.join(holding)}: take that back first")
        destroyed = lost_rows(connection, listed)
        if keep_rows and destroyed:
            # Nobody may write between the count and the drop.
            connection.lock_tables(*(table.split()[0] for table in destroyed))
            destroyed = lost_rows(connection, listed)
            there_are = ", ".join(f"{rows} in {table}" for table, rows in destroyed.items() if rows)
            if there_are:
                raise RefusedError(
                    f"down {migration.id} would destroy rows ({there_are}), and {KEEP_ROWS} says to keep them"
                )
        for table, rows in destroyed.items():
            say(f"  destroys {rows} rows: {table}")
        migration.down(Work(connection, pause))
        entry_number = record(connection, migration.id, "down", build.build_id(), listed.checksum)
    say(f"  taken back in {time.monotonic() - started:.2f} s, entry {entry_number} of the ledger")


def lost_rows(connection: Connection, listed: Listed) -> dict[str, int]:
    """Return the rows per table that taking a migration back would destroy; nothing when it is not applied."""
    if listed.migration.lost is None or listed.migration.id not in applied(connection):
        return {}
    return listed.migration.lost(connection)


def status(database: Database, known: dict[str, Listed], as_json: bool) -> None:
    """Print for each migration of this build, and each other one in the ledger, whether it is applied."""
    with database.connection() as connection:
        there = applied(connection)
    entries = []
    for name in [*known, *(other for other in there if other not in known and other != BASELINE)]:
        entry = there.get(name)
        mine = known.get(name)
        entries.append(
            {
                "id": name,
                "release": mine.migration.release if mine else None,
                "state": "applied" if entry else "pending",
                "applied_at": entry["applied_at"] if entry else None,
                "build": entry["build"] if entry else None,
                "checksum": entry["checksum"] if entry else None,
                "checksum_matches": entry["checksum"] == mine.checksum if entry and mine else None,
            }
        )
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    for line in entries:
        since = f"since {line['applied_at']} by build {str(line['build'])[:12]}" if line["applied_at"] else ""
        print(f"{line['id']:24} {line['state']:8} {since}")


def listing(known: dict[str, Listed], as_json: bool) -> None:
    """Print what this build can apply, in order."""
    declarations = [entry.migration.declaration() for entry in known.values()]
    if as_json:
        print(json.dumps(declarations, indent=2))
        return
    for line in declarations:
        way = "no way down" if not line["has_down"] else "down drops data" if line["drops_data"] else "down"
        print(
            f"{line['id']:24} release {line['release']}, ticket {line['ticket']}: {line['description']} ({way})"
        )


def parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="shop.migrate", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, helps in (
        ("up", "apply one"),
        ("down", "take one back"),
        ("lost", "count what down would destroy"),
    ):
        command = commands.add_parser(name, help=helps)
        command.add_argument("id")
        if name == "lost":
            command.add_argument("--json", action="store_true")
    for name, helps in (("status", "what is applied"), ("list", "what this build can apply")):
        commands.add_parser(name, help=helps).add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Optional[list[str]] = None) -> int:
    """Run one command and return the exit status."""
    options = parse(arguments)
    known = of_this_build()
    if options.command == "list":
        listing(known, options.json)
        return 0
    listed = known.get(getattr(options, "id", ""))
    if options.command != "status" and listed is None:
        say(
            f"no migration {options.id!r} in build {build.build_file()['version']}: it has {', '.join(known)}"
        )
        return WRONG_USE
    pause = settings.number("MIGRATE_STEP_SECONDS", 0)
    keep_rows = settings.number(KEEP_ROWS, 0) > 0
    try:
        database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"), busy_seconds=60)
        database.wait(settings.number("DATABASE_WAIT_SECONDS", 30))
        if listed is None:
            status(database, known, options.json)
        elif options.command == "up":
            up(database, listed, pause)
        elif options.command == "down":
            down(database, listed, known, pause, keep_rows=keep_rows)
        else:
            with database.connection() as connection:
                rows = lost_rows(connection, listed)
            print(
                json.dumps(rows)
                if options.json
                else "\n".join(f"{n:8} {t}" for t, n in rows.items()) or "nothing"
            )
    except RefusedError as error:
        say(f"  refused: {error}")
        return REFUSED
    except DatabaseError as error:
        say(f"  failed, rolled back: {error}")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
