"""The command ``report``: what the run did, in words and as facts; then the volume is let go.

The answer: ``steps`` (what each finished step answered, the long lists left out), ``alerts``, ``text`` and
``released``. Of the runs' directories the newest few stay.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List

from . import full, history, holder
from .copies import RESTORED, apart
from .layout import STATE
from .listing import archives_of_no_class, holds_of_nothing, outlook
from .request import Request
from .summary import counted, kept, say, sized

STEPS = ("measure", "plan", "archive", "verify", "delete", "space")
_LONG = (
    "names",
    "examples",
    "unreadable_examples",
    "largest",
    "classes",
    "run",
    "volume",
    "command",
    "settings",
)
MARKS_LONGEST = 30.0
"""Days that watermarks are kept at least."""


def run(request: Request) -> Dict[str, Any]:
    """Report. Returns the answer."""
    answers = {name: kept(request.layout.answer(name)) for name in STEPS}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    text = "\n".join(_lines(request, found))
    say(text)
    alerts = list((found.get("space") or {}).get("alerts", []))
    if "space" not in found and found.get("plan", {}).get("shortfall"):
        alerts.append({"kind": "floor_missed", "text": "\n".join(outlook(found["plan"]))})
    facts: Dict[str, Any] = {
        "steps": {name: _short(answer) for name, answer in found.items()},
        "missing_steps": [name for name in STEPS if name not in found],
        "alerts": alerts,
        "text": text,
        "dry_run": request.dry_run,
    }
    if not request.dry_run:
        days = [found.keep_days or found.minimum_days for found in request.classes]
        history.compact(request.layout.history, time.time(), max([MARKS_LONGEST, *days]))
        facts["released"] = holder.drop(request)["released"]
        full.keep_reserve(request)
    request.layout.drop_old_runs(request.keep_runs, dry=request.dry_run)
    return facts


def _lines(request: Request, found: Dict[str, Dict[str, Any]]) -> List[str]:
    lines = [
        f"{request.title or request.volume}: "
        + ("a dry run, nothing was changed" if request.dry_run else request.run)
    ]
    plan, archive, delete, space = (found.get(name) or {} for name in ("plan", "archive", "delete", "space"))
    if plan:
        lines.append(f"planned: {counted(plan['files'], 'file')}, {sized(plan['freed'])} to free")
        held = sum(item["held"]["bytes"] for item in plan["classes"])
        if held:
            cases = [hold["case"] for hold in plan["holds"]]
            for idle in plan.get("holds_of_nothing", ()):
                cases.remove(idle["case"])
            lines.append(f"held: {sized(held)}, by {', '.join(cases)}")
        if plan["unclassified"]["files"]:
            loose = plan["unclassified"]
            lines.append(f"of no class, kept: {counted(loose['files'], 'file')}, {sized(loose['bytes'])}")
    lines += _changed(archive, delete, space)
    now = space or plan.get("after" if request.dry_run else "before") or found.get("measure") or {}
    if now:
        would = " then" if request.dry_run and not space else ""
        lines.append(
            f"free{would}: {sized(now['free'])}, {now['free_percent']:.1f} % (floor {now['floor_percent']:g} %)"
        )
    files, size = apart(request.layout)
    if files:
        lines.append(
            f"restored, in {os.path.join(STATE, RESTORED)}: {counted(files, 'file')}, {sized(size)}; they stay until somebody "
            "removes them"
        )
    lines += [*holds_of_nothing(plan), *archives_of_no_class(plan)]
    for alert in space.get("alerts", ()):
        lines.append(alert["text"])
    if not space:
        lines += outlook(plan)
    return lines


def _changed(archive: Dict[str, Any], delete: Dict[str, Any], space: Dict[str, Any]) -> List[str]:
    """What was done."""
    lines = []
    if archive:
        lines.append(
            f"archived: {counted(archive.get('files', 0), 'file')}, {sized(archive.get('bytes', 0))} "
            f"in {sized(archive.get('archive_bytes', 0))}"
        )
    if delete:
        lines.append(
            f"freed: {sized(delete.get('freed_bytes', 0))}, {counted(delete.get('deleted', 0), 'file')} deleted"
        )
        if space.get("expected", delete.get("freed_bytes")) != delete.get("freed_bytes"):
            lines.append(f"net: {sized(space['expected'])}, as the new archives lie on the volume too")
    return lines


def _short(answer: Dict[str, Any]) -> Dict[str, Any]:
    """An answer without its long lists, which the step itself gave already."""
    return {key: value for key, value in answer.items() if key not in _LONG and key not in ("alerts", "text")}
