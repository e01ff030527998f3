"""Does somebody have to approve what a plan takes away, and what exactly is approved?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from include.logs.program.summary import sized
from include.logs.retention import Volume

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
    return reasons


def takes_something(plan: Mapping[str, Any]) -> bool:
    """Whether carrying the plan out changes a file."""
    return int(plan.get("entries") or 0) > 0


def plan_code(plan: Mapping[str, Any]) -> str:
    """Eight hex digits of what is planned: an approval is for that, and for nothing else."""
    content = {key: value for key, value in plan.items() if key not in NOT_THE_PLAN}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
