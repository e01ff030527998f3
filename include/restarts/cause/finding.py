"""What was found out about one death of a container."""

from __future__ import annotations

from dataclasses import dataclass

from include.restarts.facts import Cause, Role


@dataclass(frozen=True)
class Finding:
    """Why a container's process ended.

    ``evidence`` is one line for a person; words of a log in it are redacted and cut. ``alternatives`` are causes
    that the evidence allows as well, likeliest first: with an unknown cause and network among them it is worth
    asking the other end.
    """

    cause: Cause
    role: Role
    evidence: str
    alternatives: tuple[Cause, ...] = ()
