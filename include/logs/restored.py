"""What people are told of a restore."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from include.logs.program.globs import compiled
from include.logs.program.summary import sized
from include.logs.retention import Volume
from include.release.telling import Message
from include.release.texts import plural


def restored_message(
    volume: str,
    asked: str,
    facts: Mapping[str, Any],
    failure: str,
    details: Mapping[str, str],
    links: Mapping[str, str],
    *,
    refused: bool = False,
    configured: Volume | None = None,
) -> Message:
    """What came back, or why nothing did.

    Args:
        volume: its name.
        asked: what was asked back, in words.
        facts: what the program answered; empty when it did not.
        failure: why it failed; empty when it did not.
        details: who asked, and why.
        links: what can be opened.
        refused: whether a check said no before anything was done, or another run holds the volume.
        configured: the volume; None when that is not known.
    """
    title = f"restore of {asked} on {volume}"
    if failure:
        text = f"{failure.rstrip('.')}. No file that is there was written over."
        if refused:
            text = f"Nothing was restored: {failure.rstrip('.')}."
        return Message("refused" if refused else "failed", title, text, details, links)
    to = posixpath.normpath(str(facts["to"])) if facts.get("to") else "a directory that its log names"
    parts = [
        f"{plural(int(facts.get('files') or 0), 'file')} ({sized(int(facts.get('bytes') or 0))}) restored to "
        f"{to}."
    ]
    if "/.log-cleanup/" in to:
        parts.append(
            "It stays there until somebody removes it: no class of the volume touches that directory."
        )
    elif configured and (kept := _of_no_class(facts, to, configured)):
        parts.append(
            f"{kept} is of no class of the volume, so it stays until somebody removes it, and reports name it. Name a class for "
            "it in log_retention.yaml, or remove it when it is read."
        )
    if later := int(facts.get("changed_later") or 0):
        parts.append(
            f"{plural(later, 'file')} of these {'was' if later == 1 else 'were'} written to after the time asked for, too: what is "
            "in there may be of later."
        )
    if there := int(facts.get("there_already") or 0):
        parts.append(f"{plural(there, 'file')} {'was' if there == 1 else 'were'} there already, the same.")
    return Message("restored", title, " ".join(parts), details, links)


def _of_no_class(facts: Mapping[str, Any], to: str, volume: Volume) -> str:
    """A restored file that lies among the logs and is of no class, as a path below the root; empty when there is none."""
    if to != volume.path and not to.startswith(volume.path + "/"):
        return ""
    of_a_class = compiled([each.globs for each in volume.classes]).match
    paths = (posixpath.join(to, str(each.get("path"))) for each in facts.get("restored") or [])
    below = (posixpath.relpath(path, volume.path) for path in paths)
    return next((path for path in below if not of_a_class(path)), "")
