"""Where the time of one press went, from what the trigger, Airflow and the press themselves wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

WATCH = "watch"


def parts_of(
    crossed: float,
    zero: float,
    note: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    tasks: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """Seconds by part; those that are not known are left out.

    Args:
        crossed: when the status write was sent that crosses the threshold.
        zero: when zero replicas were seen.
        note: what the press wrote on the Deployment, ``at`` is right before its patch.
        found: what the watch handed on, ``decided_at``.
        tasks: the task instances of the run, as Airflow's REST API tells them.
    """
    parts: dict[str, float] = {}
    decided = _epoch((found or {}).get("decided_at"))
    pressed = _epoch(note.get("at"))
    if decided is not None:
        parts["watch and decision"] = decided - crossed
    if pressed is not None:
        parts["call"] = zero - pressed
    between = [each for each in tasks if each["task_id"] != WATCH and _epoch(each.get("start_date"))]
    between.sort(key=lambda each: _epoch(each["start_date"]) or 0.0)
    if decided is None or pressed is None:
        return parts
    free = decided
    waits = runs = 0.0
    watch = next((each for each in tasks if each["task_id"] == WATCH), {})
    handed = _epoch(watch.get("end_date"))
    if handed is not None and decided <= handed <= pressed:
        parts["trigger to Airflow"] = handed - decided
        free = handed
    for each in between:
        start, end = _epoch(each["start_date"]) or 0.0, _epoch(each.get("end_date")) or pressed
        if start > pressed:
            break
        waits += max(start - free, 0.0)
        runs += min(end, pressed) - start
        free = min(end, pressed)
    parts["scheduler and task starts"] = waits
    parts["tasks"] = runs
    return parts


def _epoch(text: Any) -> float | None:
    return datetime.fromisoformat(str(text)).timestamp() if text else None
