"""Whether a guard guards: judged from its DAG, the signs of life of its watch, and its Deployment.

Nobody can see that a watch does nothing any more (kopf#1276): so a guard counts as armed only while its watch says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from include.release.texts import plural
from include.restarts.guards import Guard, Guards
from include.restarts.heartbeat import Beat, newest_for
from include.restarts.press import PressNote, read_note
from include.restarts.rearm_note import read_rearm
from include.restarts.sight import CLOCKS_DIFFER
from include.restarts.view import moment_of

State = Literal["armed", "acting", "pressed", "disarmed", "waiting", "not alive"]
STATES: tuple[str, ...] = get_args(State)
"""armed: it watches. acting: its run is past the watch. pressed: the Deployment is at zero until it is re-armed.
disarmed: its DAG is paused. waiting: it watches, or would, but there is nothing to watch or nobody to ask.
not alive: nothing watches."""

WATCH = "watch"
"""Id of the task that watches."""
ACTING_MINUTES = 15.0
"""From the watch to the end of a run, an approval apart; longer than that is no acting."""
FAILING = frozenset({"up_for_retry", "failed"})
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
RETRYING = ["up_for_retry"]
STARTING = "The watch is starting"
_RELISTS = 3
"""So many lists may be missed before a watch that still writes signs of life counts as stuck."""


@dataclass(frozen=True)
class Dag:
    """What Airflow says of a guard's DAG.

    Args:
        known: Airflow has it.
        paused: somebody paused it.
        retrying: its watch has failed and is to be tried again.
        run: id of the run that has not ended.
        tasks: states of that run's tasks.
    """

    known: bool = True
    paused: bool = False
    retrying: bool = False
    run: str = ""
    tasks: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What was seen of one guard.

    Args:
        dag: what Airflow says.
        beats: the signs of life in the namespace.
        deployment: the Deployment, None when there is none.
        problem: why the cluster could not be asked; empty when it could.
        denied: what a press takes and the guard may not do; empty when it may do everything.
    """

    dag: Dag
    beats: Sequence[Beat] = ()
    deployment: dict[str, Any] | None = None
    problem: str = ""
    denied: str = ""


class Kept(BaseModel):
    """What of a judgement the next one needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: State
    since: AwareDatetime
    """When it was first judged to be in this state."""
    excused_at: AwareDatetime
    """Until then its watch need not have shown a sign of life: silence is counted from here."""
    run: str = ""


@dataclass(frozen=True)
class Liveness:
    """The judgement on one guard, with a text for on-call."""

    guard: str
    state: State
    text: str
    kept: Kept
    beat: Beat | None = None

    @property
    def protects(self) -> bool:
        """Whether a restart too many would be answered, or has been."""
        return self.state in ("armed", "acting", "pressed")


def judge(guard: Guard, look: Look, guards: Guards, now: datetime, before: Kept | None = None) -> Liveness:
    """Whether a guard guards.

    Args:
        guard: which.
        look: what was seen.
        guards: what all guards share.
        now: the time of the look.
        before: the judgement before this one; None when there was none.
    """
    beat = newest_for(guard.name, look.beats)
    excused = _excused(look, beat if beat and guard.name in beat.watches else None, now, before)
    state, text = _state(guard, look, beat, guards, now, excused, before)
    since = before.since if before and before.state == state else now
    kept = Kept(state=state, since=since, excused_at=excused, run=look.dag.run)
    return Liveness(guard.name, state, text, kept, beat)


def is_silent(guard: Guard, look: Look, guards: Guards, now: datetime) -> bool:
    """Whether the judgement depends on the tasks of the guard's run: they need not be asked for otherwise."""
    if look.problem or look.dag.paused or not look.dag.known or read_note(look.deployment) is not None:
        return False
    beat = newest_for(guard.name, look.beats)
    silent = beat is None or now - beat.at > timedelta(minutes=guards.liveness_minutes)
    return silent or bool(beat and beat.troubles.get(guard.name))


def _excused(look: Look, beat: Beat | None, now: datetime, before: Kept | None) -> datetime:
    """From when silence counts: from the last sign of life, or from when the watch was last not expected to give one."""
    nobody_watches = look.problem or look.dag.paused or read_note(look.deployment) is not None
    just_ended = before is not None and before.state == "acting" and not _past_watch(look.dag)
    if before is None or nobody_watches or just_ended:
        return now
    # A watch that fails gives a sign of life now and then, between two tries.
    return max(before.excused_at, beat.at) if beat and not look.dag.retrying else before.excused_at


