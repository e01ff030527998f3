"""Removing what killed runs left in the archives: files that were not whole, or that no note counts on.

A run that has begun to delete is left alone: its archives may be all there is. So are runs whose notes are gone.
"""

from __future__ import annotations

import os
from dataclasses import replace

from . import notes
from .entries import sync_directory
from .layout import Layout
from .manifests import stem

MARK = "+"
"""Between the parts of an archive's name; none of them has it."""


def prefix(volume: str, slug: str) -> str:
    """How the names of a run's archives begin."""
    return f"{volume}{MARK}{slug}{MARK}"


def sweep(layout: Layout, volume: str) -> int:
    """Remove the leftovers of this volume's known runs, this one's included. Returns how many files."""
    kept: dict[str, set[str]] = {}
    for slug in known(layout):
        run = replace(layout, slug=slug)
        if not notes.deleting(run):
            kept[prefix(volume, slug)] = {stem(os.path.basename(place.name)) for place in notes.archives(run)}
    count = 0
    for base in (layout.archives, layout.manifests):
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
    return [name for _, name in sorted(runs)]


def _is_leftover(name: str, kept: dict[str, set[str]]) -> bool:
    volume, _, rest = name.partition(MARK)
    slug, mark, _ = rest.partition(MARK)
    stems = kept.get(prefix(volume, slug)) if mark else None
    if stems is None:
        return False
    whole = name.rpartition(".jsonl.")[0] or stem(name)
    return name.endswith(".partial") or whole not in stems
