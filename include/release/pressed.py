"""The red button: a Deployment that somebody scaled to zero in an emergency stays there until it is re-armed."""

from __future__ import annotations

from typing import Any

from include.release.frozen import FIELD_MANAGER

NOTE_PRESSED = f"{FIELD_MANAGER}/pressed"
"""Annotation of a Deployment whose button was pressed. Its replicas belong to the button."""
NOTE_REARMED = f"{FIELD_MANAGER}/rearmed"
"""Annotation that a re-arm leaves: when, by whom and why. For a while after it no guard presses by itself."""


def is_pressed(deployment: dict[str, Any] | None) -> bool:
    """Whether the button of a live Deployment is pressed."""
    notes = ((deployment or {}).get("metadata") or {}).get("annotations") or {}
    return NOTE_PRESSED in notes


def keep_pressed(manifest: dict[str, Any], live: dict[str, Any] | None) -> None:
    """Let ``manifest``, which is about to be applied, leave a pressed Deployment at zero."""
    if manifest["kind"] == "Deployment" and is_pressed(live):
        manifest["spec"]["replicas"] = 0
