"""Notes of what a step has done already, in the run's directory: whole whenever they are there.

tag.json                  what this run's archives are called; made before the first of them
archived/<chunk>.json     a chunk of the plan whose archives have their names
verified/<archive>.json   an archive that was read back and holds what it should
deleting                  this run has begun to delete, or another counts on its archives: from then on they may be all there is

A rerun does what has no note.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from .entries import sync_directory
from .layout import Layout
from .manifests import Place, find
from .summary import kept

ARCHIVED, VERIFIED, DELETING, ADOPTED, TAG = "archived", "verified", "deleting", "adopted.json", "tag.json"


def write(path: str, facts: dict[str, Any]) -> None:
    """Write a note: on the disk first, then under its name."""
    partial = path + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync_directory(os.path.dirname(path))


def directory(layout: Layout, kind: str) -> str:
    """Where the notes of a kind are; it is made."""
    path = os.path.join(layout.run, kind)
    os.makedirs(path, mode=0o750, exist_ok=True)
    return path


def note_tag(layout: Layout, tag: str) -> None:
    """This run's archives are called so."""
    write(os.path.join(layout.run, TAG), {"tag": tag})


def tag(layout: Layout) -> str | None:
    """What a run's archives are called; None when it has written none, or nobody knows any more."""
    found = kept(os.path.join(layout.run, TAG))
    return None if found is None else str(found["tag"])


def note_chunk(layout: Layout, chunk: str, facts: dict[str, Any]) -> None:
    """A chunk is archived; what an earlier try verified of it was another file."""
    for archive in facts["archives"]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(layout.run, VERIFIED, _flat(Place(layout, archive["archive"]))))
    write(os.path.join(directory(layout, ARCHIVED), chunk + ".json"), facts)


def chunks(layout: Layout) -> dict[str, dict[str, Any]]:
    """What was noted of the chunks that are archived."""
    return every(layout, ARCHIVED)


def every(layout: Layout, kind: str) -> dict[str, dict[str, Any]]:
    """The notes of a kind, by their names; none where there is no directory."""
    folder = os.path.join(layout.run, kind)
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            facts = kept(os.path.join(folder, name)) if name.endswith(".json") else None
            if facts is not None:
                found[name[: -len(".json")]] = facts
    return found


def forget_chunk(layout: Layout, chunk: str) -> None:
    """A chunk is to be archived again, and so is the step."""
    for path in (os.path.join(layout.run, ARCHIVED, chunk + ".json"), layout.answer("archive")):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def archives(layout: Layout) -> list[Place]:
    """The archives that a run has written."""
    return [
        find(layout, archive["archive"]) for note in chunks(layout).values() for archive in note["archives"]
    ]


def note_adopted(layout: Layout, names: list[str]) -> None:
    """These archives of earlier runs have files of this plan."""
    write(os.path.join(layout.run, ADOPTED), {"archives": names})


def adopted(layout: Layout) -> list[Place] | None:
    """Those archives; None when nobody has looked yet."""
    found = kept(os.path.join(layout.run, ADOPTED))
    return None if found is None else [find(layout, name) for name in found["archives"]]


def forget_adopted(layout: Layout) -> None:
    """Look again, and archive everything again that was passed over."""
    for chunk in chunks(layout):
        forget_chunk(layout, chunk)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(layout.run, ADOPTED))


def note_verified(place: Place, facts: dict[str, Any]) -> None:
    """An archive holds what its manifest says."""
    write(os.path.join(directory(place.layout, VERIFIED), _flat(place)), facts)


def verified(place: Place) -> dict[str, Any] | None:
    """What the verification of an archive noted; None when it was not verified."""
    return kept(os.path.join(place.layout.run, VERIFIED, _flat(place)))


def note_deleting(layout: Layout) -> bool:
    """From here on something may be gone. Returns whether an earlier try has noted it already."""
    path = os.path.join(layout.run, DELETING)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
    except FileExistsError:
        return True
    sync_directory(layout.run)
    return False


def deleting(layout: Layout) -> bool:
    """Whether this run has begun to delete."""
    return os.path.exists(os.path.join(layout.run, DELETING))


def _flat(place: Place) -> str:
    return place.name.replace("/", "-") + ".json"
