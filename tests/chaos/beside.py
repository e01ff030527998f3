"""What a release changes beside the cluster, reported to the supervisor before and after: records and documents."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def report(connection: Connection) -> None:
    """From now on in this process, ask before each such change, and tell of it before anything else follows."""

    def around(what: str, change: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        connection.send(("change", what))
        if not connection.recv():
            signal.pause()  # the SIGKILL is on its way
        try:
            return change(*arguments, **options)
        finally:  # a change that failed is over too
            connection.send(("done", what))
            if not connection.recv():
                signal.pause()

    _records(around)
    _documents(around)


def _records(around: Callable[..., Any]) -> None:
    from sqlalchemy.engine.default import DefaultDialect

    commit = DefaultDialect.do_commit

    def do_commit(self: Any, dbapi_connection: Any) -> None:
        rows = getattr(dbapi_connection, "total_changes", 0)
        if rows > dbapi_connection.info.get("chaos", 0):
            dbapi_connection.info["chaos"] = rows
            around("records: commit", commit, self, dbapi_connection)
        else:
            commit(self, dbapi_connection)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _documents(around: Callable[..., Any]) -> None:
    from airflow.sdk import ObjectStoragePath

    for name in ("write_text", "move"):
        _wrap(ObjectStoragePath, name, around)


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    change = getattr(owner, name)

    def changed(*arguments: Any, **options: Any) -> Any:
        return around(f"document: {name}", change, *arguments, **options)

    setattr(owner, name, changed)
