"""The press: one patch that scales a Deployment to zero and notes on it why, when, by whom and from how many.

The patch tests what it was decided on. Of two that press at once one is refused by the API server, reads again and
finds the button pressed; a press whose answer was lost finds its own note. So pressing twice is pressing once, and
the Deployment is never at zero without the note that brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from include.release.kube import Cluster, KubeError
from include.release.pressed import NOTE_PRESSED, is_pressed
from include.release.texts import moment, plural
from include.restarts.rearm_note import read_rearm
from include.restarts.view import moment_of

TRIES = 10
"""Each is lost to a change between reading and writing; so many in a row means that something else is wrong."""

Outcome = Literal["pressed", "already", "replaced", "at zero", "absent", "re-armed"]


class PressNote(BaseModel):
    """What is written on a pressed Deployment. A note that somebody wrote by hand has only a ``reason``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str = ""
    """``dag_id/run_id``."""
    at: str = ""
    by: str = ""
    """The guard."""
    replicas: int | None = None
    """What it was scaled to before."""
    cause: str = ""
    restarts: int = 0
    evidence: str = ""
    """ConfigMap in the same namespace."""
    reason: str = ""

    @property
    def text(self) -> str:
        """``pressed by swype (run ...) at 2026-11-21 09:00:00 UTC, from 3 replicas: 4 restarts ...``."""
        who = f" by {self.by}" if self.by else ""
        run = f" (run {self.run})" if self.run else ""
        when = f" at {moment(self.at)}" if self.at else ""
        former = f", from {plural(self.replicas, 'replica')}" if self.replicas is not None else ""
        why = f": {self.reason}" if self.reason else ""
        return f"pressed{who}{run}{when}{former}{why}"


@dataclass(frozen=True)
class Pressed:
    """What became of a press. ``text`` is for on-call.

    ``pressed`` is this run's press, now or by an earlier try (``again``); ``already`` is that of another run.
    """

    outcome: Outcome
    text: str
    note: PressNote | None = None
    again: bool = False
    deployment: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def record(self) -> dict[str, Any]:
        """The same as plain values, for whoever tells of it; ``lines`` is for what to look out for."""
        note = self.note.model_dump(mode="json") if self.note else None
        return {
            "outcome": self.outcome,
            "text": self.text,
            "lines": [],
            "again": self.again,
            "note": note,
        }


def read_note(deployment: dict[str, Any] | None) -> PressNote | None:
    """The note on a pressed Deployment; None when it is not pressed."""
    if deployment is None or not is_pressed(deployment):
        return None
    text = deployment["metadata"]["annotations"][NOTE_PRESSED]
    try:
        return PressNote.model_validate_json(text)
    except ValidationError:
        return PressNote(reason=f"by hand: {text}")


