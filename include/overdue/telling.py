"""Of which overdue procedures and wrong files people are told, and what one look leaves for the next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.overdue.judging import Judgement, State
from include.release.policies import Channel

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


class KnownFile(BaseModel):
    """A file that is not right: what people were told of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    told: str
    """Digest of the mistakes that they were told of."""
    told_at: AwareDatetime


class Memory(BaseModel):
    """What one look leaves for the next, by DAG and by file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    known: dict[str, Known] = {}
    files: dict[str, KnownFile] = {}

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
class File:
    """A file of configuration, or several that belong together.

    Args:
        name: what they are called.
        text: what is wrong, and what follows from that; empty when they are right.
        tell: channels of whoever has to know.
    """

    name: str
    text: str
    tell: Sequence[Channel]

    @property
    def digest(self) -> str:
        """Of what is wrong."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class News:
    """Something to tell of a procedure, or of a file.

    Args:
        name: the procedure's DAG, or the file.
        title: what it is called for people.
        outcome: what the message begins with.
        text: what is known.
        tell: whom.
        dag_id: the DAG to look at; empty for a file.
        run_id: its run; empty when there is none.
    """

    name: str
    title: str
    outcome: str
    text: str
    tell: Sequence[Channel]
    dag_id: str = ""
    run_id: str = ""

    @property
    def over(self) -> bool:
        """Whether it is the end of a problem."""
        return self.outcome == "resolved"


def news(found: Sequence[Judgement], memory: Memory, now: datetime, files: Sequence[File] = ()) -> list[News]:
    """What people are told: a problem once and again after a day, another problem at once, and the end of it."""
    due = []
    for each in found:
        known = memory.known.get(each.duty.dag_id)
        told = known.told if known else ""
        if each.fine:
            if told:
                due.append(_of_duty(each, "resolved", f"{each.duty.dag_id} is on time again. {each.text}"))
            continue
        if each.state in SECOND_LOOK and (known is None or known.state != each.state):
            continue
        again = known is None or known.told_at is None or now - known.told_at >= AGAIN
        if told != each.state or again:
            due.append(_of_duty(each, "alert", each.text))
    return [*due, *_of_files(files, memory, now)]


def _of_duty(found: Judgement, outcome: str, text: str) -> News:
    duty = found.duty
    title = f"{duty.dag_id} ({duty.title})"
    return News(duty.dag_id, title, outcome, text, duty.tell, duty.dag_id, found.run_id)


def _of_files(files: Sequence[File], memory: Memory, now: datetime) -> list[News]:
    due = []
    for each in files:
        known = memory.files.get(each.name)
        if not each.text:
            if known:
                due.append(News(each.name, each.name, "resolved", "Its files are right again.", each.tell))
        elif known is None or known.told != each.digest or now - known.told_at >= AGAIN:
            due.append(News(each.name, f"{each.name} is not right", "alert", each.text, each.tell))
    return due


def remember(
    found: Sequence[Judgement],
    told: Sequence[News],
    memory: Memory,
    now: datetime,
    files: Sequence[File] = (),
) -> Memory:
    """What the next look needs to know; ``told`` are the news that reached somebody.

    Of what this look could not judge it stays as it was.
    """
    said = {each.name: each for each in told}
    known = dict(memory.known)
    for each in found:
        dag_id = each.duty.dag_id
        before = memory.known.get(dag_id)
        state, at = (before.told, before.told_at) if before else ("", None)
        if dag_id in said:
            state, at = ("", None) if said[dag_id].over else (each.state, now)
        known[dag_id] = Known(since=memory.since(dag_id, now), state=each.state, told=state, told_at=at)
    wrong = dict(memory.files)
    for file in files:
        if file.name in said and file.text:
            wrong[file.name] = KnownFile(told=file.digest, told_at=now)
        elif file.name in said:
            wrong.pop(file.name, None)
    return Memory(known=known, files=wrong)
