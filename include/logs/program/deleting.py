"""The command ``delete``: what the plan says, and of the archived files only what a verified manifest names."""

from __future__ import annotations

import os
import time
from typing import Any

from . import notes
from .adopting import NAME as ADOPTED
from .archiving import LINKS
from .entries import (
    ARCHIVE_DELETE,
    ARCHIVE_PUNCH,
    DELETE,
    EXPIRE_ARCHIVE,
    PUNCH,
    TRUNCATE,
    Entry,
    Plan,
)
from .leaving import Left
from .manifests import Manifest, Place, Record
from .openness import holders
from .problems import StepError
from .removing import Done, Remover
from .request import Request
from .summary import counted, kept, say, sized
from .sweeping import MARK
from .usage import usage_of
from .workers import count, share

SLICES = 8
"""Into how many tasks the plan's own deletions are cut, for each process."""


def run(request: Request) -> dict[str, Any]:
    """Delete. Returns the facts of the answer. Raises StepError when the archives are not verified."""
    begun = time.monotonic()
    plan = Plan(request.layout.plan)
    deletion = Deletion(request, plan)
    deletion.require_archives()
    again = notes.note_deleting(request.layout)
    if again:
        say("An earlier try of this run has begun to delete; going on.")
    before = usage_of(request.root).used
    done = deletion.all_tasks()
    facts = {**_facts(done), "used_before": before, "used_after": usage_of(request.root).used}
    _report(facts, done.left, time.monotonic() - begun)
    return facts


class Deletion:
    """One run's changes: tasks that a few processes share, then the files with several names."""

    def __init__(self, request: Request, plan: Plan) -> None:
        self._request, self._plan = request, plan
        self._archived = {found.name for found in request.classes if found.archive}
        self._workers = count(request.workers)
        self._slices = max(1, min(plan.totals()[0], SLICES * self._workers))
        places = notes.archives(request.layout)
        self._places = [place.manifest for place in places if not _of_links(place)]
        # One process after the other: what has several names may be in one of these and be planned twice.
        self._later = [place.manifest for place in places if _of_links(place)]
        adopted = notes.adopted(request.layout) or []
        if adopted:
            self._later.append(os.path.join(request.layout.run, ADOPTED))
        self._sources = places + adopted
        self._holds_are_new = request.holds_facts() != plan.header.get("holds")

    def require_archives(self) -> None:
        """Raises StepError unless everything that is to be archived first was archived and verified."""
        answered = kept(self._request.layout.answer("verify")) is not None
        unverified = [place.name for place in self._sources if notes.verified(place) is None]
        gone = [place.name for place in self._sources if not os.path.exists(place.archive)]
        if gone:
            raise StepError(
                "Archives of this run are not there any more. Nothing was deleted.\nTrigger a new run: it archives again.",
                facts={"gone": gone[:10]},
            )
        if unverified or (not answered and self._needs_archives()):
            raise StepError(
                "The archives of this run are not verified. Nothing was deleted.\n"
                "Run `archive` and `verify` of this run first.",
                facts={"unverified": unverified[:10]},
            )

    def all_tasks(self) -> Done:
        """Do everything. Returns what was done."""
        done = Done()
        tasks = self._slices + len(self._places)
        linked = 0
        for _, facts in share(tasks, self._task, self._workers):
            done.merge(facts)
            linked += facts["linked"]
        remover = Remover(self._request, self._holds_are_new)
        if linked:
            for frame in self._plan.frames():
                for entry in self._plan.entries(frame):
                    if entry.nlink > 1:
                        self._planned(remover, entry)
        for path in self._later:
            self._manifest(remover, path)
        remover.close()
        done.merge(remover.done.facts())
        return done

    def _task(self, task: int) -> dict[str, Any]:
        remover = Remover(self._request, self._holds_are_new)
        linked = 0
        if task < self._slices:
            for frame in self._plan.frames(task, self._slices):
                for entry in remover.ordinary(self._plan, frame):
                    if entry.nlink > 1:
                        linked += 1  # another name of it may be another process's just now
                    else:
                        self._planned(remover, entry)
        else:
            self._manifest(remover, self._places[task - self._slices])
        remover.close()
        return {**remover.done.facts(), "linked": linked}

    def _planned(self, remover: Remover, entry: Entry) -> None:
        """What needs no archive."""
        if entry.action == DELETE:
            remover.delete(entry)
        elif entry.action == PUNCH:
            remover.punch(entry, None)
        elif entry.action == TRUNCATE and entry.class_name not in self._archived:
            remover.truncate(entry, None)
        elif entry.action == EXPIRE_ARCHIVE:
            remover.expire(entry)

    def _manifest(self, remover: Remover, path: str) -> None:
        """What was archived, and nothing that was not."""
        manifest = Manifest(path)
        for record in manifest:
            entry = _entry(record, manifest.class_name)
            if record.action == ARCHIVE_DELETE:
                remover.delete(entry)
            elif record.action == ARCHIVE_PUNCH:
                remover.punch(entry, record)
            elif record.action == TRUNCATE:
                remover.truncate(entry, record)

    def _needs_archives(self) -> bool:
        if not self._archived:
            return False
        letters = (b"A", b"P", b"T")
        return any(record.startswith(letters) for frame in self._plan.frames() for record in frame.records)


def _entry(record: Record, class_name: str) -> Entry:
    return Entry(
        record.path,
        0,
        record.ino,
        record.size,
        0,
        record.mtime_ns,
        record.nlink,
        record.nlink,
        class_name,
        record.action,
        record.start,
        record.end,
    )


def _of_links(place: Place) -> bool:
    return f"{MARK}{LINKS}" in os.path.basename(place.name)


def _facts(done: Done) -> dict[str, Any]:
    who = holders([(dev, ino) for _, dev, ino in done.opened])
    return {
        "deleted": done.files.get("deleted", 0),
        "punched": done.files.get("punched", 0),
        "truncated": done.files.get("truncated", 0),
        "expired_archives": done.files.get("expired", 0),
        "freed_bytes": sum(done.freed.values()),
        "freed": done.freed,
        "freed_elsewhere": done.elsewhere,
        "lost_bytes": done.lost,
        "left": done.left.facts(),
        "open": [
            {"path": os.fsencode(path).decode(errors="backslashreplace"), "by": who.get((dev, ino), [])}
            for path, dev, ino in done.opened
        ],
    }


def _report(facts: dict[str, Any], left: Left, seconds: float) -> None:
    say(
        f"Deleted {counted(facts['deleted'], 'file')} in {seconds:.1f} s; {sized(facts['freed_bytes'])} came back in all."
    )
    if facts["punched"]:
        say(f"Freed {sized(facts['freed']['punched'])} within {counted(facts['punched'], 'open file')}.")
    if facts["truncated"]:
        say(
            f"Cut off {counted(facts['truncated'], 'file')}, as their class accepts; {sized(facts['lost_bytes'])} were in no archive."
        )
    if facts["expired_archives"]:
        say(f"Removed {counted(facts['expired_archives'], 'archive')} whose time is over.")
    for line in left.lines():
        say(line)
    for each in facts["open"]:
        say(
            f"  open: {each['path']}, by {', '.join(each['by']) or 'a process that is not visible from here'}"
        )
