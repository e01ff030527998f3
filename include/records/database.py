"""Connections to the records' database: SQLite and PostgreSQL, transactions, and errors that can be read."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, table, text
from sqlalchemy import column as named
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from include.records.tables import HEAD, VERSION_TABLE

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
"""A server that does not answer is given up after so long, unless the URL says otherwise."""
_UPGRADE_LOCK = 4_700_301
"""Held while the tables are made or changed (key of a PostgreSQL advisory lock)."""
_upgrading = threading.Lock()
"""Alembic keeps the upgrade that goes on in a module's variable: one at a time in a process."""


class RecordsError(Exception):
    """The records cannot be read or written; the text says where, why and what to do.

    Attributes:
        transient: trying again later may help.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


class Database:
    """The database of one URL. A connection is made for each transaction, so that forks and threads share none.

    Args:
        url: ``sqlite:////path`` or ``postgresql://user:password@host/name``.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self._engine: Engine | None = None
        self._ready = False

    @property
    def shown(self) -> str:
        """The URL without password and options."""
        return shown(self._url)

    @contextlib.contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[Connection]:
        """A transaction on an up-to-date schema; committed when the block ends without an error.

        Raises:
            RecordsError: the database does not answer, refuses, or is newer than this code.
        """
        with self._readable():
            engine = self._open().execution_options(writes=writes)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = _engine(self._url)
        if not self._ready:
            with _upgrading:
                if not self._ready:
                    self._upgrade(self._engine)
                    self._ready = True
        return self._engine

    def _upgrade(self, engine: Engine) -> None:
        """Make or change the tables, if need be; a second process waits and then finds them."""
        with engine.execution_options(writes=False).connect() as connection, connection.begin():
            if _version(connection) == HEAD:
                return
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            found = _version(connection)
            if found == HEAD:
                return
            from include.records import upgrade  # noqa: PLC0415 (half a second, and seldom needed)

            if not upgrade.is_known(found):
                raise RecordsError(
                    f"The records at {self.shown} have schema version {found}, which this version of the project "
                    f"does not know (it knows {HEAD}). They were written by a newer one: update this one."
                )
            upgrade.to_head(connection)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._error(error) from None

    def _error(self, error: SQLAlchemyError) -> RecordsError:
        original = getattr(error, "orig", None) or error
        reason = next(iter(str(original).strip().splitlines()), "") or type(original).__name__
        transient = isinstance(error, OperationalError | InterfaceError)
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            transient = True
        if self._url.get_backend_name() == "sqlite":
            fix = "is the directory there, and may this user write to it and to the file?"
            if "locked" in reason:
                fix = f"somebody else wrote for more than {BUSY_SECONDS} s; try again"
        else:
            fix = "does it run, and may this user log in and create tables there?"
        return RecordsError(
            f"The records at {self.shown} cannot be used: {reason}. {fix}", transient=transient
        )


def shown(url: URL) -> str:
    """A URL as a log may show it: no password, no options (which may have one too)."""
    return url.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may have a password.
        raise RecordsError(
            "The URL of the records is none; it is sqlite:////path/file.db or postgresql://user:password@host/name"
        ) from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.get_backend_name() not in ("sqlite", "postgresql"):
        raise RecordsError(
            f"The records are kept in SQLite or PostgreSQL, not in {found.get_backend_name()} ({shown(found)})"
        )
    if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
        raise RecordsError(f"The records need a file: sqlite:////path/file.db, not {shown(found)}")
    return found


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        limits = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        return create_engine(url, poolclass=NullPool, connect_args=limits)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise RecordsError(f"The driver for {shown(url)} is missing: {error}") from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun below; the driver would leave changes of the schema out of them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A write lock from the start: two that read first and then write would both have to give up.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(select(named("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return str(found) if found is not None else None
