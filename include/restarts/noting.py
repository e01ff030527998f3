"""What people know of a guard, noted in the ledger of its watch so that the next run does not begin with the same.

Noted by the task that has told them, and not before: a run that is cut off in between says it again.
"""

from __future__ import annotations

from datetime import datetime

from include.release.kube import Cluster, KubeError
from include.restarts.confirming import TRIES, Verdict
from include.restarts.decision import HELD, UNKNOWN
from include.restarts.guards import Guard
from include.restarts.state import Conflict, Keeper

_HELD_BACK = ("braked", "refused", "dry run")
"""Outcomes of a press that was due and was not made."""


def kind_told(outcome: str, verdict: Verdict | None) -> str:
    """Under which kind of alert people know of a message; empty for one that silences nothing."""
    if outcome in _HELD_BACK:
        return HELD
    return verdict.kind if verdict is not None and outcome == verdict.action == "alert" else ""


def note_told(
    cluster: Cluster, guard: Guard, namespace: str, kind: str, verdict: Verdict | None, now: datetime
) -> None:
    """Keep that people know of this kind of alert.

    Of one that the upstream was asked about also when: restarts of unknown cause from before are no reason to ask again.

    Raises:
        KubeError: the ledger cannot be read or written.
    """
    for attempt in range(TRIES):
        keeper = Keeper(cluster, namespace, guard.name, guard.window_minutes)
        kept = keeper.read()
        kept.ledger.note_alert(kind, now)
        if kind == UNKNOWN and verdict is not None:
            kept.ledger.note_asked(verdict.decided_at)
        try:
            keeper.write(kept)
            return
        except Conflict as error:
            if attempt == TRIES - 1:
                raise KubeError(409, str(error), "the ledger of the watch") from error
