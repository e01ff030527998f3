"""Handing an event on at once."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

_FRAMES = 8


async def hand_over_now() -> None:
    """Have the triggerer send on the events that it holds.

    It looks for them once a second, which would be most of the time that a press takes. Its own method is called for
    that, on the runner that runs this trigger; where there is none (a test, another version of Airflow) the event goes
    out with the next look.
    """
    runner = _runner()
    if runner is not None:
        with contextlib.suppress(Exception):
            await runner.sync_state_to_supervisor([])


def _runner() -> Any:
    """The triggerer's runner: who called the trigger that called this."""
    frame = sys._getframe()
    for _ in range(_FRAMES):
        if frame.f_code.co_name == "run_trigger" and hasattr(
            frame.f_locals.get("self"), "sync_state_to_supervisor"
        ):
            return frame.f_locals["self"]
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
