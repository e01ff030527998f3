"""Is a scheduled procedure overdue? Judged from its schedule and what Airflow says of its runs.

A clean-up that does not run is as quiet as one with nothing to do: so it is looked for from outside, by what should
have happened. A problem lasts until a run in earnest has ended well, whoever started it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from include.overdue.ticks import Ticks, last_tick
from include.release.policies import Channel
from include.release.texts import plural

State = Literal["on time", "paused", "unknown", "not started", "not finished", "failed"]
LEFT = "left for the next run"
OVER = ("success", "failed", LEFT)
"""States of a run that has ended."""
DRY_RUN = "dry_run"
START_WITHIN = timedelta(minutes=10)
"""So long a due run may take to begin: a scheduler that starts again needs a minute or two."""


@dataclass(frozen=True)
class Duty:
    """A procedure that runs by itself, and by when.

    Args:
        dag_id: its DAG.
        title: what it does, as texts go on after the DAG's name.
        ticks: when it is due.
        finish_within: how long after that a run in earnest has ended well.
        tell: channels of whoever has to know.
        where: the file that says so.
        start_within: how long after its tick the run has begun.
        first_task: id of a task that every one of its runs has.
        part_param: name of the param with which a run does a part of it only; empty when there is none.
        parts: what that param may name, all of it.
        left_by: id of the task that is skipped when somebody leaves everything for the next run; empty when there is none.
        told_by: id of the task that tells people why a run fails; empty when none does: then that is told here.
    """

    dag_id: str
    title: str
    ticks: Ticks
    finish_within: timedelta
    tell: Sequence[Channel]
    where: str
    start_within: timedelta = START_WITHIN
    first_task: str = ""
    part_param: str = ""
    parts: Sequence[str] = ()
    left_by: str = ""
    told_by: str = ""

    def in_earnest(self, conf: Mapping[str, Any] | None) -> bool:
        """Whether a run with this configuration does all of it: no dry run, and not a part of it only."""
        given = conf or {}
        wanted = given.get(self.part_param) if self.part_param else None
        return not given.get(DRY_RUN) and (not wanted or set(self.parts) <= set(wanted))


@dataclass(frozen=True)
class Run:
    """A run in earnest, as Airflow tells of it; its state is LEFT where somebody left everything for the next one."""

    run_id: str
    tick: datetime
    state: str
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True)
class Seen:
    """What Airflow says of a DAG: whether it knows it, whether it is paused, its newest run, and the newest that ended well."""

    known: bool = True
    paused: bool = False
    newest: Run | None = None
    good: Run | None = None

    def counting(self, failed: Run) -> Seen:
        """The same, with a run that failed and has told people why as one that ended well; unchanged where a later one did.

        They have it, and the next run comes: here it is no news.
        """
        newer = (
            self.good is None
            or self.good.ended is None
            or failed.ended is None
            or self.good.ended < failed.ended
        )
        return replace(self, good=failed) if newer else self


@dataclass(frozen=True)
class Judgement:
    """One procedure, and what is wrong with it, in a paragraph for whoever is woken."""

    duty: Duty
    state: State
    text: str
    run_id: str = field(default="")

    @property
    def fine(self) -> bool:
        """Whether there is nothing to tell."""
        return self.state == "on time"


def judge(duty: Duty, seen: Seen, now: datetime, *, since: datetime) -> Judgement:
    """Judge one procedure.

    Args:
        duty: what is expected.
        seen: what Airflow says.
        now: the time.
        since: since when it is known to this watch. Ticks before that are expected only of a DAG that has run before.
    """
    if not seen.known:
        return Judgement(duty, "unknown", _text(duty, seen, now, _UNKNOWN, None))
    begun_by = last_tick(duty.ticks, now - duty.start_within)
    ended_by = last_tick(duty.ticks, now - duty.finish_within)
    expected = begun_by if seen.newest is not None or begun_by >= since else None
    missed = expected is not None and not _since(seen, expected) and not _begun(seen, expected)
    if seen.paused:
        return Judgement(duty, "paused", _text(duty, seen, now, _PAUSED, expected if missed else None))
    if missed:
        return Judgement(duty, "not started", _text(duty, seen, now, _NOT_STARTED, expected))
    if _since(seen, ended_by) or (ended_by < since and _is_young(duty, seen, now)):
        return Judgement(duty, "on time", _good(duty, seen, now) or f"{duty.dag_id}: not due yet.")
    newest = seen.newest
    run = newest.run_id if newest else ""
    if newest is not None and newest.state == "failed":
        return Judgement(duty, "failed", _text(duty, seen, now, _FAILED, ended_by), run)
    said = _WAS_LEFT if newest is not None and newest.state == LEFT else _NOT_FINISHED
    return Judgement(duty, "not finished", _text(duty, seen, now, said, ended_by), run)


_PAUSED = (
    "is paused: nothing starts it.",
    "unpause it in Airflow (Dags, its switch). When somebody paused it on purpose, ask until when",
)
_UNKNOWN = (
    "has no DAG in Airflow, so nothing starts it.",
    "see Dag Import Errors in Airflow, and whether {where} is right",
)
_NOT_STARTED = (
    "did not start.",
    "does the scheduler start other DAGs? Then trigger it by hand: a run that ends well ends this alert",
)
_NOT_FINISHED = (
    "did not end in time.",
    "open its run: it waits for somebody's answer, or its log says what it works on",
)
_WAS_LEFT = (
    "was left for the next run, and no run in earnest has ended well since.",
    "trigger it by hand when it may run; a run that ends well ends this alert",
)
_FAILED = (
    "failed, and no run in earnest has ended well since.",
    "open its run; the log of the task that failed says what to do. Clear that task, or trigger the DAG again",
)


def _text(duty: Duty, seen: Seen, now: datetime, said: tuple[str, str], tick: datetime | None) -> str:
    what, advice = said
    due = f"It was due at {_at(tick, duty)}. " if tick else ""
    newest = seen.newest
    run = f"Its newest run {newest.run_id} is {newest.state}{_lasting(newest, duty)}. " if newest else ""
    good = _good(duty, seen, now) or "No run in earnest of it that ended well is known."
    return (
        f"{duty.dag_id} ({duty.title}, {duty.ticks.words}) {what} {due}{run}{good} "
        f"What now: {advice.format(where=duty.where)}."
    )


def _good(duty: Duty, seen: Seen, now: datetime) -> str:
    if seen.good is None or seen.good.ended is None:
        return ""
    return f"Its last run that ended well did so at {_at(seen.good.ended, duty)}, {_ago(now - seen.good.ended)} ago."


def _lasting(run: Run, duty: Duty) -> str:
    if run.ended is not None:
        return f" since {_at(run.ended, duty)}"
    return f" since {_at(run.started, duty)}" if run.started else ""


def _since(seen: Seen, tick: datetime) -> bool:
    """Whether a run has ended well since a tick."""
    good = seen.good
    return good is not None and good.ended is not None and good.ended >= tick


def _is_young(duty: Duty, seen: Seen, now: datetime) -> bool:
    """Whether nothing is known of a run that could have ended in time: the DAG is new, or its first run goes on."""
    if seen.good is not None:
        return False
    newest = seen.newest
    return newest is None or newest.started is None or now - newest.started < duty.finish_within


def _begun(seen: Seen, tick: datetime) -> bool:
    """Whether a run of this tick, or a later one, was made; or one before it goes on, and the next waits for its end."""
    return seen.newest is not None and (seen.newest.tick >= tick or seen.newest.state not in OVER)


def _at(moment: datetime, duty: Duty) -> str:
    return f"{moment.astimezone(ZoneInfo(duty.ticks.zone)):%a %d %b %H:%M %Z}"


def _ago(span: timedelta) -> str:
    minutes = max(0, round(span.total_seconds() / 60))
    if minutes < 120:
        return plural(minutes, "minute")
    hours = minutes // 60
    return plural(hours, "hour") if hours < 48 else plural(hours // 24, "day")
