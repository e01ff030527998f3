"""The page of guards: which of them guard, what they have counted, and what was pressed last."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

import jinja2

from include.records.models import minute
from include.records.page import templates
from include.release.environments import Environment
from include.release.frozen import NOTE_RUN
from include.restarts.decision import Decision, decide, restarts_that_count
from include.restarts.evidence import is_evidence
from include.restarts.guards import Guard
from include.restarts.ledger import Ledger
from include.restarts.liveness import Kept, Liveness, State, ago, pressed_text, rule, scaled_to
from include.restarts.press import PressNote, read_note
from include.restarts.state import KEY, ledger_name
from include.restarts.surveying import Seen
from include.restarts.view import view_of

TEMPLATES = Path(__file__).parent / "templates"
DECISION = "decision.json"
WORDS = 100
"""Characters of a decision that the table shows; the evidence has all of them."""


@dataclass(frozen=True)
class Links:
    """Where the page leads to: a DAG by its id, a run by ``dag_id/run_id``, a ConfigMap with evidence of a guard."""

    dag: Callable[[str], str]
    run: Callable[[str], str]
    evidence: Callable[[str, str], str]


@dataclass(frozen=True)
class Saved:
    """Evidence that was saved before a press or an alert."""

    name: str
    at: datetime | None
    run: str
    kind: str = ""
    """What was decided: press, alert with its kind, ...; empty when that cannot be read."""
    words: str = ""
    """The first words of why."""


@dataclass(frozen=True)
class Row:
    """One guard as the page shows it."""

    guard: Guard
    namespace: str
    liveness: Liveness
    decision: Decision | None
    """What the kept counts say now; None when they could not be read."""
    pressed: PressNote | None
    saved: Sequence[Saved]
    """Newest first."""
    last_restart: datetime | None = None
    """The newest one in the ledger: a watch that has just begun knows of no event from before."""

    wrong: bool = False
    """Its entry in guards.yaml is wrong: it is not watched, and can be re-armed."""

    @property
    def last_event(self) -> datetime | None:
        """What the watch heard last, or counted last."""
        heard = self.liveness.beat.last_event if self.liveness.beat else None
        return max(filter(None, (heard, self.last_restart)), default=None)

    @property
    def rule(self) -> str:
        """When it presses."""
        return rule(self.guard)

    @property
    def counts(self) -> list[tuple[str, int, str]]:
        """(container, restarts of causes that press, all by cause), those with the most first."""
        found = []
        for container, causes in (self.decision.counts if self.decision else {}).items():
            pressing = [
                n for cause, n in causes.items() if self.guard.causes == "any" or cause in self.guard.causes
            ]
            found.append((container, sum(pressing), ", ".join(f"{n} {cause}" for cause, n in causes.items())))
        return sorted(found, key=lambda each: -each[1])

    def to_json(self) -> dict[str, Any]:
        """As data."""
        beat = self.liveness.beat
        moments = {"last_event": self.last_event, "last_relist": beat.last_relist if beat else None}
        return {
            "guard": self.guard.name,
            "state": self.liveness.state,
            "text": self.liveness.text,
            "environment": self.guard.environment,
            "namespace": self.namespace,
            "deployment": self.guard.deployment,
            "threshold": None if self.wrong else self.guard.threshold,
            "counts": self.decision.counts if self.decision else None,
            **{name: at.isoformat() if at else None for name, at in moments.items()},
            "pressed": self.pressed.model_dump(mode="json") if self.pressed else None,
            "evidence": [each.name for each in self.saved],
            "decisions": [
                {"evidence": each.name, "kind": each.kind, "text": each.words} for each in self.saved
            ],
        }


def row(guard: Guard, place: Environment, judged: Liveness, seen: Seen, now: datetime) -> Row:
    """What is shown of a guard."""
    live = seen.deployments.get(guard.deployment)
    return Row(
        guard,
        place.namespace,
        judged,
        _decision(guard, place, seen, now),
        read_note(live),
        _saved(guard, seen),
        max((each.at for each in _ledger(guard, seen).restarts), default=None),
    )


def wrong_row(guard: Guard, place: Environment, seen: Seen, now: datetime) -> Row:
    """What is shown of a guard whose entry is wrong: whether it is pressed, and the way back."""
    live = seen.deployments.get(guard.deployment)
    note = read_note(live)
    state: State = "pressed" if note else "not alive"
    text = "Not watched: its entry in guards.yaml is wrong. Put it right."
    if note:
        text = f"{pressed_text(guard, note, scaled_to(live))} {text}"
    judged = Liveness(guard.name, state, text, Kept(state=state, since=now, excused_at=now))
    return Row(guard, place.namespace, judged, None, note, _saved(guard, seen), wrong=True)


def _ledger(guard: Guard, seen: Seen) -> Ledger:
    kept = (seen.config_maps.get(ledger_name(guard.name)) or {}).get("data") or {}
    return Ledger.from_json(kept.get(KEY), guard.window_minutes)


def _decision(guard: Guard, place: Environment, seen: Seen, now: datetime) -> Decision | None:
    if seen.problem:
        return None
    ledger = _ledger(guard, seen)
    view = view_of(
        place.namespace,
        guard.deployment,
        now,
        deployments=list(seen.deployments.values()),
        replica_sets=seen.replica_sets,
        pods=seen.pods,
    )
    decision = decide(guard, ledger, view, now)
    if view.pressed is None or not view.replicas:
        return decision
    # Nothing is decided by them, but who scaled it up wants to know them.
    counted = restarts_that_count(guard, ledger, view, now)
    counts = {name: dict(Counter(str(each.cause) for each in some)) for name, some in counted.items()}
    return decision.model_copy(update={"counts": counts})


def _saved(guard: Guard, seen: Seen) -> list[Saved]:
    found = []
    for name, each in seen.config_maps.items():
        metadata = each["metadata"]
        if is_evidence(each, guard.name):
            made = metadata.get("creationTimestamp")
            at = datetime.fromisoformat(made) if made else None
            run = (metadata.get("annotations") or {}).get(NOTE_RUN, "")
            found.append(Saved(name, at, run, *_said(each)))
    return sorted(found, key=lambda one: (str(one.at), one.name), reverse=True)


def _said(config_map: Mapping[str, Any]) -> tuple[str, str]:
    """What evidence was saved for, and the first words of why."""
    try:
        decision = json.loads((config_map.get("data") or {}).get(DECISION) or "{}")
    except ValueError:
        return "", ""
    if not isinstance(decision, dict):
        return "", ""
    action, kind = str(decision.get("action") or ""), str(decision.get("kind") or "")
    text = shorten(str(decision.get("text") or ""), WORDS, placeholder=" ...")
    return ": ".join(filter(None, (action, kind))), text


def render(
    rows: Sequence[Row], links: Links, *, now: datetime, looked: datetime | None, notices: Sequence[str] = ()
) -> str:
    """The page as HTML.

    Args:
        rows: the guards, those that need somebody first.
        links: where it leads to.
        now: the time of the look.
        looked: when guards_alive looked last.
        notices: what is wrong with more than one guard.
    """
    template = _templates().get_template("guards.html.j2")
    return template.render(rows=rows, links=links, now=now, looked=looked, notices=notices)


def render_evidence(guard: str, name: str, data: Mapping[str, str]) -> str:
    """One piece of evidence as plain text."""
    parts = [f"Evidence {name} of the guard {guard}"]
    for key, text in data.items():
        parts.append(f"===== {key}\n{text.rstrip()}")
    return "\n\n".join(parts) + "\n"


@cache
def _templates() -> jinja2.Environment:
    return templates(TEMPLATES, minute=minute, second=_second, ago=ago)


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
