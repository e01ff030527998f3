"""Whether a class takes more than when it was last cleaned up: then a person looks at the plan first, as at a new class."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional

from .request import LogClass
from .summary import sized

LIMITS = ("keep_days", "keep_size", "archive_keep_days")


def of(found: LogClass) -> Dict[str, Any]:
    """What decides how much a class takes, as the history has it."""
    limits = {name: getattr(found, name) for name in LIMITS}
    return {**limits, "globs": list(found.globs), "archive": found.archive, "loss": bool(found.accept_loss)}


def stricter(before: Dict[str, Any], found: LogClass) -> List[str]:
    """What takes more than before, in words; empty when nothing does."""
    said = []
    for name in LIMITS:
        then, now = before.get(name), getattr(found, name)
        if (math.inf if now is None else now) < (math.inf if then is None else then):
            said.append(f"{name} from {_shown(name, then)} to {_shown(name, now)}")
    if before.get("archive") and not found.archive:
        said.append("no archive any more")
    if found.accept_loss and not before.get("loss"):
        said.append("open files are cut off")
    if more := [glob for glob in found.globs if glob not in before.get("globs", ())]:
        said.append(f"also {', '.join(more)}")
    return said


def _shown(name: str, value: Optional[float]) -> str:
    if value is None:
        return "no limit"
    return sized(value) if name == "keep_size" else f"{value:g}"
