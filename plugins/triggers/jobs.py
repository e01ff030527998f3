"""Waits in the triggerer until a Job has ended, with its log in the task log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.jobs.ending import Ended
from include.jobs.load import Load
from include.jobs.waiting import Awaited, Wait
from include.release.kube import KubeError
from plugins.hooks.cluster import ClusterHook


class JobTrigger(BaseTrigger):
    """Waits for a Job that a task has started; ``Carrier.settle(load, Ended(**event))`` reads the event.

    Its state is in the cluster only: a triggerer that starts again goes on where the Job is. What it has said is not
    kept: the log then comes again from its beginning, since a line twice is better than one that nobody has seen.

    Args:
        connection: Airflow connection of the cluster.
        awaited: fields of ``Awaited``; see ``JobTrigger.of``.
        unsaid: lines of the log that begin so are data for the task, and not said; empty: every line is.
    """

    def __init__(self, *, connection: str, awaited: dict[str, Any], unsaid: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.connection, self.awaited, self.unsaid = connection, awaited, unsaid

    @classmethod
    def of(cls, connection: str, namespace: str, load: Load, job: str, *, unsaid: str = "") -> JobTrigger:
        """The trigger that waits for what ``Carrier.start(load)`` answered."""
        awaited = Awaited(namespace, job, load.container, load.seconds, load.start_grace, load.place_grace)
        return cls(connection=connection, awaited=asdict(awaited), unsaid=unsaid)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        arguments = {"connection": self.connection, "awaited": self.awaited, "unsaid": self.unsaid}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: how it ended."""
        # The connection is closed before the event goes out: whoever takes it may not come back for more.
        found = await self._wait()
        yield TriggerEvent(found.as_event())  # type: ignore[no-untyped-call]

    async def _wait(self) -> Ended:
        awaited = Awaited(**self.awaited)
        try:
            async with ClusterHook(self.connection).get_async_conn() as cluster:
                return await Wait(cluster, awaited, self._say).end()
        except KubeError as error:
            return Ended(awaited.job, "lost", str(error))

    def _say(self, line: str) -> None:
        if not (self.unsaid and line.lstrip().startswith(self.unsaid)):
            self.log.info("%s", line)
