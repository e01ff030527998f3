"""Signs of life: what the watch of a triggerer writes into a ConfigMap of the namespace that it watches."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

HEARTBEAT = "restart-watch"
"""ConfigMap in every watched namespace. One data key for each triggerer; its value is JSON."""


@dataclass(frozen=True)
class Beat:
    """The sign of life of one triggerer.

    Args:
        triggerer: whose.
        at: when it was written.
        last_event: when the API server last told of a change; None when it has not yet.
        last_relist: when everything was last listed; None when it could not be yet.
        watches: names of the watches that it serves.
        problem: what keeps it from watching; empty when nothing does.
    """

    triggerer: str
    at: datetime
    last_event: datetime | None = None
    last_relist: datetime | None = None
    watches: frozenset[str] = frozenset()
    problem: str = ""


def read_beats(config_map: dict[str, Any] | None) -> list[Beat]:
    """The signs of life in a ConfigMap, newest first. What cannot be read is no sign of life."""
    found = []
    for triggerer, text in ((config_map or {}).get("data") or {}).items():
        beat = _read(triggerer, text)
        if beat is not None:
            found.append(beat)
    return sorted(found, key=lambda beat: beat.at, reverse=True)


def newest_for(name: str, beats: Iterable[Beat]) -> Beat | None:
    """The newest sign of life of a watch."""
    mine = [beat for beat in beats if name in beat.watches]
    return max(mine, key=lambda beat: beat.at, default=None)


def _read(triggerer: str, text: str) -> Beat | None:
    try:
        value = json.loads(text)
        at = _moment(value["at"])
        if at is None:
            return None
        return Beat(
            triggerer,
            at,
            _moment(value.get("last_event")),
            _moment(value.get("last_relist")),
            frozenset(map(str, value.get("watches") or [])),
            str(value.get("problem") or ""),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
