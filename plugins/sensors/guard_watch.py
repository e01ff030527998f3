"""The watch of a guard, from its configuration."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from typing_extensions import override

from include.release.environments import Environment
from include.restarts.guards import Guard, Guards
from include.restarts.watched import WatchSpec
from plugins.operators.at_once import press_at_once
from plugins.sensors.restart_watch import RestartWatchSensor


class GuardWatchSensor(RestartWatchSensor):
    """Watches for a guard, and presses at once when it trips, unless somebody is asked first or it is a dry run.

    A task that its trigger wakes up is started by the next look of the scheduler, however many guards there are.

    Args:
        guard: its name.
        at_once: wake up to press; else the watch ends in the triggerer, and the tasks behind it press.
    """

    def __init__(self, *, guard: str, at_once: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guard, self.at_once = guard, at_once
        if at_once:
            arguments = {"watch": self.watch, "end_task": False}
            self.start_trigger_args = replace(self.start_trigger_args, trigger_kwargs=arguments)

    @override
    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Press, and hand on what was decided, and when this task woke up."""
        woke = datetime.now(UTC)
        found = {**super().execute_complete(context, event), "woke_at": woke.isoformat()}
        if self.at_once and found["action"] == "press":
            press_at_once(self, self.guard, context)
        return found


def guard_watch(guard: Guard, place: Environment, guards: Guards, **kwargs: Any) -> GuardWatchSensor:
    """The sensor that watches for a guard. It keeps its counts under the guard's name."""
    spec = WatchSpec.of_guard(guard, place, guards).model_dump(exclude={"begun_at"})  # a soak's only
    at_once = not (guard.approval or guard.dry_run)
    return GuardWatchSensor(guard=guard.name, at_once=at_once, watch=spec.pop("name"), **spec, **kwargs)
