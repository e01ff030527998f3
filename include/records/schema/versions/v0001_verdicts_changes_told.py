"""Verdicts, changes, and who was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "release_verdicts",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("image", sa.String(255), nullable=False),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("run", sa.String(500), nullable=False),
    )
    op.create_index("release_verdicts_by_digest", "release_verdicts", ["digest", "sequence"])
    op.create_table(
        "release_changes",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("run", sa.String(500), nullable=False, unique=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("environment", sa.String(63), nullable=False),
        sa.Column("release", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("spec_digest", sa.String(71), nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("ended", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("approved_by", sa.String(255), nullable=False),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("approval_reason", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )
    op.create_index("release_changes_by_place", "release_changes", ["app", "environment", "started"])
    op.create_table(
        "release_told",
        sa.Column("key", sa.String(500), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
    )
