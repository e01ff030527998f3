"""Small steps from one schema version to the next, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

STEPS = Path(__file__).parent / "schema"


def settings(connection: Connection | None = None) -> Config:
    """Alembic's configuration; ``schema/env.py`` takes the connection from it."""
    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def to_head(connection: Connection) -> None:
    """Run the steps that are missing, in the connection's transaction."""
    command.upgrade(settings(connection), "head")


def is_known(version: str | None) -> bool:
    """Whether there are steps from this version on. None is a database without tables."""
    script = ScriptDirectory.from_config(settings())
    return version is None or version in {each.revision for each in script.walk_revisions()}
