"""The watch of a guard, from its configuration."""

from __future__ import annotations

from typing import Any

from include.release.environments import Environment
from include.restarts.guards import Guard, Guards
from include.restarts.watched import WatchSpec
from plugins.sensors.restart_watch import RestartWatchSensor


def guard_watch(guard: Guard, place: Environment, guards: Guards, **kwargs: Any) -> RestartWatchSensor:
    """The sensor that watches for a guard. It keeps its counts under the guard's name."""
    spec = WatchSpec.of_guard(guard, place, guards).model_dump()
    return RestartWatchSensor(watch=spec.pop("name"), **spec, **kwargs)
