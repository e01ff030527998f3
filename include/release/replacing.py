"""What a change replaces: which release runs now, when it came and who brought it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from include.records.models import Change, minute
from include.release.frozen import NOTE_DIGEST, NOTE_RELEASE, NOTE_REQUESTED, NOTE_RUN, Frozen
from include.release.texts import noted_time

Find = Callable[[str], Change | None]
"""The record of a run, by ``dag_id/run_id``; None when there is none."""


def replaced(live: Iterable[Mapping[str, Any] | None], frozen: Frozen, find: Find, *, changes: bool) -> str:
    """What is there before the change, in a sentence.

    Args:
        live: the objects that the change may touch, as they are now; None for one that is not there.
        frozen: what would be brought.
        find: looks up who brought what is there.
        changes: whether anything would be changed.
    """
    deployments = [each for each in live if each is not None and each.get("kind") == "Deployment"]
    place = f"{frozen.release.app} in {frozen.environment.name}"
    if not deployments:
        return f"Nothing of {place} is deployed yet: this replaces nothing."
    brought: dict[tuple[str, str], dict[str, str]] = {}
    strange = []
    for each in deployments:
        notes = each["metadata"].get("annotations") or {}
        if NOTE_RELEASE in notes:
            brought[notes[NOTE_RELEASE], notes.get(NOTE_DIGEST, "")] = notes
        else:
            strange.append(f"Deployment {each['metadata']['name']}")
    texts = [_brought(notes, find) for notes in brought.values()]
    texts += [f"{', '.join(strange)}, which no release had brought"] if strange else []
    what = "; and ".join(texts)
    if not changes:
        return f"Nothing changes: {what} is what runs in {frozen.environment.name} now."
    if set(brought) == {(frozen.release.name, frozen.digest)} and not strange:
        return f"Brings the same again: {what}. The differences are below."
    return f"Replaces {what}."


def _brought(notes: Mapping[str, str], find: Find) -> str:
    """``release-1 (sha256:0123456789ab), released 2026-03-04 05:06 UTC by dev``."""
    digest = notes.get(NOTE_DIGEST, "")
    name = f"{notes[NOTE_RELEASE]} (sha256:{digest[:12]})" if digest else notes[NOTE_RELEASE]
    run = notes.get(NOTE_RUN, "")
    if not run:
        return name
    change = find(run)
    if change is not None:
        how = (
            "released"
            if change.release == notes[NOTE_RELEASE] and change.kind == "release"
            else "brought back"
        )
        end = f", which {_fate(change)}" if change.outcome not in ("released", "rolled back") else ""
        by = f" by {change.user}" if change.user else ""
        return f"{name}, {how} {minute(change.ended or change.started)}{by}{end}"
    asked = noted_time(notes.get(NOTE_REQUESTED, ""))
    return f"{name}, asked for {minute(asked)} by run {run}" if asked else f"{name}, brought by run {run}"


def _fate(change: Change) -> str:
    return {"running": "has not ended", "interrupted": "was interrupted"}.get(
        change.outcome, f"ended as {change.outcome}"
    )
