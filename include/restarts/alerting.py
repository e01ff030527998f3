"""Which judgements on guards people are told of, and what is remembered from one look to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.release.policies import Channel
from include.restarts.guards import Guard, Guards
from include.restarts.liveness import Kept, Liveness, Look, State, judge

MEMORY = "memory"
"""XCom by which one look hands on to the next what it needs."""
ONCE: tuple[State, ...] = ("disarmed",)
"""Somebody did this on purpose: said once. The rest is said again after every cooldown."""
AT_ONCE: tuple[State, ...] = ("not alive",)
"""Judged slowly already. The rest must have lasted for as long, so that a hiccup tells nobody."""


FILE = "guards.yaml"
"""Judged like a guard: when it cannot be read, nothing guards any more."""
FILE_COOLDOWN_MINUTES = 30.0
GAP = timedelta(minutes=5)
"""Looks come every minute. After a gap of so many nothing is known of the time between."""


class Known(Kept):
    """One guard that is not simply armed, and what people were told of it."""

    told: str = ""
    """The state that they were told of last; empty when they know it as armed."""
    told_at: AwareDatetime | None = None


class Memory(BaseModel):
    """What one look leaves for the next: small, as it is kept every minute."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: AwareDatetime
    begun: AwareDatetime
    """Since when there was a look every few minutes. Silence from before that is nobody's."""
    armed: list[str] = []
    others: dict[str, Known] = {}
    lists: list[Channel] = []
    """Whom to tell when ``environments.yaml``, which says so, cannot be read any more."""

    @classmethod
    def read(cls, value: Any) -> Memory | None:
        """What was kept, as an object or its JSON; None when there is none, or it is of another version."""
        try:
            return cls.model_validate_json(value) if isinstance(value, str) else cls.model_validate(value)
        except ValidationError:
            return None

    def before(self, guard: str) -> Kept | None:
        """The judgement on a guard; None when it is new."""
        if guard in self.others:
            return self.others[guard]
        return Kept(state="armed", since=self.at, excused_at=self.begun) if guard in self.armed else None


@dataclass(frozen=True)
class Alert:
    """Something to tell of a guard."""

    guard: str
    state: State
    text: str
    protects: bool


def judged(guard: Guard, look: Look, guards: Guards, memory: Memory | None, now: datetime) -> Liveness:
    """The judgement on a guard, after those that are remembered."""
    return judge(guard, look, guards, now, memory.before(guard.name) if memory else None)


def judged_file(problem: str, memory: Memory | None, now: datetime) -> list[Liveness]:
    """The judgement on the file of guards: when it is wrong (``problem``), and once when it is right again."""
    before = memory.others.get(FILE) if memory else None
    if not problem and before is None:
        return []
    state: State = "not alive" if problem else "armed"
    since = before.since if before and before.state == state else now
    text = problem or "The file can be read again."
    return [Liveness(FILE, state, text, Kept(state=state, since=since, excused_at=now))]


def usable(memory: Memory | None, now: datetime) -> Memory | None:
    """A memory, when it is of a look a few minutes ago: after a longer pause everything gets time to start.

    What people were told is kept over a pause, so that they are not told again.
    """
    if memory is None or now - memory.at <= GAP:
        return memory
    others = {name: each.model_copy(update={"excused_at": now}) for name, each in memory.others.items()}
    return memory.model_copy(update={"at": now, "begun": now, "others": others})


def alerts(
    found: Sequence[Liveness],
    memory: Memory | None,
    by_name: Mapping[str, Guard],
    guards: Guards,
    now: datetime,
) -> list[Alert]:
    """What people are told of: a change for the worse, once and again after each cooldown; and its end."""
    lasted = timedelta(minutes=guards.liveness_minutes)
    told_of = memory.others if memory else {}
    due = []
    for each in found:
        known = told_of.get(each.guard)
        told, told_at = (known.told, known.told_at) if known else ("", None)
        if each.protects:
            if told and each.state == "armed":
                due.append(Alert(each.guard, each.state, f"Armed again. {each.text}", True))
            continue
        if each.state not in AT_ONCE and now - each.kept.since < lasted:
            continue
        guard = by_name.get(each.guard)
        cooldown = timedelta(minutes=guard.cooldown_minutes if guard else FILE_COOLDOWN_MINUTES)
        again = each.state not in ONCE and (told_at is None or now - told_at >= cooldown)
        if told != each.state or again:
            due.append(Alert(each.guard, each.state, each.text, False))
    return due


def remember(
    found: Sequence[Liveness],
    told: Sequence[Alert],
    memory: Memory | None,
    now: datetime,
    lists: Sequence[Channel] = (),
) -> Memory:
    """What the next look needs to know; ``told`` are the alerts that reached somebody, ``lists`` all channels there are."""
    said = {each.guard: each for each in told}
    known = memory.others if memory else {}
    armed, others = [], {}
    for each in found:
        old = known.get(each.guard)
        state, at = (old.told, old.told_at) if old else ("", None)
        if each.guard in said:
            state, at = ("", None) if said[each.guard].protects else (each.state, now)
        if each.state == "armed" and not state:
            armed.append(each.guard)
        else:
            others[each.guard] = Known(**each.kept.model_dump(), told=state, told_at=at)
    begun = memory.begun if memory else now
    return Memory(at=now, begun=begun, armed=armed, others=others, lists=list(lists))


def blinded(found: Sequence[Liveness], told: Sequence[Alert], memory: Memory | None, now: datetime) -> Memory:
    """The same of a look that could judge no guard, because their places could not be read: of them all stays as it was."""
    new = remember(found, told, memory, now, memory.lists if memory else ())
    if memory is None:
        return new
    return new.model_copy(update={"armed": memory.armed, "others": {**memory.others, **new.others}})
