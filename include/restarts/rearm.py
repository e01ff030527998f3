"""Re-arming: the former replicas come back and the note of the press goes, in one patch that tests the note."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from include.release.kube import Cluster, KubeError
from include.release.pressed import NOTE_PRESSED, NOTE_REARMED, NOTE_WANTED
from include.release.problems import Problem
from include.restarts.press import TRIES, PressNote, note_patch, read_note
from include.restarts.rearm_note import RearmNote, read_rearm

Outcome = Literal["re-armed", "not pressed", "absent"]


@dataclass(frozen=True)
class Restored:
    """What became of it. ``again`` is True when an earlier try of this run had done it."""

    outcome: Outcome
    text: str
    note: RearmNote | None = None
    again: bool = False
    deployment: dict[str, Any] = field(default_factory=dict, repr=False)


def former_replicas(
    note: PressNote, asked: int | None, where: str, released: int | None = None
) -> int | Problem:
    """How many to bring back: what was asked for, what was ``released`` meanwhile, else what the note says.

    A Problem when that is nothing.
    """
    if asked or released:
        return int(asked or released or 0)
    if note.replicas:
        return note.replicas
    found = "none" if note.replicas is None else str(note.replicas)
    return Problem(
        where,
        f"annotation {NOTE_PRESSED}",
        f"{found} as the former replicas ({note.text})",
        "the number of replicas before the press, as a guard notes it",
        "trigger again with the param replicas",
    )


def restore(
    cluster: Cluster,
    namespace: str,
    name: str,
    note: RearmNote,
    *,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Restored:
    """Bring the replicas of ``note`` back and take the press off.

    What somebody (an autoscaler) has scaled up in spite of the press keeps its replicas.

    Raises:
        KubeError: it may not be changed, or the cluster does not answer.
    """
    where = f"Deployment {name} in {namespace}"
    for attempt in range(TRIES):
        live = cluster.get("Deployment", namespace, name)
        if live is None:
            return Restored("absent", f"{where} is gone: nothing to re-arm")
        pressed = read_note(live)
        if pressed is None:
            before = read_rearm(live)
            if before is not None and before.run == note.run:
                text = f"{where} was re-armed by an earlier try of this run"
                return Restored("re-armed", text, before, True, live)
            return Restored("not pressed", f"{where} is not pressed: nothing to re-arm", deployment=live)
        current = int(live["spec"].get("replicas", 1))
        wanted = current or note.replicas
        filled = note.model_copy(
            update={"at": now().isoformat(), "replicas": wanted, "pressed_by": pressed.run}
        )
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]},
            {
                "op": "test",
                "path": "/metadata/annotations/" + NOTE_PRESSED.replace("/", "~1"),
                "value": live["metadata"]["annotations"][NOTE_PRESSED],
            },
            {"op": "test", "path": "/spec/replicas", "value": current},
            {"op": "replace", "path": "/spec/replicas", "value": wanted},
            *note_patch(live, {NOTE_PRESSED: None, NOTE_WANTED: None, NOTE_REARMED: _text(filled)}),
        ]
        try:
            answer = cluster.patch("Deployment", namespace, name, patch, dry_run=dry_run)
        except KubeError as error:
            if error.status not in (404, 409, 422) or attempt == TRIES - 1:
                raise
            continue
        words = "would be scaled" if dry_run else "is scaled"
        kept = "" if not current else f" (somebody had scaled it to {current} in spite of the press)"
        text = f"{where} {words} from {current} to {wanted}{kept}"
        return Restored("re-armed", text, filled, deployment=answer.object)
    raise AssertionError  # the loop has no other end


def _text(note: RearmNote) -> str:
    return json.dumps(note.model_dump(mode="json"), sort_keys=True)
