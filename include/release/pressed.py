"""The red button: a Deployment that somebody scaled to zero in an emergency stays there until it is re-armed."""

from __future__ import annotations

import json
from typing import Any

from include.release.frozen import FIELD_MANAGER

NOTE_PRESSED = f"{FIELD_MANAGER}/pressed"
"""Annotation of a Deployment whose button was pressed. Its replicas belong to the button."""
NOTE_REARMED = f"{FIELD_MANAGER}/rearmed"
"""Annotation that a re-arm leaves: when, by whom and why. For a while after it no guard presses by itself."""

NOTE_WANTED = f"{FIELD_MANAGER}/replicas-when-re-armed"
"""Annotation that a release or rollback leaves on a pressed Deployment: the replicas that it would have had."""


def is_pressed(deployment: dict[str, Any] | None) -> bool:
    """Whether the button of a live Deployment is pressed."""
    notes = ((deployment or {}).get("metadata") or {}).get("annotations") or {}
    return NOTE_PRESSED in notes


def keep_pressed(manifest: dict[str, Any], live: dict[str, Any] | None) -> None:
    """Let ``manifest``, which is about to be applied, leave a pressed Deployment at zero.

    Its own replicas are noted, for the re-arm: a release that plans for more users must not come up with too few pods.
    """
    if manifest["kind"] == "Deployment" and is_pressed(live):
        if wanted := manifest["spec"].get("replicas"):
            manifest["metadata"].setdefault("annotations", {})[NOTE_WANTED] = str(wanted)
        manifest["spec"]["replicas"] = 0


def wanted_replicas(live: dict[str, Any] | None) -> int | None:
    """What a release or rollback over the press has noted; None when there was none."""
    notes = ((live or {}).get("metadata") or {}).get("annotations") or {}
    text = str(notes.get(NOTE_WANTED, ""))
    return int(text) if text.isdecimal() and int(text) > 0 else None


def without_press(saved: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
    """A saved manifest without the press that it was saved with: whether the button is pressed is asked of ``live``.

    It was saved at zero then. It gets the replicas that are there now, or those that the note of the press names.
    """
    notes = saved["metadata"].get("annotations", {})
    notes.pop(NOTE_WANTED, None)
    text = notes.pop(NOTE_PRESSED, None)
    if text is None or saved["kind"] != "Deployment":
        return saved
    replicas = (live.get("spec") or {}).get("replicas") if live is not None else _former(text)
    if replicas is None:
        saved["spec"].pop("replicas", None)
    else:
        saved["spec"]["replicas"] = replicas
    return saved


def _former(text: str) -> int | None:
    try:
        replicas = json.loads(text)["replicas"]
    except (ValueError, TypeError, KeyError):
        return None
    return replicas if isinstance(replicas, int) else None
