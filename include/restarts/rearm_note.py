"""What a re-arm leaves on the Deployment. A press reads it: what somebody took back is not pressed again for the same reason."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from include.release.pressed import NOTE_REARMED


class RearmNote(BaseModel):
    """What a re-arm leaves on the Deployment."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str = ""
    at: str = ""
    by: str = ""
    reason: str = ""
    replicas: int | None = None
    forced: str = ""
    """Why it was re-armed although the upstream was down."""
    pressed_by: str = ""
    """The run whose press it took back."""


def read_rearm(deployment: dict[str, Any] | None) -> RearmNote | None:
    """The note of the last re-arm; None when there is none, or none that can be read."""
    text = (((deployment or {}).get("metadata") or {}).get("annotations") or {}).get(NOTE_REARMED)
    if text is None:
        return None
    try:
        return RearmNote.model_validate_json(text)
    except ValidationError:
        return None