def press(
    cluster: Cluster,
    namespace: str,
    name: str,
    uid: str,
    note: PressNote,
    *,
    decided_at: datetime | None = None,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Pressed:
    """Scale the Deployment to zero, once.

    Args:
        cluster: where it is.
        namespace: its namespace.
        name: its name.
        uid: the Deployment whose restarts were counted; another one of that name is left alone.
        note: what is written on it; time and former replicas are filled in.
        decided_at: when the restarts were counted. A re-arm since then is the newer word.
        dry_run: let the API server check the patch, and change nothing.
        now: the clock.

    Raises:
        KubeError: it may not be changed, or the cluster does not answer.
    """
    for attempt in range(TRIES):
        live = cluster.get("Deployment", namespace, name)
        if found := _nothing_to_press(live, namespace, name, uid, note.run, decided_at):
            return found
        assert live is not None
        former = int(live["spec"].get("replicas", 1))
        filled = note.model_copy(update={"replicas": former, "at": now().isoformat()})
        try:
            answer = cluster.patch("Deployment", namespace, name, _patch(live, filled), dry_run=dry_run)
        except KubeError as error:
            # A test of the patch failed, or somebody deleted it: read again and decide again.
            if error.status not in (404, 409, 422) or attempt == TRIES - 1:
                raise
            continue
        words = "would be scaled" if dry_run else "is scaled"
        text = f"Deployment {name} in {namespace} {words} from {former} to 0"
        return Pressed("pressed", text, filled, deployment=answer.object)
    raise AssertionError  # the loop has no other end


def _nothing_to_press(
    live: dict[str, Any] | None, namespace: str, name: str, uid: str, run: str, decided_at: datetime | None
) -> Pressed | None:
    """What keeps a Deployment from being pressed; None when it can be."""
    where = f"Deployment {name} in {namespace}"
    if live is None:
        return Pressed("absent", f"{where} is gone: nothing to press")
    if live["metadata"].get("uid") != uid:
        text = f"{where} was replaced since its restarts were counted (uid {uid[:8]}...): the new one is left alone"
        return Pressed("replaced", text, deployment=live)
    note = read_note(live)
    if note is not None:
        again = bool(note.run) and note.run == run
        done = f"{where} is scaled from {note.replicas} to 0, by this run at {moment(note.at)}"
        text = done if again else f"{where} was {note.text}"
        return Pressed("pressed" if again else "already", text, note, again, live)
    if why := _taken_back(live, run, decided_at):
        return Pressed("re-armed", f"{where} {why}", deployment=live)
    if live["spec"].get("replicas", 1) == 0:
        text = f"{where} is at zero, and no button was pressed: somebody scaled it down; left alone"
        return Pressed("at zero", text, deployment=live)
    return None


def _taken_back(live: dict[str, Any], run: str, decided_at: datetime | None) -> str:
    """Which re-arm keeps this run from pressing; empty when none does. A run presses once, whatever is cleared or retried."""
    rearm = read_rearm(live)
    if rearm is None:
        return ""
    who = f"was re-armed by {rearm.by or 'somebody'} at {moment(rearm.at)}"
    if run and rearm.pressed_by == run:
        return f"{who}, after this run had pressed it: a run presses once"
    at = moment_of(rearm.at)
    if at is not None and decided_at is not None and at > decided_at:
        return f"{who}, after its restarts were counted: they are a reason no more"
    return ""


def _patch(live: dict[str, Any], note: PressNote) -> list[dict[str, Any]]:
    """The JSON patch. It fails as a whole when the Deployment is another, or has other replicas by now."""
    text = json.dumps(note.model_dump(mode="json"), sort_keys=True)
    return [
        {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]},
        {"op": "test", "path": "/spec/replicas", "value": note.replicas},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
        *note_patch(live, {NOTE_PRESSED: text}),
    ]


def undone(deployment: dict[str, Any] | None, run: str = "") -> str:
    """What somebody has done to a Deployment since it was pressed; empty when it is as the press left it.

    ``run`` is who pressed: a re-arm notes it.
    """
    if deployment is None:
        return "The Deployment was deleted since it was pressed."
    replicas = int(deployment["spec"].get("replicas", 1))
    if read_note(deployment) is None:
        wanted, rearm = plural(replicas, "replica"), read_rearm(deployment)
        if rearm is not None and run and rearm.pressed_by == run:
            return f"RE-ARMED since, by {rearm.by or 'somebody'} at {moment(rearm.at)}: {wanted} wanted."
        return f"The press was taken off since: {wanted} wanted, and no note of it is left."
    if replicas:
        return f"UNDONE: somebody has scaled it up to {plural(replicas, 'replica')} in spite of the press."
    return ""


def note_patch(live: dict[str, Any], notes: dict[str, str | None]) -> list[dict[str, Any]]:
    """The part of a JSON patch that sets annotations, or removes those that are None."""
    metadata = live["metadata"]
    if not metadata.get("annotations"):
        # The map is made, so nobody else may have made it meanwhile.
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
            {"op": "add", "path": "/metadata/annotations", "value": {k: v for k, v in notes.items() if v}},
        ]
    return [
        {"op": "add", "path": _pointer(key), "value": value}
        if value is not None
        else {"op": "remove", "path": _pointer(key)}
        for key, value in notes.items()
        if value is not None or key in metadata["annotations"]
    ]


def _pointer(key: str) -> str:
    """The JSON pointer of an annotation."""
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
