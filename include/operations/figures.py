"""What is kept of a clean-up and of a look at the orders, for the picture over time. All of it is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from textwrap import shorten
from typing import Any

from include.logs.messages import VolumeRun, net, number, sentence_of
from include.orders.alarm import Alert
from include.orders.facts import Backlog
from include.orders.sizing import Pace
from include.release.problems import Problem
from include.restarts.redact import redact

LONGEST = 600
"""Characters of a text."""
MOST = 10
"""Holds that are kept."""
_SPACE = ("size", "used", "free", "free_percent", "floor_percent", "target_percent")


def of_cleanup(run: VolumeRun, started: datetime) -> dict[str, Any]:
    """What is kept of a clean-up of one volume.

    Args:
        run: what became of the volume.
        started: when the run began: the space before is that of then.
    """
    plan, archive = run.of("plan"), run.of("archive")
    before = run.of("measure") or plan.get("before") or {}
    space = before if run.dry_run else run.space  # as it is, not as it would be
    found: dict[str, Any] = {
        "state": run.state,
        "text": _short(sentence_of(run)),
        "started": started.isoformat(timespec="seconds"),
        "approved_by": run.approved_by[:100],
        **{name: number(space, name) for name in _SPACE if name in space},
        "below_floor": bool(space.get("below_floor")),
        "freed": number(run.of("delete"), "freed_bytes"),
        "net": net(run),
        "archived": number(archive, "bytes"),
        "archived_in": number(archive, "archive_bytes"),
        "forecast": _forecast(run.of("space") or plan or run.of("measure")),
        "held": sum(number(each.get("held") or {}, "bytes") for each in plan.get("classes") or []),
        "holds_of_nothing": [
            str(each.get("case"))[:100] for each in (plan.get("holds_of_nothing") or [])[:MOST]
        ],
    }
    if before:
        found["free_percent_before"] = number(before, "free_percent")
    if "archives_bytes" in plan:
        expired = _expired(plan.get("classes") or []) if run.of("delete") else 0
        kept = number(plan, "archives_bytes") + number(archive, "archive_bytes") - expired
        found["archives"] = max(kept, 0)
    return found


def of_backlog(backlog: Backlog, alert: Alert, pace: Pace | None) -> dict[str, Any]:
    """What is kept of a look at the orders; without a pace nobody knows how long they take."""
    oldest = backlog.oldest_seconds
    return {
        "waiting": backlog.waiting,
        "in_work": backlog.in_work,
        "set_aside": backlog.set_aside,
        "oldest_minutes": None if oldest is None else round(oldest / 60, 1),
        "drain_minutes": None if pace is None else round(float(pace.drain_seconds(backlog.left)) / 60, 1),
        "arrived_an_hour": round(backlog.arrived_an_hour, 1),
        "done_an_hour": round(backlog.done_an_hour, 1),
        "pace_an_hour": None if pace is None else round(float(pace.per_hour), 1),
        "raised": alert.raised,
        "why": _short(alert.text),
    }


def of_unknown(problem: Problem) -> dict[str, Any]:
    """What is kept of a look that saw nothing, since the database could not be asked."""
    return {"unknown": _short(redact(problem.found)), "fix": _short(problem.fix)}


def _forecast(facts: Mapping[str, Any]) -> dict[str, Any]:
    found = facts.get("forecast") or {}
    return {name: dict(found[name]) for name in ("written", "remains") if isinstance(found.get(name), dict)}


def _expired(classes: Sequence[Mapping[str, Any]]) -> float:
    """Bytes of the archives whose time was over."""
    actions = ((each.get("actions") or {}).get("expire_archive") or {} for each in classes)
    return sum(number(each, "bytes") for each in actions)


def _short(text: str) -> str:
    return shorten(text, LONGEST, placeholder=" ...")
