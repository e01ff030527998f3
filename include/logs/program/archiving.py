"""The command ``archive``: everything of the plan that is to be kept elsewhere, into archives.

The plan is cut into chunks, always the same ones, each done by one of a few processes. A chunk that is done has a
note in the run's directory, written after its archives have their names: a rerun does the others only, and
removes what those left. When the volume fills up, everything this run has archived is removed; nothing was deleted.
"""

from __future__ import annotations

import os
import time
from typing import Any

from . import codecs, notes
from .adopting import Adopted, adopt
from .chunk import Chunk
from .entries import Plan
from .leaving import Left
from .problems import NO_SPACE, StepError
from .request import Request
from .summary import counted, say, sized
from .sweeping import MARK, own_tag, prefix, sweep
from .workers import count, share

CHUNK = 20_000
"""Entries in a chunk, about."""
LINKS = "links"


def run(request: Request) -> dict[str, Any]:
    """Archive. Returns the facts of the answer. Raises StepError."""
    if notes.deleting(request.layout):
        raise StepError(
            "What this run has archived is being deleted, by itself or by the run after it: its archives stay as they "
            "are.\nTrigger a new run for what is left."
        )
    begun = time.monotonic()
    archiving = Archiving(request, Plan(request.layout.plan))
    try:
        facts = archiving.all_chunks()
    except OSError as error:
        if not codecs.out_of_space(error):
            raise
        raise archiving.no_space(error) from error
    _report(facts, time.monotonic() - begun)
    return facts


class Archiving:
    """One run's archiving. Raises OSError, StepError."""

    def __init__(self, request: Request, plan: Plan) -> None:
        self._request, self._plan = request, plan
        self._codec = codecs.choose(request.compression)
        self._month = time.strftime("%Y/%m", time.gmtime(os.stat(plan.path).st_mtime))
        self._adopted = Adopted()
        self._prefix = prefix(request.volume, own_tag(request.layout, request.volume))
        self.chunks = chunks_of(plan.totals()[1])

    def all_chunks(self) -> dict[str, Any]:
        """Do what an earlier try has not done. Returns the facts of the answer."""
        done = notes.chunks(self._request.layout)
        sweep(self._request.layout, self._request.volume)
        self._adopted = adopt(self._request, self._plan)
        todo = [number for number in range(self.chunks) if name_of(number) not in done]
        if done:
            say(f"{len(done)} of {self.chunks} chunks are archived already, by an earlier try.")
        work = share(len(todo), lambda task: self._chunk(todo[task]), count(self._request.workers))
        for number, (_, note) in enumerate(work, 1 + self.chunks - len(todo)):
            size = sum(archive["bytes"] for archive in note["archives"])
            say(f"Chunk {number} of {self.chunks}: {sized(size)} archived.")
        found = notes.chunks(self._request.layout)
        if LINKS not in found and any(note["links"] for note in found.values()):
            found[LINKS] = self._links()
        return self._facts(list(found.values()))

    def no_space(self, error: OSError) -> StepError:
        """Remove everything this run has archived, and say so."""
        for name in notes.chunks(self._request.layout):
            notes.forget_chunk(self._request.layout, name)
        sweep(self._request.layout, self._request.volume)
        free = _free(self._request.layout.archive_base)
        return StepError(
            f"The volume with the archives ({self._request.layout.archive_base}) filled up while archiving: {error.strerror}.\n"
            f"What this run had archived is removed again; {sized(free)} are free. Nothing was deleted.\n"
            "Make room, or let archive_to name another volume, and run it again.",
            NO_SPACE,
            {
                "alert": "no_space_for_archives",
                "free_bytes": free,
                "archive_base": self._request.layout.archive_base,
            },
        )

    def _chunk(self, number: int) -> dict[str, Any]:
        chunk = self._begin(name_of(number))
        try:
            for frame in self._plan.frames(number, self.chunks):
                chunk.frame(frame)
            facts = chunk.finish()
        except BaseException:
            chunk.abort()
            raise
        return self._note(name_of(number), facts)

    def _links(self) -> dict[str, Any]:
        """Files with several names: in one pass, since their names may lie in different chunks."""
        chunk = self._begin(LINKS)
        try:
            for frame in self._plan.frames():
                chunk.linked(frame)
            facts = chunk.finish()
        except BaseException:
            chunk.abort()
            raise
        return self._note(LINKS, facts)

    def _begin(self, name: str) -> Chunk:
        place = f"{self._month}/{self._prefix}{{}}{MARK}{name}"
        suffix = codecs.SUFFIXES[self._codec]
        return Chunk(self._request, self._plan, place, self._codec, suffix, self._adopted)

    def _note(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        """The archives have their names: the chunk is done from here on."""
        notes.note_chunk(self._request.layout, name, facts)
        return facts

    def _facts(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        archives = [archive for note in found for archive in note["archives"]]
        left = Left()
        for note in found:
            left.merge(note["left"])
        return {
            "archives": len(archives),
            "files": sum(archive["entries"] for archive in archives),
            "bytes": sum(archive["bytes"] for archive in archives),
            "archive_bytes": sum(archive["size"] for archive in archives),
            "codec": self._codec,
            "left": left.facts(),
            "names": sorted(archive["archive"] for archive in archives),
        }


def chunks_of(entries: int) -> int:
    """Into how many chunks so many entries are cut; the same on every machine, since a rerun may have another."""
    if entries < 1000:
        return 1
    return 2 * -(-entries // (2 * CHUNK))


def name_of(chunk: int) -> str:
    """A chunk's name."""
    return f"{chunk:04d}"


def _free(path: str) -> int:
    found = os.statvfs(path if os.path.isdir(path) else os.path.dirname(path))
    return found.f_bavail * found.f_frsize


def _report(facts: dict[str, Any], seconds: float) -> None:
    if facts["archives"]:
        say(
            f"Archived {counted(facts['files'], 'file')}, {sized(facts['bytes'])}, into {counted(facts['archives'], 'archive')} of "
            f"{sized(facts['archive_bytes'])} ({facts['codec']}), in {seconds:.1f} s."
        )
    else:
        say("Nothing to archive.")
    left = Left()
    left.merge(facts["left"])
    for line in left.lines():
        say(line)
