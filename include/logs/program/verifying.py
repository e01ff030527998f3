"""The command ``verify``: read the archives back from the disk, whole, and compare them with their manifests.

What is verified here, and nothing else, may be deleted. The notes say which archives were verified: a rerun reads
the others only.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import Any

from . import codecs, notes
from .manifests import Manifest, Place
from .problems import StepError
from .request import Request
from .summary import counted, say, sized
from .sweeping import known
from .workers import count, share

PIECE = 1 << 20
AHEAD = 4
"""Archives that are asked of the disk before it is their turn."""
BEGINNING = 32 << 20
"""Bytes of each, at most: they take memory that the kernel takes back when it is needed."""


class UnfitError(Exception):
    """An archive does not hold what its manifest says."""


def run(request: Request) -> dict[str, Any]:
    """Verify. Returns the facts of the answer. Raises StepError when an archive is not what it should be."""
    begun = time.monotonic()
    places = notes.archives(request.layout) + (notes.adopted(request.layout) or [])
    todo = [place for place in places if notes.verified(place) is None]
    if len(todo) < len(places):
        say(f"{len(places) - len(todo)} of {len(places)} archives are verified already, by an earlier try.")
    for place in todo[:AHEAD]:
        _fetch(place)
    damaged = []
    for task, facts in share(len(todo), lambda task: _one(todo, task), count(request.workers)):
        if "damaged" in facts:
            damaged.append((todo[task], facts["damaged"]))
            say(f"DAMAGED: {todo[task].archive}: {facts['damaged']}")
    if damaged:
        raise _refusal(request, damaged)
    found = [notes.verified(place) or {} for place in places]
    facts = {
        "archives": len(found),
        "files": sum(note["files"] for note in found),
        "bytes": sum(note["bytes"] for note in found),
    }
    say(
        f"Read back {counted(facts['archives'], 'archive')}: {counted(facts['files'], 'file')}, {sized(facts['bytes'])}, all as they were "
        f"({time.monotonic() - begun:.1f} s)."
        if found
        else "No archives to verify."
    )
    return facts


def _one(todo: list[Place], task: int) -> dict[str, Any]:
    place = todo[task]
    if task + AHEAD < len(todo):
        _fetch(todo[task + AHEAD])
    try:
        facts = check(place)
    except (UnfitError, codecs.DamagedError, StepError) as error:
        return {"damaged": str(error)}
    notes.note_verified(place, facts)
    return facts


def check(place: Place) -> dict[str, Any]:
    """Compare an archive, as it is read back, with its manifest. Raises UnfitError, DamagedError, StepError, OSError.

    Its SHA-256 was taken of the compressed bytes on their way to the disk: a bit that flipped since, a part that is
    missing, or another archive in its place is told. It is decompressed to its end as well, so that its own checksum,
    which the compressor took of the bytes that it was given, and their number are compared: they were read into that
    buffer and hashed there for the manifest, file by file.
    """
    manifest = Manifest(place.manifest)
    if manifest.archive != place.name:
        raise UnfitError(f"its manifest belongs to {manifest.archive}")
    last = manifest.last_line()
    source = codecs.source(codecs.codec_of(place.archive), place.archive)
    size = 0
    try:
        for piece in source.pieces():
            size += len(piece)
        checksum = source.checksum()
    finally:
        source.close()
    if size != last["stored"]:
        raise UnfitError(f"it has {size} bytes instead of {last['stored']}")
    if checksum != last["sha256"]:
        raise UnfitError("its checksum is wrong")
    return {"archive": place.name, "files": last["entries"], "bytes": last["bytes"]}


def skip(source: codecs.Source, count: int) -> None:
    """Read so many bytes and forget them."""
    if count < 0:
        raise UnfitError("its manifest is out of order")
    while count:
        data = source.read(min(PIECE, count))
        if not data:
            raise UnfitError("it ends early")
        count -= len(data)


def _fetch(place: Place) -> None:
    """Let the kernel drop what it has of an archive in memory: what is read then comes from the disk.

    The disk is asked for its beginning at once: it is there when its turn comes.
    """
    for path in (place.archive, place.manifest):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.posix_fadvise(descriptor, 0, BEGINNING, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(descriptor)


def _refusal(request: Request, damaged: list[tuple[Place, str]]) -> StepError:
    """Remove what is damaged, and the notes that it was archived: a rerun of ``archive`` then writes it again."""
    names = {place.name for place, _ in damaged}
    for slug in known(request.layout):
        layout = replace(request.layout, slug=slug)
        for chunk, note in notes.chunks(layout).items():
            if names & {archive["archive"] for archive in note["archives"]}:
                notes.forget_chunk(layout, chunk)
    if names & {place.name for place in notes.adopted(request.layout) or []}:
        notes.forget_adopted(request.layout)
    text = "\n".join(f"  {place.archive}: {why}" for place, why in damaged[:10])
    said = "1 archive does not hold what was put into it"
    if len(damaged) > 1:
        said = f"{len(damaged):,} archives do not hold what was put into them"
    return StepError(
        f"{said}. Nothing was deleted.\n{text}\n"
        "Look at the disk below the archives. Then run `archive` of this run again: it writes these again.",
        facts={"damaged": [{"archive": place.name, "why": why} for place, why in damaged[:10]]},
    )