def _past_watch(dag: Dag) -> bool:
    """Whether the watch of this run has decided, and what comes after it is not done. One that failed decides nothing."""
    return dag.tasks.get(WATCH) == "success" and any(state not in ENDED for state in dag.tasks.values())


def _state(
    guard: Guard,
    look: Look,
    beat: Beat | None,
    guards: Guards,
    now: datetime,
    excused_at: datetime,
    before: Kept | None,
) -> tuple[State, str]:
    name, dag = guard.name, look.dag
    paused = f"The DAG {name}_guard is paused" if dag.paused else ""
    note = read_note(look.deployment)
    if note is not None:
        text = pressed_text(guard, note, scaled_to(look.deployment))
        return "pressed", f"{text} {paused}: after the re-arm nothing would watch." if paused else text
    if paused:
        unknown = f" The cluster could not be asked: {look.problem}" if look.problem else ""
        return "disarmed", f"{paused}: nothing would be pressed. Unpause it to arm the guard.{unknown}"
    if not dag.known:
        return "not alive", (
            f"Airflow has no DAG {name}_guard. Its import errors say why: Airflow's list of DAGs, 'Import Errors'."
        )
    if look.problem:
        return "waiting", f"The cluster could not be asked whether the watch lives: {look.problem}"
    limit = timedelta(minutes=guards.liveness_minutes)
    if dag.tasks.get(WATCH) in FAILING:
        return _failing(dag, beat, now, limit, excused_at)
    if beat is not None and now - beat.at <= limit and not dag.retrying:
        return _by_beat(guard, look, beat, guards, now)
    if _past_watch(dag):
        return _acting(guard, dag, now, before)
    return _silent(guard, dag, beat, now, limit, excused_at)


def _by_beat(guard: Guard, look: Look, beat: Beat, guards: Guards, now: datetime) -> tuple[State, str]:
    """The watch says that it lives: does it see anything?"""
    if trouble := beat.trouble_of(guard.name):
        return "waiting", f"The watch lives, but: {trouble}"
    stuck = timedelta(minutes=guards.liveness_minutes, seconds=_RELISTS * guards.relist_seconds)
    if beat.last_relist is not None and now - beat.last_relist > stuck:
        return "not alive", (
            f"The triggerer {beat.process} lives, but has not listed the pods for {ago(now - beat.last_relist)}, "
            f"which it should every {guards.relist_seconds} s. Start the triggerer again; its log says more."
        )
    if look.deployment is None:
        return "waiting", (
            f"There is no Deployment {guard.deployment} in the guard's namespace (yet). "
            "It is watched from the moment it is there."
        )
    watched = beat.deployments.get(guard.name, guard.deployment)
    if watched != guard.deployment:
        return "waiting", (
            f"The run of now still watches {watched}, as guards.yaml said when it began: mark it success, and the next one "
            f"watches {guard.deployment}."
        )
    if look.denied and not guard.dry_run:
        return "waiting", f"The watch lives, but its press would fail: {look.denied}."
    dry = " Dry run: it would only say so." if guard.dry_run else ""
    if until := _held_until(guard, look.deployment, now):
        return "armed", (
            f"Watches {guard.deployment}: a press is held back until {until:%H:%M} UTC (re-armed); people are told instead "
            f"{rule(guard)}.{dry}"
        )
    return "armed", f"Watches {guard.deployment}: presses {rule(guard)}.{dry}"


def _held_until(guard: Guard, deployment: dict[str, Any], now: datetime) -> datetime | None:
    """The end of the cooldown after a re-arm, as the decision has it; None when there is none now."""
    note = read_rearm(deployment)
    at = moment_of(note.at) if note else None
    if at is None or at > now + CLOCKS_DIFFER:
        return None
    until = at.astimezone(UTC) + timedelta(minutes=guard.cooldown_minutes)
    return until if now <= until else None


def _acting(guard: Guard, dag: Dag, now: datetime, before: Kept | None) -> tuple[State, str]:
    """The run is past its watch: it may take a while, but not for ever."""
    busy = [(task, state) for task, state in dag.tasks.items() if state not in ENDED]
    task, state = next((pair for pair in busy if pair[1]), busy[0])
    minutes = ACTING_MINUTES + (guard.answer_within_minutes if guard.approval else 0)
    same = before is not None and before.run == dag.run
    span = now - before.since if before and same and before.state == "acting" else timedelta(0)
    if span > timedelta(minutes=minutes) or (before and same and before.state == "not alive"):
        return "not alive", (
            f"The run {dag.run} has been past its watch for long and is at {task} ({state or 'not begun'}): nothing "
            "watches meanwhile. Look at the log of that task; mark the run failed, and the next one watches."
        )
    return "acting", f"The run {dag.run} has tripped and is at {task} ({state or 'not begun'})."


