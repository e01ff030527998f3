"""What procedures see when they look: figures over time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "procedure_looks",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.String(500), nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
    )
    op.create_index("procedure_looks_by_subject", "procedure_looks", ["kind", "subject", "at"])
