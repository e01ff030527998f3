"""Writing a row that may be there already."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection, table: Table, values: dict[str, Any], *, key: str, replace: bool = True
) -> None:
    """Insert a row, or replace (leave) the one that has this key."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(values)
    if replace:
        changed = {name: statement.excluded[name] for name in values if name != key}
        statement = statement.on_conflict_do_update(index_elements=[key], set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=[key])
    connection.execute(statement)
