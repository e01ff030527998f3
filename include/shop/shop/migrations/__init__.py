"""What a migration is, and how a build finds its own.

A migration is a module with `MIGRATION`. Its checksum is that of the module's file: a migration that was
applied somewhere is not edited any more; write another one.
"""

from __future__ import annotations

import hashlib
import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ..common import build
from ..common.db import Connection, DatabaseError
from ..common.logs import say


class Work:
    """What a migration works with: the connection, in its transaction, and a log with row counts."""

    def __init__(self, connection: Connection, pause: float = 0) -> None:
        self.connection = connection
        self._pause = pause
        self._steps = 0

    def step(self, what: str, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        """Run one statement and tell what it did, with the number of rows where it changed some."""
        changed = self.connection.execute(statement, parameters)
        first = statement.split(None, 1)[0].upper()
        rows = f": {changed} rows" if first in ("INSERT", "UPDATE", "DELETE") and changed >= 0 else ""
        self.did(what + rows)

    def did(self, what: str) -> None:
        """Tell of a step that was done."""
        self._steps += 1
        say(f"  {self._steps}. {what}")
        time.sleep(self._pause)

    def same(self, what: str, found: int, expected: int) -> None:
        """Check a count; a difference ends the migration, and its transaction is rolled back."""
        if found != expected:
            raise DatabaseError(f"{what}: {found} rows, expected {expected}")
        self.did(f"checked {what}: {found} rows")


@dataclass(frozen=True)
class Migration:
    """One change of the schema or the data.

    Attributes:
        requires: migrations that must be applied before, and may not be taken back before this one.
        lost: counts the rows that `down` destroys; a migration that has it drops data. A key begins with the
            table's name.
        old_build_compatible: the previous build works before, during and after it.
    """

    id: str
    release: int
    ticket: str
    description: str
    up: Callable[[Work], None]
    down: Optional[Callable[[Work], None]] = None
    lost: Optional[Callable[[Connection], dict[str, int]]] = None
    old_build_compatible: bool = True
    requires: tuple[str, ...] = ()

    def declaration(self) -> dict[str, Any]:
        """Return what `list --json` tells of it."""
        return {
            "id": self.id,
            "release": self.release,
            "ticket": self.ticket,
            "description": self.description,
            "has_down": self.down is not None,
            "drops_data": self.lost is not None,
            "old_build_compatible": self.old_build_compatible,
            "requires": list(self.requires),
        }


@dataclass(frozen=True)
class Listed:
    """A migration of this build with the checksum of its file."""

    migration: Migration
    checksum: str


def of_this_build() -> dict[str, Listed]:
    """Return the build's migrations by id, in the order in which they are applied."""
    root = __name__.rsplit(".", 1)[0]
    found = {}
    for name in build.build_file()["migrations"]:
        module = importlib.import_module(f"{root}.{name}")
        text = Path(str(module.__file__)).read_bytes()
        migration: Migration = module.MIGRATION
        found[migration.id] = Listed(migration, hashlib.sha256(text).hexdigest())
    return found
