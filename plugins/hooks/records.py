"""From an Airflow connection to the records."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook
from sqlalchemy import URL

from include.records.database import RecordsError
from include.records.store import Records
from include.release.problems import Problem, RejectedError


class RecordsHook(BaseHook):
    """The database of verdicts and changes: an Airflow connection of type ``sqlite`` or ``postgres``."""

    conn_name_attr = "records_conn_id"
    default_conn_name = "plan_reduce_repeat_records"
    hook_name = "Records of releases"

    def __init__(self, records_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.records_conn_id = records_conn_id

    def get_conn(self) -> Records:
        """The records.

        Raises:
            RejectedError: the connection is missing or of another kind; says how to add it.
        """
        try:
            connection = self.get_connection(self.records_conn_id)
        except Exception as error:
            if type(error).__name__ != "AirflowNotFoundException":
                raise
            raise self._unusable("no such connection") from None
        try:
            return Records(records_url(connection))
        except RecordsError as error:
            raise self._unusable(str(error)) from None

    def _unusable(self, found: str) -> RejectedError:
        problem = Problem(
            f"connection {self.records_conn_id}",
            "",
            found,
            "a connection of type sqlite or postgres: the database of verdicts and changes",
            "add it under Admin, Connections, or as an environment variable: "
            f"AIRFLOW_CONN_{self.records_conn_id.upper()}=sqlite:////path/records.db "
            "(or postgres://user:password@host/name)",
        )
        return RejectedError([problem], subject="the connection to the records")


def records_url(connection: Any) -> str:
    """The SQLAlchemy URL of an Airflow connection.

    Raises:
        RecordsError: it is of another type than sqlite and postgres.
    """
    kind = str(connection.conn_type or "").lower()
    if kind == "sqlite":
        # As SqliteHook reads it: the path is the host, or the schema of a URL with three or four slashes.
        path = connection.host or connection.schema or ""
        return URL.create("sqlite", database=path or None).render_as_string(hide_password=False)
    if kind in ("postgres", "postgresql"):
        options = {key: str(value) for key, value in _extras(connection).items() if key in POSTGRES_OPTIONS}
        url = URL.create(
            "postgresql+psycopg",
            username=connection.login or None,
            password=connection.password or None,
            host=connection.host or None,
            port=connection.port or None,
            database=connection.schema or None,
            query=options,
        )
        return url.render_as_string(hide_password=False)
    raise RecordsError(f"a connection of type {kind or 'none'}")


POSTGRES_OPTIONS = frozenset(
    {"sslmode", "sslcert", "sslkey", "sslrootcert", "options", "application_name", "connect_timeout", "host"}
)
"""What a connection's extras may hand on to the driver."""


def _extras(connection: Any) -> dict[str, Any]:
    found: dict[str, Any] = connection.extra_dejson or {}
    return found
