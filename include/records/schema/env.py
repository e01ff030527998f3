"""Alembic's entry: runs the steps on the connection that ``include.records.upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from include.records.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The caller's transaction; SQLite's can hold changes of the schema, which Alembic does not expect.
    transactional_ddl=True,
)
context.run_migrations()
