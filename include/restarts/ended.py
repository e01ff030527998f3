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

from include.restarts.facts import Restart
from include.restarts.view import Object, View, container_statuses, moment_of


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


def shown_in(view: View, restart: Restart) -> tuple[Object | None, bool]:
    """The pod in the latest state in which the end behind a restart was its container's newest.

    Whoever looks for the cause there finds the right end. The second value says whether that state is the one of now,
    so that the container's logs are those of this end. None when the pod is gone.
    """
    pod = view.pod(restart.pod_uid)
    if pod is None:
        return None, False
    for state in (pod, *reversed(view.passed.get(restart.pod_uid, ()))):
        for _, status in container_statuses(state):
            ends = ends_of(status)
            if status.get("name") != restart.container:
                continue
            if ends.pending is not None and ends.count + 1 == restart.number:
                return state, state is pod
            if ends.led is not None and ends.count == restart.number:
                return _without_later_end(state, restart.container), state is pod
    return pod, True


def _without_later_end(pod: Object, container: str) -> Object:
    """A container that has ended once more shows two ends; the later one is taken out of a copy.

    The log of the older one is the ``previous`` one then.
    """
    shown = copy.deepcopy(pod)
    for _, status in container_statuses(shown):
        state = status.get("state") or {}
        if status.get("name") == container and state.get("terminated") is not None:
            status["state"] = {"running": {"startedAt": state["terminated"].get("startedAt")}}
    return shown