def _failing(
    dag: Dag, beat: Beat | None, now: datetime, limit: timedelta, excused_at: datetime
) -> tuple[State, str]:
    """The task that watches has failed; whatever it said before is over."""
    last = f" The last sign of life is {ago(now - beat.at)} old." if beat else ""
    said = f"the task {WATCH} of the run {dag.run} has failed ({dag.tasks[WATCH]}); its log says why.{last}"
    if now - excused_at <= limit:
        return "waiting", f"It begins again: {said}"
    return "not alive", f"Nothing watches, {said}"


def _silent(
    guard: Guard, dag: Dag, beat: Beat | None, now: datetime, limit: timedelta, excused_at: datetime
) -> tuple[State, str]:
    """No sign of life: is the watch about to begin, or is it dead?"""
    last = f"the last sign of life is {ago(now - beat.at)} old" if beat else "there was no sign of life yet"
    if now - excused_at <= limit:
        return "waiting", f"{STARTING}; {last}."
    state = dag.tasks.get(WATCH)
    if dag.retrying:
        why = f"the task {WATCH} fails again and again, and {last}. Its log says why."
    elif state == "deferred":
        why = (
            f"the task {WATCH} waits for a triggerer, and {last}. Is a triggerer running, "
            "has it room ([triggerer] capacity), and can it reach the cluster?"
        )
    elif dag.run and state not in ENDED:
        why = (
            f"the task {WATCH} has not begun ({state or 'not scheduled'}), and {last}. Is there a free slot?"
        )
    else:
        why = f"no run of {guard.name}_guard watches, and {last}. Does the scheduler run? Why did its last run end?"
    return "not alive", f"Nothing watches {guard.deployment}: {why}"


def scaled_to(deployment: dict[str, Any] | None) -> int:
    """To how many replicas a Deployment is scaled."""
    return int(((deployment or {}).get("spec") or {}).get("replicas") or 0)


def pressed_text(guard: Guard, note: PressNote, replicas: int = 0) -> str:
    """What is known of a press, and the way back; ``replicas`` is what it is scaled to all the same."""
    said = note.text
    if replicas:
        return (
            f"{guard.deployment} is pressed, but scaled up to {replicas} by somebody: run {guard.name}_rearm, or scale it "
            f"to zero again. It was {said}."
        )
    return f"{said[0].upper()}{said[1:]}. {guard.deployment} stays at zero until somebody runs {guard.name}_rearm."


def rule(guard: Guard) -> str:
    """When a guard presses, in words."""
    causes = "restart" if guard.causes == "any" else f"{', '.join(guard.causes)} restart"
    return f"at more than {guard.threshold} {causes}s in {plural(guard.window_minutes, 'minute')}"


def ago(span: timedelta) -> str:
    """A time span in the unit that says it best."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"


def report(found: Sequence[Liveness]) -> str:
    """All judgements for a log: what needs somebody first, and those that are simply armed on one line."""
    order: tuple[State, ...] = ("not alive", "waiting", "disarmed", "acting", "pressed")
    lines = [
        f"{each.guard}: {each.state}. {each.text}" for state in order for each in found if each.state == state
    ]
    if armed := [each.guard for each in found if each.state == "armed"]:
        lines.append(f"armed: {', '.join(armed)}")
    return "\n".join(lines) or "No guard is configured."


def live_triggerers(beats: Iterable[Beat], guards: Guards, now: datetime) -> int:
    """How many triggerers gave a sign of life lately."""
    limit = timedelta(minutes=guards.liveness_minutes)
    return len({beat.process for beat in beats if now - beat.at <= limit})


def capacity_problem(watches: int, capacity: int, triggerers: int = 1) -> str:
    """Why the triggers of all guards do not fit into the triggerers there are; empty when they do."""
    if watches <= capacity * triggerers:
        return ""
    return (
        f"{watches} guards need a trigger each, and {triggerers} triggerer(s) of capacity {capacity} hold "
        f"{capacity * triggerers}: some guards will not watch. Set AIRFLOW__TRIGGERER__CAPACITY (include/config/airflow.env) "
        f"to {watches} and what other DAGs defer, or start another triggerer."
    )
