"""The Lease behind a release lock: what its annotations say, and how it is written.

The Lease stays when the lock is free: it keeps what the last holder had begun and whether it came to an end.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from include.release.frozen import FIELD_MANAGER, LABEL_APP, MANAGED_BY

_LEFT = f"{FIELD_MANAGER}/left"
_CHANGED = f"{FIELD_MANAGER}/changed"
_BROKEN = f"{FIELD_MANAGER}/broken"
KEEP_LEFT = 5
"""Interrupted runs that are remembered, one after the other; each was gone on from by the next."""
RELEASED, ROLLED_BACK = "released", "rolled back"
"""States of the cluster that a run can reach and that a step describes."""


@dataclass(frozen=True)
class Journal:
    """What one run has begun and reached. All text, so that a hand-edited Lease can still be read."""

    run: str = ""
    """``dag_id/run_id``."""
    kind: str = ""
    user: str = ""
    requested_at: str = ""
    url: str = ""
    since: str = ""
    release: str = ""
    spec_digest: str = ""
    stage: str = ""
    """The last task begun that changes the cluster; empty while nothing has been changed."""
    reached: str = ""
    """``released`` or ``rolled back`` once a step has seen that; empty while changes are on their way."""
    saved_state: str = ""
    """ConfigMap with the state before this run."""

    @property
    def unfinished(self) -> bool:
        """Something was changed, and no step has seen where that led."""
        return bool(self.stage) and not self.reached


@dataclass(frozen=True)
class Changed:
    """The newest run that has begun to change something."""

    run: str = ""
    requested_at: str = ""
    release: str = ""


@dataclass(frozen=True)
class LockState:
    """A lock as it was read. ``holder`` is empty when it is free."""

    holder: str = ""
    acquired: str = ""
    journal: Journal = Journal()
    left: tuple[Journal, ...] = ()
    """Interrupted runs whose state nobody has brought to an end yet, newest last; the journal's is not in it."""
    changed: Changed = Changed()
    broken: str = ""
    """When the lock was taken from a run that still ran: by whom and why."""
    lease: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def holding(self) -> Journal:
        """The holder. Its name is all that is known when somebody wrote it in by hand."""
        if self.journal.run == self.holder:
            return self.journal
        return Journal(run=self.holder, since=self.acquired)


def read_lease(lease: dict[str, Any] | None) -> LockState:
    """What a Lease says, whatever somebody has written into it."""
    if lease is None:
        return LockState()
    spec = lease.get("spec") or {}
    notes = lease["metadata"].get("annotations") or {}
    return LockState(
        holder=str(spec.get("holderIdentity") or ""),
        acquired=str(spec.get("acquireTime") or ""),
        journal=Journal(**{each.name: notes.get(_key(each.name), "") for each in fields(Journal)}),
        left=_left(notes.get(_LEFT, "")),
        changed=Changed(**_texts(notes.get(_CHANGED, ""), Changed)),
        broken=notes.get(_BROKEN, ""),
        lease=lease,
    )


def written(state: LockState, app: str, namespace: str, name: str, now: datetime) -> dict[str, Any]:
    """The Lease for a state, with the resourceVersion of the one it was read from."""
    old = copy.deepcopy(state.lease) if state.lease is not None else {}
    metadata = old.get("metadata") or {"name": name, "namespace": namespace}
    metadata.pop("managedFields", None)
    metadata["labels"] = {**(metadata.get("labels") or {}), **MANAGED_BY, LABEL_APP: app}
    notes = {_key(key): value for key, value in asdict(state.journal).items()}
    notes[_LEFT] = json.dumps([_filled(each) for each in state.left[-KEEP_LEFT:]]) if state.left else ""
    notes[_CHANGED] = json.dumps(_filled(state.changed)) if state.changed.run else ""
    notes[_BROKEN] = state.broken
    others = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in notes}
    metadata["annotations"] = {**others, **{key: value for key, value in notes.items() if value}}
    spec = {
        **(old.get("spec") or {}),
        "holderIdentity": state.holder,
        "acquireTime": state.acquired,
        "renewTime": lease_time(now),
    }
    if state.holder and state.holder != ((old.get("spec") or {}).get("holderIdentity") or ""):
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    spec = {key: value for key, value in spec.items() if value != "" or key == "holderIdentity"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def lease_time(moment: datetime) -> str:
    """A time as a Lease has it: UTC with exactly six fractional digits."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def reached_state(state: LockState, reached: str) -> LockState:
    """The state once a step has seen where the changes led: nothing is left over from earlier runs either."""
    return replace(state, journal=replace(state.journal, reached=reached), left=())


def _key(name: str) -> str:
    return f"{FIELD_MANAGER}/{name.replace('_', '-')}"


def _filled(value: Journal | Changed) -> dict[str, str]:
    return {key: text for key, text in asdict(value).items() if text}


def _left(text: str) -> tuple[Journal, ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
        return tuple(Journal(**_known(each, Journal)) for each in found)
    except (ValueError, TypeError, AttributeError):
        # Better asked once too often than a half-done change forgotten.
        return (Journal(run="unknown (the note on the Lease cannot be read)", stage="unknown"),)


def _texts(text: str, model: type[Changed]) -> dict[str, str]:
    try:
        return _known(json.loads(text), model)
    except (ValueError, TypeError, AttributeError):
        return {}


def _known(value: dict[str, Any], model: type[Journal] | type[Changed]) -> dict[str, str]:
    names = {each.name for each in fields(model)}
    return {key: str(text) for key, text in value.items() if key in names}
