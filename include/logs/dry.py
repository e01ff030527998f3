"""What a step that changes something would do, from the plan: what a dry run says instead of doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.logs.program.summary import sized
from include.release.texts import plural

ARCHIVED = ("archive_delete", "archive_punch")
GOES = ("delete", "archive_delete")
FREED = ("archive_punch", "punch")


def would(command: str, volume: str, plan: Mapping[str, Any]) -> str:
    """In a sentence; the figures are those of the plan, which a run in earnest makes in the same way."""
    if not int(plan.get("entries") or 0):
        return f"Dry run: nothing would be changed on {volume}."
    if command == "archive":
        files, _ = amount(plan, ARCHIVED)
        archived = sized(int(plan.get("archived") or 0))
        return f"Dry run: {plural(files, 'file')} of {volume}, {archived}, would be archived."
    if command == "verify":
        return (
            f"Dry run: the archives would be read back and compared before anything of {volume} is deleted."
        )
    parts = []
    for actions, said in (
        (GOES, "deleted"),
        (FREED, "freed up to what is archived, as they are open"),
        (("truncate",), "cut to nothing, as their class accepts"),
    ):
        files, freed = amount(plan, actions)
        if files:
            parts.append(f"{plural(files, 'file')} would be {said} ({sized(freed)})")
    archives, freed = amount(plan, ("expire_archive",))
    if archives:
        parts.append(f"{plural(archives, 'archive')} whose time is over would be removed ({sized(freed)})")
    return f"Dry run: on {volume} {'; '.join(parts)}."


def amount(plan: Mapping[str, Any], actions: tuple[str, ...]) -> tuple[int, int]:
    """Files and bytes of some actions in a plan, over all classes."""
    files = freed = 0
    for each in plan.get("classes") or []:
        for action in actions:
            found = (each.get("actions") or {}).get(action) or {}
            files += int(found.get("files") or 0)
            freed += int(found.get("bytes") or 0)
    return files, freed
