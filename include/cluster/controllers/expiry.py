"""Events do not stay: they go some time after they were last counted up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from include.cluster.controllers.base import Controller, Key
from include.cluster.registry.clock import now, parse

Object = dict[str, Any]

_EVERY = 30.0
_SWEEP: Key = ("", "events")


class EventExpiry(Controller):
    """Removes events after the time to live in the settings."""

    name = "event-expiry"

    def initial(self) -> Iterable[Key]:
        """The one thing it does."""
        yield _SWEEP

    async def reconcile(self, key: Key) -> float | None:  # noqa: ARG002 - there is one key only
        """Removes what is too old."""
        moment, ttl = now(), self.settings.event_ttl
        for event in self.registry.list("events"):
            if (moment - parse(_last_told(event))).total_seconds() >= ttl:
                meta = event["metadata"]
                self.registry.store.remove("events", meta["namespace"], meta["name"])
        return min(_EVERY, max(ttl / 4, 0.05))


def _last_told(event: Object) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
