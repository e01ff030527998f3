"""Records on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    import psycopg

    folder = request.getfixturevalue("postgresql")
    name = f"records_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"postgresql://shop@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://shop@/{name}?host={folder}"
