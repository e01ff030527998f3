"""Removing what killed runs left in the archives: files that were not whole, or that no note counts on.

Nothing is removed on the ground that a note is missing: only names that a run has noted as its own before it wrote its
first archive, and only as long as nobody has begun to delete on the strength of its archives. They may be all there is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from . import notes
from .entries import sync_directory
from .layout import ARCHIVES, MANIFESTS, Layout
from .manifests import stem

MARK = "+"
"""Between the parts of an archive's name; none of them has it."""


def prefix(volume: str, tag: str) -> str:
    """How the names of a run's archives begin."""
    return f"{volume}{MARK}{tag}{MARK}"


def own_tag(layout: Layout, volume: str) -> str:
    """What this run's archives are called, noted before the first is written.

    That is its slug. A run that is cleared when its directory has been dropped has archives of that name already, which
    are its own no more: then a number is added.
    """
    found = notes.tag(layout)
    if found is None:
        taken = {_tag(name) for name in _names(layout) if name.startswith(f"{volume}{MARK}")}
        number, found = 1, layout.slug
        while found in taken:
            number += 1
            found = f"{layout.slug}~{number}"
        notes.note_tag(layout, found)
    return found


def sweep(layout: Layout, volume: str) -> int:
    """Remove the leftovers of this volume's known runs, this one's included. Returns how many files."""
    kept: dict[str, set[str]] = {}
    for slug in known(layout):
        run = replace(layout, slug=slug)
        tag = notes.tag(run)
        if tag is not None and not notes.deleting(run):
            kept[prefix(volume, tag)] = {stem(os.path.basename(place.name)) for place in notes.archives(run)}
    count = 0
    for base in _directories(layout):
        for folder, folders, names in os.walk(base):
            folders.sort()
            gone = [name for name in names if _is_leftover(name, kept)]
            for name in gone:
                os.unlink(os.path.join(folder, name))
            if gone:
                sync_directory(folder)
            count += len(gone)
    return count


def known(layout: Layout) -> list[str]:
    """The runs whose directories are there, oldest first."""
    with os.scandir(layout.runs) as found:
        runs = [(each.stat().st_mtime_ns, each.name) for each in found if each.is_dir(follow_symlinks=False)]
    return [name for _, name in sorted(runs) if not name.startswith(".")]


def _names(layout: Layout) -> Iterator[str]:
    for base in _directories(layout):
        for _, _, names in os.walk(base):
            yield from names


def _directories(layout: Layout) -> list[str]:
    """Wherever archives and manifests lie."""
    return [os.path.join(base, kind) for base in layout.archive_bases for kind in (ARCHIVES, MANIFESTS)]


def _tag(name: str) -> str:
    return name.split(MARK, 2)[1]


def _is_leftover(name: str, kept: dict[str, set[str]]) -> bool:
    volume, _, rest = name.partition(MARK)
    tag, mark, _ = rest.partition(MARK)
    stems = kept.get(prefix(volume, tag)) if mark else None
    if stems is None:
        return False
    whole = name.rpartition(".jsonl.")[0] or stem(name)
    return name.endswith(".partial") or whole not in stems
