"""A volume that is full: room that was kept for the clean-up itself, and what can be told without writing anything.

A good run leaves a file of a few MiB in the clean-up's directory. A step that finds no room for its own notes gives it up
and begins anew. Where that does not help either, people learn all the same how much is missing and what is largest: the
plan of a dry run, with its notes where the step keeps its temporary files.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from dataclasses import replace
from typing import Any, Dict

from .layout import Layout
from .problems import NO_SPACE, StepError
from .request import Request
from .summary import keep, say, sized
from .usage import usage_of

RESERVE = 8 << 20
"""Bytes that are kept for a day without room: the notes of a plan of some ten thousand files."""
LEAST = 100
"""A volume has at least so many times the reserve, or it gets none."""


def keep_reserve(request: Request) -> None:
    """Make the reserve, where the volume can spare it. Never raises: a run without one has done its work, too."""
    path = _reserve(request.layout)
    with suppress(OSError, StepError):
        space = usage_of(request.root)
        if min(space.size, request.size or space.size) < RESERVE * LEAST or space.free < RESERVE * 2:
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE)
        finally:
            os.close(descriptor)


def give_up_reserve(request: Request) -> bool:
    """Let the volume have it. Returns whether there was one."""
    with suppress(OSError):
        os.unlink(_reserve(request.layout))
        say(
            f"Volume {request.volume} is full: the {sized(RESERVE)} are given up that an earlier run has kept for this."
        )
        return True
    return False


def no_room(command: str, request: Request, error: OSError) -> StepError:
    """The error of a step that cannot write its own files; before it has noted what it does, it changes nothing."""
    return StepError(
        f"Volume {request.volume} is full: `{command}` cannot write its own files below {request.layout.state} "
        f"({error.strerror}).\nMake room for them by hand (move a file elsewhere: what is deleted by hand is in no archive), or add storage, "
        "and run it again: it goes on where it ended.",
        NO_SPACE,
        {"alert": "volume_full", **seen(request, "there is no room for the clean-up's own notes")},
    )


def seen(request: Request, undone: str) -> Dict[str, Any]:
    """``space``, as that step answers it, of a volume that could not be cleaned up, and why (``undone``). Writes nothing to it."""
    say("What a clean-up would do, looked up without writing to the volume:")
    found: Dict[str, Any] = {}
    # Other steps load this module to keep the reserve, and need neither this nor what is loaded below.
    tempfile = importlib.import_module("tempfile")
    with suppress(OSError, StepError), tempfile.TemporaryDirectory(prefix="log-cleanup-") as scratch:
        asked = replace(request, dry_run=True, scratch=scratch)
        listing, planning, spacing = (
            importlib.import_module(f".{name}", __package__) for name in ("listing", "planning", "spacing")
        )
        would: Dict[str, Any] = {}
        with suppress(OSError, StepError):
            planned = planning.run(asked)
            keep(asked.layout.answer("plan"), planned)
            would = {**planned["after"], "archives_need": planned["archives_need"]}
        found["space"] = {**spacing.run(asked, undone), "undone": undone, "would": would}
        if would and found["space"]["shortfall"]:
            say(listing.with_room(would))
    return found


def _reserve(layout: Layout) -> str:
    return os.path.join(layout.state, "reserve")
