"""Where the time of one press went, from what the trigger, Airflow and the press themselves wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

WATCH = "watch"
PARTS = (
    "watch and decision",
    "trigger to Airflow",
    "scheduler",
    "task starts",
    "confirm and evidence",
    "call",
)


def parts_of(
    crossed: float,
    zero: float,
    note: Mapping[str, Any],
    found: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """Seconds by part; nothing when a moment is not known, or the press was not made by the task that was woken up.

    Args:
        crossed: when the status write was sent that crosses the threshold.
        zero: when zero replicas were seen.
        note: what the press wrote on the Deployment; ``at`` is right before its patch.
        found: what the watch handed on: ``decided_at`` in the trigger, ``woke_at`` in the task.
        tasks: the task instances of the run, as Airflow's REST API tells them.
    """
    watch = next((each for each in tasks if each["task_id"] == WATCH), {})
    moments = [
        crossed,
        _epoch(found.get("decided_at")),
        _epoch(watch.get("scheduled_when")),
        _epoch(watch.get("queued_when")),
        _epoch(found.get("woke_at")),
        _epoch(note.get("at")),
        zero,
    ]
    known = [each for each in moments if each is not None]
    if len(known) < len(moments) or known != sorted(known):
        return {}
    return {part: later - earlier for part, (earlier, later) in zip(PARTS, pairwise(known), strict=True)}


def _epoch(text: Any) -> float | None:
    return datetime.fromisoformat(str(text)).timestamp() if text else None
