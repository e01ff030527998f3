"""Signs of life: what the watch of a triggerer writes into a ConfigMap of the namespace that it watches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

HEARTBEAT = "restart-watch"
"""ConfigMap in every watched namespace. One data key for each triggerer and connection; its value is JSON."""


OF_A_PROCESS = "_"
"""Between a triggerer's process and the connection of the hub in it."""
TAKEN_OVER = timedelta(minutes=1)
"""A watch that is well at one triggerer is believed so much longer than one that had trouble at another."""


@dataclass(frozen=True)
class Beat:
    """The sign of life of one hub.

    Args:
        triggerer: whose: the triggerer's process, and the connection through which it watches.
        at: when it was written.
        last_event: when the API server last told of a change; None when it has not yet.
        last_relist: when everything was last listed; None when it could not be yet.
        watches: names of the watches that have decided lately.
        problem: what keeps it from watching; empty when nothing does.
        troubles: what keeps single watches from deciding, by name.
        deployments: what the watches watch, by name.
    """

    triggerer: str
    at: datetime
    last_event: datetime | None = None
    last_relist: datetime | None = None
    watches: frozenset[str] = frozenset()
    problem: str = ""
    troubles: Mapping[str, str] = field(default_factory=dict)
    deployments: Mapping[str, str] = field(default_factory=dict)

    @property
    def process(self) -> str:
        """The triggerer's process: it may have several hubs in a namespace."""
        return self.triggerer.partition(OF_A_PROCESS)[0]

    def trouble_of(self, name: str) -> str:
        """What keeps a watch from deciding, or keeping its counts; empty when nothing does."""
        return self.troubles.get(name, "") or self.problem


def read_beats(config_map: dict[str, Any] | None) -> list[Beat]:
    """The signs of life in a ConfigMap, newest first. What cannot be read is no sign of life."""
    found = []
    for triggerer, text in ((config_map or {}).get("data") or {}).items():
        beat = _read(triggerer, text)
        if beat is not None:
            found.append(beat)
    return sorted(found, key=lambda beat: beat.at, reverse=True)


def newest_for(name: str, beats: Iterable[Beat]) -> Beat | None:
    """The newest sign that tells of a watch: that it has decided, or what keeps it from that."""
    mine = sorted((each for each in beats if name in each.watches or name in each.troubles), key=_at)
    if not mine:
        return None
    well = [each for each in mine if name in each.watches and not each.trouble_of(name)]
    return well[-1] if well and mine[-1].at - well[-1].at < TAKEN_OVER else mine[-1]


def _at(beat: Beat) -> datetime:
    return beat.at


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
            _texts(value.get("troubles")),
            _texts(value.get("deployments")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in (value or {}).items()}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
