"""Holds that are about nothing here: neither a file, nor what is in an archive, nor a restored copy matches them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Callable, Iterator, List, Match, Optional, Sequence

from .classes import Policy, rotated
from .copies import RESTORED, with_copies
from .globs import compiled
from .manifests import Manifest, Place, all_manifests
from .problems import StepError
from .request import Hold, Request

Matcher = Optional[Callable[[str], Optional[Match[str]]]]


def unmatched(request: Request, policy: Policy, holds: Sequence[Hold]) -> List[Hold]:
    """Of holds that no live file matches, those that nothing else matches either.

    Every manifest is read, as long as such a hold is left.
    """
    left = _without(holds, policy.matcher, _archived(request))
    return _without(left, _of_copies, _restored(request))


def _without(
    holds: Sequence[Hold], matcher: Callable[[Sequence[Hold]], Matcher], paths: Iterator[str]
) -> List[Hold]:
    """The holds that match none of the paths."""
    left = list(holds)
    match = matcher(left)
    while match is not None:
        path = next(paths, None)
        if path is None:
            break
        while match is not None and (found := match(path)):
            del left[(found.lastindex or 1) - 1]
            match = matcher(left)
    return left


def _archived(request: Request) -> Iterator[str]:
    """The paths of what this volume's archives hold."""
    for base, name in all_manifests(request.layout):
        with suppress(StepError, KeyError):  # one that cannot be read keeps its archive, and the plan says so
            manifest = Manifest(name)
            if manifest.header["volume"] == request.volume and os.path.lexists(
                Place(request.layout, manifest.archive, base).archive
            ):
                for record in manifest:
                    yield os.fsdecode(record.path)


def _of_copies(holds: Sequence[Hold]) -> Matcher:
    """Restored apart, a copy may have the time of its last change in its name."""
    return compiled([with_copies(rotated(hold.globs), ["."]) for hold in holds]).match if holds else None


def _restored(request: Request) -> Iterator[str]:
    """The paths of what was restored to the clean-up's own directory, below the directory of each restore."""
    top = os.path.join(request.layout.state, RESTORED)
    for folder, _, names in os.walk(top):
        _, _, below = os.path.relpath(folder, top).partition(os.sep)
        for name in names:
            yield os.path.join(below, name)
