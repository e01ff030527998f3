"""What the pod's events say of one death: the kubelet killed it, the node took it, it could not be made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.restarts.cause.status import Container, Death, when

SLACK = timedelta(seconds=3)
"""Event times are whole seconds, and written before and after what they tell of."""


@dataclass(frozen=True)
class Event:
    """One event, first and last seen; ``container`` is empty when it is about the pod."""

    reason: str
    message: str
    container: str
    first: datetime | None
    last: datetime | None
    count: int


def events_of(raw: Iterable[dict[str, Any]]) -> list[Event]:
    """The events, in the order of the API."""
    return [_event(each) for each in raw]


def about(events: list[Event], container: Container) -> list[Event]:
    """Those about this container."""
    return [each for each in events if each.container == container.name]


def of_this_death(event: Event, death: Death | None, grace_seconds: int = 30) -> bool:
    """Whether the event may tell of this death, by its time; without times it may.

    A repeated event only has its first and last time: one that began before and went on after may.
    """
    if death is None or death.finished is None or event.last is None:
        return True
    started = death.started or death.finished - timedelta(seconds=grace_seconds)
    first = event.first or event.last
    return first <= death.finished + SLACK and event.last >= started - SLACK


def in_this_run(event: Event, death: Death | None, grace_seconds: int = 30) -> bool:
    """Whether one of the two times that are known of the event falls between start and end of the process."""
    if death is None or death.finished is None:
        return True
    low = death.started
    if low is None or low > death.finished:  # never written, or the clock was put back meanwhile
        low = death.finished - timedelta(seconds=grace_seconds) - SLACK
    high = death.finished + SLACK
    return any(each is not None and low <= each <= high for each in (event.first, event.last))


def exactly_then(event: Event, death: Death | None, grace_seconds: int = 30) -> bool:
    """Whether one of the two times that are known of the event falls into the last moments of the process."""
    if death is None or death.finished is None:
        return True
    low, high = death.finished - timedelta(seconds=grace_seconds) - SLACK, death.finished + SLACK
    return any(each is not None and low <= each <= high for each in (event.first, event.last))


def _event(raw: dict[str, Any]) -> Event:
    subject = raw.get("involvedObject") or raw.get("regarding") or {}
    message = str(raw.get("message") or raw.get("note") or "")
    path = str(subject.get("fieldPath") or "")
    container = path.partition("{")[2].rstrip("}") if "{" in path else ""
    words = message.split()
    if not container and len(words) > 1 and words[0] == "Container" and words[1] != "image":
        container = words[1]
    series = raw.get("series") or {}
    created = (raw.get("metadata") or {}).get("creationTimestamp")
    first = when(
        raw.get("firstTimestamp") or raw.get("deprecatedFirstTimestamp") or raw.get("eventTime") or created
    )
    last = when(
        series.get("lastObservedTime") or raw.get("lastTimestamp") or raw.get("deprecatedLastTimestamp")
    )
    count = raw.get("count") or series.get("count") or 1
    return Event(str(raw.get("reason") or ""), message, container, first, last or first, int(count))
