"""Does somebody have to approve what a plan takes away, and what exactly is approved?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from include.logs.loading import FILE, PlacedVolume
from include.logs.program.listing import listing
from include.logs.program.summary import sized
from include.logs.retention import Volume
from include.release.environments import ANYONE, may_trigger
from include.release.problems import Problem
from include.release.texts import markdown, moment, plural

NOT_THE_PLAN = ("done_before",)
"""Says how the answer came about, not what is planned."""


def why_asked(volume: Volume, plan: Mapping[str, Any]) -> list[str]:
    """Why a person decides about this plan, a sentence each; empty when the configuration lets it go on.

    Args:
        volume: as configured.
        plan: what the step ``plan`` answered.
    """
    if not takes_something(plan):
        return []
    reasons = []
    freed, limit = int(plan.get("freed") or 0), volume.bytes_to_approve
    if limit is not None and freed > limit:
        reasons.append(f"it takes {sized(freed)} away, more than approve_above ({sized(limit)})")
    if new := [str(name) for name in plan.get("new_classes") or []]:
        noun = "class was" if len(new) == 1 else "classes were"
        reasons.append(f"the {noun} never cleaned up on this volume before: {', '.join(new)}")
    if stricter := [str(each) for each in plan.get("stricter") or []]:
        noun, was = ("class takes", "it was") if len(stricter) == 1 else ("classes take", "they were")
        reasons.append(
            f"the {noun} more than when {was} last cleaned up on this volume: {', '.join(stricter)}"
        )
    return reasons


def may_start(placed: PlacedVolume, user: str | None) -> Problem | None:
    """None when ``user`` may clean the volume up, or restore its logs, by hand; else why not."""
    if placed.environment is not None:
        return may_trigger(placed.environment, user)
    allowed = placed.volume.may_trigger
    if allowed is None or ANYONE in allowed or user in allowed:
        return None
    return Problem(
        f"include/config/{FILE}",
        f"{placed.name}.may_trigger",
        f"triggered by {user or 'nobody'}",
        f"one of {', '.join(allowed)}",
        "ask one of them to trigger it, or have the list changed and reviewed",
    )


def takes_something(plan: Mapping[str, Any]) -> bool:
    """Whether carrying the plan out changes a file."""
    return int(plan.get("entries") or 0) > 0


def plan_code(plan: Mapping[str, Any]) -> str:
    """Eight hex digits of what is planned: an approval is for that, and for nothing else."""
    content = {key: value for key, value in plan.items() if key not in NOT_THE_PLAN}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def question_body(
    placed: PlacedVolume,
    plan: Mapping[str, Any],
    reasons: Sequence[str],
    asked: Mapping[str, str],
    minutes: int,
    now: datetime,
) -> str:
    """What whoever approves reads, in Markdown.

    Args:
        placed: the volume.
        plan: what the step ``plan`` answered.
        reasons: of ``why_asked``.
        asked: who asked for the run, why, and its name; what is empty is left out.
        minutes: to answer in.
        now: when it is asked.
    """
    until = moment((now + timedelta(minutes=minutes)).isoformat())
    before, after = (_free(plan.get(name) or {}) for name in ("before", "after"))
    facts = {
        "Where": placed.place,
        **{name: f"`{text}`" if name == "Run" else markdown(text) for name, text in asked.items() if text},
        "Free now": f"{before}; the floor is {placed.volume.floor}",
        "Free then": f"about {after}",
        "Answer until": f"{until} ({plural(minutes, 'minute')}); without an answer nothing is changed",
        "Plan": f"`{plan_code(plan)}`",
    }
    return "\n".join(
        [
            f"Somebody has to approve it, because {' and '.join(reasons)}.",
            "",
            *(f"- **{name}:** {text}" for name, text in facts.items()),
            "",
            "```text",
            listing(dict(plan)),
            "```",
        ]
    )


def _free(space: Mapping[str, Any]) -> str:
    return f"{sized(float(space.get('free') or 0))}, {float(space.get('free_percent') or 0):.1f} %"
