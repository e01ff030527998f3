"""Beside which changes of an application its volume is left alone: a rollback reads what was, logs too."""

from __future__ import annotations

from include.release.lease import Journal

ROLLBACK = "rollback"
AUTOMATIC = "roll_back."
"""How the tasks begin by which a release takes itself back."""


def keeps_waiting(holder: Journal) -> bool:
    """Whether a clean-up waits for whoever holds the application's release lock.

    A rollback, a release that rolls itself back, and a person who wrote a name into the Lease: yes. A release and a
    re-arm go on beside a clean-up, which changes nothing that they bring.
    """
    if not holder.run:
        return False
    return holder.kind in ("", ROLLBACK) or holder.stage.startswith(AUTOMATIC)
