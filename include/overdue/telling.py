"""Of which overdue procedures people are told, and what one look leaves for the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.overdue.judging import Duty, Judgement, State

MEMORY = "memory"
"""XCom by which one look hands on to the next what it needs."""
SECOND_LOOK: tuple[State, ...] = ("paused", "unknown")
"""Told when the next look finds it too: a DAG may be paused for a minute, or its file read anew."""
AGAIN = timedelta(days=1)


class Known(BaseModel):
    """One procedure: since when the watch knows it, its state of the last look, and what people were told of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    since: AwareDatetime
    state: str = "on time"
    told: str = ""
    """The state that they were told of; empty when they know it as on time."""
    told_at: AwareDatetime | None = None


class Memory(BaseModel):
    """What one look leaves for the next, by DAG."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    known: dict[str, Known] = {}

    @classmethod
    def read(cls, value: Any) -> Memory:
        """What was kept, as an object or its JSON; empty when there is none, or it is of another version."""
        try:
            return (
                cls.model_validate_json(value) if isinstance(value, str) else cls.model_validate(value or {})
            )
        except ValidationError:
            return cls()

    def since(self, dag_id: str, now: datetime) -> datetime:
        """Since when the watch knows this procedure; from now on when it is new."""
        return self.known[dag_id].since if dag_id in self.known else now


@dataclass(frozen=True)
class News:
    """Something to tell of a procedure."""

    duty: Duty
    outcome: str
    text: str
    run_id: str
    over: bool


def news(found: Sequence[Judgement], memory: Memory, now: datetime) -> list[News]:
    """What people are told: a problem once and again after a day, another problem at once, and the end of it."""
    due = []
    for each in found:
        known = memory.known.get(each.duty.dag_id)
        told = known.told if known else ""
        if each.fine:
            if told:
                text = f"{each.duty.dag_id} is on time again. {each.text}"
                due.append(News(each.duty, "resolved", text, each.run_id, True))
            continue
        if each.state in SECOND_LOOK and (known is None or known.state != each.state):
            continue
        again = known is None or known.told_at is None or now - known.told_at >= AGAIN
        if told != each.state or again:
            due.append(News(each.duty, "alert", each.text, each.run_id, False))
    return due


def remember(found: Sequence[Judgement], told: Sequence[News], memory: Memory, now: datetime) -> Memory:
    """What the next look needs to know; ``told`` are the news that reached somebody."""
    said = {each.duty.dag_id: each for each in told}
    known = {}
    for each in found:
        dag_id = each.duty.dag_id
        before = memory.known.get(dag_id)
        state, at = (before.told, before.told_at) if before else ("", None)
        if dag_id in said:
            state, at = ("", None) if said[dag_id].over else (each.state, now)
        known[dag_id] = Known(since=memory.since(dag_id, now), state=each.state, told=state, told_at=at)
    return Memory(known=known)
