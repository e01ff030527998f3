"""What a procedure sees when it looks, over time: free space of a volume, orders that wait. Kept for 30 days."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field, field_validator
from sqlalchemy import delete, func, select

from include.records.database import Database
from include.records.models import Moment, Row, Text
from include.records.tables import looks
from include.records.upserting import upsert

KEEP = timedelta(days=30)
LONGEST = 8 * 1024
"""Characters of the figures of one look."""
MOST = 10_000
"""Looks that one question is answered with: 30 days of one every 5 minutes are 8,640."""
Kind = Literal["volume", "orders"]


class Look(Row):
    """What one run saw of one thing. A run that looks again replaces what it saw."""

    kind: Kind = Field(title="What was looked at")
    subject: Text = Field(max_length=100, title="Which: the volume's name, or the environment whose orders")
    at: Moment = Field(title="When")
    run: Text = Field(max_length=500, title="dag_id/run_id")
    figures: dict[str, Any] = Field(title="What was seen")

    @field_validator("figures")
    @classmethod
    def _bounded(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > LONGEST:
            raise ValueError(f"figures of at most {LONGEST} characters")
        return value

    @property
    def key(self) -> str:
        """The same for every try of a run."""
        return hashlib.sha256("\n".join((self.kind, self.subject, self.run)).encode()).hexdigest()[:32]


class LookBook:
    """Reads and writes them. Every method raises RecordsError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, look: Look) -> None:
        """Write what was seen, and remove what was seen of the same subject too long before."""
        with self._database.transaction() as connection:
            upsert(connection, looks, {"key": look.key, **look.model_dump()}, key="key")
            same = (looks.c.kind == look.kind, looks.c.subject == look.subject)
            connection.execute(delete(looks).where(*same, looks.c.at < look.at - KEEP))

    def since(self, kind: Kind, moment: datetime) -> list[Look]:
        """What was seen since then, the oldest first; of a subject that was not seen since, the last look."""
        newest = (
            select(looks.c.subject, func.max(looks.c.at).label("at"))
            .where(looks.c.kind == kind)
            .group_by(looks.c.subject)
            .subquery()
        )
        query = (
            select(looks)
            .join(newest, looks.c.subject == newest.c.subject)
            .where(looks.c.kind == kind, (looks.c.at >= moment) | (looks.c.at == newest.c.at))
            .order_by(looks.c.at.desc())
            .limit(MOST)
        )
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(query).mappings()
            found = [Look(**{name: each for name, each in row.items() if name != "key"}) for row in rows]
        return found[::-1]
