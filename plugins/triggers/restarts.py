"""Waiting in the triggerer until a Deployment's containers restart too often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from include.release.kube import KubeError
from include.restarts.decision import Decision
from include.restarts.hub import seat_at
from include.restarts.press import read_note
from include.restarts.stream import Pace
from include.restarts.watched import WatchSpec
from include.restarts.watching import Watcher
from plugins.hooks.cluster import ClusterHook
from plugins.triggers.handing_over import hand_over_now


class RestartTrigger(BaseTrigger):
    """Watches the restarts of one Deployment.

    Its state is in the cluster: a triggerer that starts again, or another one that takes over, goes on from the kept
    counts. All triggers of a namespace in one triggerer share one list and watch.

    Args:
        watch: fields of ``WatchSpec``.
        until: when to end with nothing found (ISO 8601); None: never.
        end_task: end the task with the event, without a worker; the findings are its return value.
    """

    def __init__(self, *, watch: dict[str, Any], until: str | None = None, end_task: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watch, self.until, self.end_task = watch, until, end_task

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "watch": self.watch,
            "until": self.until,
            "end_task": self.end_task,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: what was decided, as ``Watcher.follow`` answers it."""
        found = await self._follow()
        if self.end_task:
            yield TaskSuccessEvent(xcoms={"return_value": found})
        else:
            yield TriggerEvent(found)  # type: ignore[no-untyped-call]
        await hand_over_now()

    async def _follow(self) -> dict[str, Any]:
        spec = WatchSpec.model_validate(self.watch)
        hook = ClusterHook(spec.connection)
        if found := await self._pressed_before(spec, hook):
            return found
        pace = Pace(relist_seconds=spec.relist_seconds)
        until = datetime.fromisoformat(self.until) if self.until else None
        async with seat_at(
            spec.connection, hook.get_async_conn, spec.namespace, spec.name, spec.deployment, pace
        ) as seat:
            return await Watcher(spec, seat, self._say, until=until).follow()

    async def _pressed_before(self, spec: WatchSpec, hook: ClusterHook) -> dict[str, Any] | None:
        """What to hand on when an earlier try of this task was cut off after it had pressed: there is no more to watch."""
        ti: Any = self.task_instance
        if ti is None or int(getattr(ti, "try_number", None) or 0) <= 1:
            return None
        try:
            async with hook.get_async_conn() as cluster:
                note = read_note(await cluster.get("Deployment", spec.namespace, spec.deployment))
        except KubeError:
            return None  # the watch says what is wrong
        if note is None or note.run != f"{ti.dag_id}/{ti.run_id}":
            return None
        text = f"{spec.deployment} is {note.text}. An earlier try of this task was cut off after that."
        decision = Decision(action="press", text=text)
        return {**decision.model_dump(mode="json"), "decided_at": note.at or None}

    def _say(self, line: str) -> None:
        self.log.info("%s", line)
