"""The command ``release``: let the volume go."""

from __future__ import annotations

from typing import Any, Dict

from . import holder
from .request import Request
from .summary import say


def run(request: Request) -> Dict[str, Any]:
    """Let the volume go: this run's hold, or that of the run named by ``take_over``."""
    found = holder.release(request)
    if found["holder"]:
        say(
            f"Volume {request.volume} is held by {found['holder'].get('run')}, not by {request.run}: left as it is."
        )
    else:
        say(f"Volume {request.volume} is free.")
    return found
