"""Which end of a process led to which restart, and when: what a container's status says about the last two ends.

While a container runs, ``lastState`` is the end that led to restart number ``restartCount``. Once it has ended again
(``state.terminated``), that end leads to the next number, and ``lastState`` is still the one before. During the
back-off (``state.waiting``) only the newest end is left, under ``lastState``; it leads to the next number.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.restarts.view import Object, container_statuses, moment_of


@dataclass(frozen=True)
class Ends:
    """What a container's status knows. ``led`` led to the restart that was counted last, ``pending`` to the next."""

    count: int
    led: dict[str, Any] | None
    pending: dict[str, Any] | None

    @property
    def led_at(self) -> datetime | None:
        """When the process ended that led to the last counted restart, by the node's clock.

        In the back-off that end is gone; but the run that followed it is known, and when it started.
        """
        if self.led is not None:
            return moment_of(self.led.get("finishedAt"))
        pending = self.pending or {}
        return moment_of(pending.get("startedAt")) or moment_of(pending.get("finishedAt"))

    @property
    def before_led(self) -> datetime | None:
        """When the restart before the last counted one had happened: the run that ``led`` ended had started."""
        return moment_of((self.led or {}).get("startedAt")) or self.led_at


def ends_of(status: Object) -> Ends:
    """What one container status says."""
    count = max(0, int(status.get("restartCount") or 0))
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if state.get("terminated") is not None:
        return Ends(count, last, state["terminated"])
    if state.get("waiting") is not None:
        return Ends(count, None, last)
    return Ends(count, last, None)


def pod_at(pod: Object, container: str, *, pending: bool) -> Object:
    """The pod as it was when the end that is asked about was its container's newest.

    A container that has ended once more since shows two ends; for the older one, the newer is taken out of a copy, so
    that whoever looks for the cause (and for the log, which is the ``previous`` one then) sees the right one.
    """
    if pending:
        return pod
    for _, status in container_statuses(pod):
        ended_again = (status.get("state") or {}).get("terminated") is not None
        if (
            status.get("name") == container
            and ended_again
            and (status.get("lastState") or {}).get("terminated")
        ):
            shown = copy.deepcopy(pod)
            for _, each in container_statuses(shown):
                if each.get("name") == container:
                    each["state"] = {"running": {"startedAt": each["state"]["terminated"].get("startedAt")}}
            return shown
    return pod
