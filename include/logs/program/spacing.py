"""The command ``space``: what came of it. Is the floor met, and has the space come back that was freed?

The answer: what usage says, and

    expected        bytes that the changes should have given back, archives on the volume taken off
    returned        bytes by which less was used after the deletions than before; null when nothing was deleted
    not_returned    null, or that far too little came back: bytes, and deleted files that are still open
    shortfall       null, or what is missing to the target and what would have to change (see shortfall)
    forecast        see forecast
    largest         the largest files that are there now: path, bytes, class
    alerts          [{kind, text}]: floor_missed, not_returned, inodes
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional

from . import forecast, history, largest, rules, shortfall
from .listing import outlook
from .measuring import in_words
from .request import Request
from .summary import kept, say, sized
from .unlinked import unlinked
from .usage import Usage, usage, usage_of

WORTH_A_WORD = 200
"""Less than this part of the volume's file system may be anything: logs are written while others are deleted."""


def run(request: Request, undone: str = "") -> Dict[str, Any]:
    """Verify the space. Returns the answer. ``undone`` says why nothing was cleaned up; empty when it was."""
    space = usage(request)
    answers = {
        name: kept(request.layout.answer(name)) or {} for name in ("measure", "plan", "archive", "delete")
    }
    path = request.layout.history
    if not request.dry_run:
        history.append(path, [history.point_line(_point(request, space, answers))])
    past = history.read(path)
    facts = space.facts(request)
    facts.update(_returned(request, answers))
    facts["shortfall"] = _shortfall(request, past, space)
    if facts["shortfall"] and not request.archive_to:
        # The plan saw the archives before this run's own.
        facts["shortfall"]["archives"] += int(answers["archive"].get("archive_bytes", 0))
    facts["forecast"] = forecast.facts(past.points, time.time(), space.free)
    facts["largest"] = largest.now(request)
    facts["alerts"] = _alerts(request, facts, undone)
    say(in_words(request, facts))
    for alert in facts["alerts"]:
        say(alert["text"])
    return facts


def _returned(request: Request, answers: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
    """What should have come back, and what did: from just before the first deletion on, as logs are written all the time."""
    taken = int(answers["archive"].get("archive_bytes", 0)) if not request.archive_to else 0
    delete = answers["delete"]
    freed = int(delete.get("freed_bytes", 0)) - int(delete.get("freed_elsewhere", 0))
    facts: Dict[str, Any] = {"expected": freed - taken, "returned": None, "not_returned": None}
    if "used_before" not in delete:
        return facts
    # A file system may take its time to count what was freed: then it is seen now.
    now = usage_of(request.root)
    facts["returned"] = returned = int(delete["used_before"]) - min(int(delete["used_after"]), now.used)
    if freed >= max(now.size // WORTH_A_WORD, 1) and returned < freed / 2:
        found = unlinked(os.stat(request.root).st_dev)
        facts["not_returned"] = {"bytes": freed - returned, "freed": freed, "unlinked": found}
    return facts


def _shortfall(request: Request, past: history.History, space: Usage) -> Optional[Dict[str, Any]]:
    try:
        grounds = shortfall.kept_grounds(request)
    except (OSError, ValueError):
        grounds = []  # there was no plan: the storage to ask for is known all the same
    return shortfall.missed(request, past, grounds, space)


def _alerts(request: Request, facts: Dict[str, Any], undone: str) -> List[Dict[str, str]]:
    alerts = []
    if facts["shortfall"]:
        text = "\n".join(outlook({"after": facts, "shortfall": facts["shortfall"], "undone": undone}))
        alerts.append({"kind": "floor_missed", "text": text})
    if facts["not_returned"]:
        alerts.append({"kind": "not_returned", "text": _not_returned(facts)})
    if facts["inodes_free_percent"] < request.floor_percent:
        text = f"Only {facts['inodes_free_percent']:.1f} % of the inodes are free: no file can be made without one."
        alerts.append({"kind": "inodes", "text": text})
    return alerts


def _not_returned(facts: Dict[str, Any]) -> str:
    found = facts["not_returned"]
    lines = [
        f"{sized(found['freed'])} were deleted, but only {sized(max(facts['returned'], 0))} less were used right after that: "
        f"{sized(found['bytes'])} were written in these minutes, or have not come back."
    ]
    for item in found["unlinked"]:
        lines.append(f"  deleted, but still open: {item['path']} ({sized(item['bytes'])}), by {item['by']}")
    if not found["unlinked"]:
        lines.append(
            "  No deleted file is seen open from here; a snapshot, or a process elsewhere, may keep them."
        )
    return "\n".join(lines)


def _point(request: Request, space: Usage, answers: Dict[str, Dict[str, Any]]) -> history.Point:
    classes = answers["plan"].get("classes", [])
    done = answers["delete"].get("ok") is True
    cleaned = [found["name"] for found in classes if done and found["actions"]]
    return history.Point(
        time.time(),
        request.run,
        history.AFTER,
        space.used,
        space.size,
        space.free,
        {found["name"]: found["bytes"] - (found["freed"] if done else 0) for found in classes},
        cleaned,
        int(answers["archive"].get("bytes", 0)),
        int(answers["archive"].get("archive_bytes", 0)),
        {name: rules.of(rule) for name in cleaned if (rule := request.log_class(name))},
    )
