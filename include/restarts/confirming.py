"""Confirming a watch's finding: listed afresh, counted and decided again by the same rules, and the brake looked at.

The watch looks at copies of objects that arrive one after the other. What scales a service to zero is decided on one
look of now, with the ledger that the watch has kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.release.environments import Environment
from include.release.kube import Cluster, KubeError
from include.restarts.decision import Decision, decide
from include.restarts.evidence import evidence_name, read_logs
from include.restarts.explaining import explain
from include.restarts.facts import Restart
from include.restarts.guards import Guard, Guards
from include.restarts.looking import look
from include.restarts.press import PressNote, read_note
from include.restarts.probe import ask_upstream
from include.restarts.state import Conflict, Keeper, Kept
from include.restarts.storm import braked, note_trip, read_trips
from include.restarts.view import View

TRIES = 10
Say = Callable[[str], None]


class Verdict(BaseModel):
    """What the fresh look says is to be done. ``text`` and ``notes`` are for on-call."""

    model_config = ConfigDict(frozen=True)

    action: Literal["press", "alert", "braked", "wait"]
    text: str
    kind: str = ""
    uid: str = ""
    """The Deployment that was looked at; only this one may be pressed."""
    container: str = ""
    cause: str = ""
    """The most frequent one."""
    restarts: list[Restart] = []
    counts: dict[str, dict[str, int]] = {}
    crossed_at: AwareDatetime | None = None
    decided_at: AwareDatetime
    notes: list[str] = []


@dataclass(frozen=True)
class Confirmed:
    """A verdict and the look that it was made on."""

    verdict: Verdict
    view: View


def confirm(
    cluster: Cluster,
    guard: Guard,
    place: Environment,
    guards: Guards,
    meeting: str,
    run: str,
    *,
    asked_by: str,
    say: Say,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Confirmed:
    """Decide on what is there now.

    Args:
        cluster: the guard's.
        guard: the guard.
        place: its environment.
        guards: what all guards share.
        meeting: namespace where the guards of this cluster note their trips.
        run: ``dag_id/run_id``.
        asked_by: the run and how often it was cleared; names a probe's Job.
        say: receives lines for the log.
        now: the clock.

    Raises:
        KubeError: the cluster refuses, or does not answer.
    """
    moment = now()
    view, notes = look(cluster, place.namespace, guard.deployment, moment)
    note = read_note(view.deployment)
    if note is not None and note.run == run:
        saved = cluster.get("ConfigMap", place.namespace, evidence_name(guard.name, run))
        return Confirmed(_pressed_before(note, saved, view, moment), view)
    decision = _decide(cluster, guard, place.namespace, view, moment, notes)
    verdict = _verdict(decision, view, moment, notes)
    if decision.action == "ask_upstream":
        verdict = _ask(cluster, guard, place.namespace, view, verdict, asked_by, say, moment)
    if verdict.action == "press":
        trips = note_trip(cluster, meeting, guard, run, moment)
        if why := braked(guards.storm, trips, view.nodes_not_ready, moment):
            verdict = _braked(verdict, why)
    return Confirmed(verdict, view)


def braked_now(cluster: Cluster, guards: Guards, meeting: str, now: datetime) -> str:
    """Why a press is held back right before it is made: guards that have tripped in the meantime. Raises KubeError."""
    return braked(guards.storm, read_trips(cluster, meeting), [], now)


def _decide(
    cluster: Cluster, guard: Guard, namespace: str, view: View, now: datetime, notes: list[str] | None = None
) -> Decision:
    """Count what is new, find its cause, keep it and decide; again when somebody else has written meanwhile.

    What cannot be kept is decided on all the same: a ledger that is too large, say, must not hold up a press.
    """
    for attempt in range(TRIES):
        keeper = Keeper(cluster, namespace, guard.name, guard.window_minutes)
        kept = keeper.read()
        changed = _count(cluster, guard, namespace, view, kept, now)
        decision = decide(guard, kept.ledger, view, now)
        try:
            if changed:
                keeper.write(kept)
            return decision
        except Conflict as error:
            if attempt == TRIES - 1:
                raise KubeError(409, str(error), "the ledger of the watch") from error
        except KubeError as error:
            if notes is not None:
                notes.append(f"the counts of this look cannot be kept: {error}")
            return decision
    raise AssertionError  # the loop has no other end


def _count(cluster: Cluster, guard: Guard, namespace: str, view: View, kept: Kept, now: datetime) -> bool:
    # What is no restart yet decides nothing, and holds nothing up: the watch looks for its cause.
    found = [each for each in kept.ledger.new_restarts(view, now) if not each.pending]
    seen = [each for each in found if each.seen]
    logs = read_logs(cluster, namespace, [(each.pod, each.container) for each in seen])
    explained = [
        explain(view, each, logs.get((each.pod, each.container), {})) if each.seen else each for each in found
    ]
    changed = kept.ledger.record(explained, view, now)
    return kept.ledger.prune(now, guard.threshold) or changed


def _verdict(decision: Decision, view: View, now: datetime, notes: list[str]) -> Verdict:
    causes = Counter(str(each.cause) for each in decision.restarts)
    return Verdict(
        action="wait" if decision.action == "ask_upstream" else decision.action,
        text=decision.text,
        kind=decision.kind,
        uid=str(((view.deployment or {}).get("metadata") or {}).get("uid", "")),
        container=decision.container,
        cause=causes.most_common(1)[0][0] if causes else "",
        restarts=decision.restarts,
        counts=decision.counts,
        crossed_at=decision.crossed_at,
        decided_at=now,
        notes=notes,
    )


def _pressed_before(note: PressNote, saved: dict[str, Any] | None, view: View, now: datetime) -> Verdict:
    """What a run finds that has pressed: the verdict in its evidence. It goes on with what comes after the press."""
    try:
        return Verdict.model_validate_json(((saved or {}).get("data") or {}).get("decision.json") or "")
    except ValidationError:  # it could not be saved, or was too long
        uid = str(((view.deployment or {}).get("metadata") or {}).get("uid", ""))
        text = note.reason or "pressed by an earlier try of this run"
        return Verdict(action="press", text=text, uid=uid, cause=note.cause, decided_at=now)


def _ask(
    cluster: Cluster,
    guard: Guard,
    namespace: str,
    view: View,
    verdict: Verdict,
    asked_by: str,
    say: Say,
    now: datetime,
) -> Verdict:
    """Restarts of unknown cause press only when the upstream is down; else people are told, once per cooldown.

    Whoever tells them notes that the upstream was asked: until then a task that is cut off must come to the same.
    """
    answer = ask_upstream(cluster, namespace, guard, view.deployment, asked_by, say=say)
    text = f"{verdict.text} {answer.text}"
    if answer.state == "down":
        return verdict.model_copy(update={"action": "press", "text": f"{text}: press."})
    for attempt in range(TRIES):
        keeper = Keeper(cluster, namespace, guard.name, guard.window_minutes)
        kept = keeper.read()
        told = kept.ledger.alerted_at(verdict.kind)
        if told is None or not 0 <= (now - told).total_seconds() <= guard.cooldown_minutes * 60:
            break
        kept.ledger.note_asked(now)
        try:
            keeper.write(kept)
            return verdict.model_copy(update={"text": f"{text}: not pressed (told at {told:%H:%M:%S} UTC)."})
        except Conflict as error:
            if attempt == TRIES - 1:
                raise KubeError(409, str(error), "the ledger of the watch") from error
    return verdict.model_copy(update={"action": "alert", "text": f"{text}: not pressed."})


def _braked(verdict: Verdict, why: str) -> Verdict:
    return verdict.model_copy(
        update={"action": "braked", "text": f"{verdict.text} Not pressed: {why}. A person decides."}
    )
