"""A watch against the stand-in, through a wire that a test can cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio import config

from include.release.kube_async import AsyncCluster
from include.restarts.hub import Connect, seat_at
from include.restarts.stream import Pace
from include.restarts.watched import WatchSpec
from include.restarts.watching import Watcher
from tests.include.restarts.watch.shown import Shown
from tests.standin import Standin

QUICK = Pace(relist_seconds=30, first_pause=0.02, longest_pause=0.1, refused_pause=0.2, silent_seconds=0.2)


def connect_to(kubeconfig: Path) -> Connect:
    """Opens clients as the hook does."""

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[AsyncCluster]:
        client = await config.new_client_from_config(str(kubeconfig))
        try:
            yield AsyncCluster(client)
        finally:
            await client.close()

    return connect


class Watch:
    """One watch at work: what it says, and what it decides."""

    def __init__(self, connect: Connect, namespace: str, pace: Pace, until: Any = None, **rule: Any) -> None:
        facts = {"name": "guard", "connection": "c", "namespace": namespace, "deployment": "swype-app"}
        self.spec = WatchSpec.model_validate(facts | rule)
        self.said: list[str] = []
        self._connect, self._pace, self._until = connect, pace, until
        self.task: asyncio.Task[dict[str, Any]] | None = None

    def start(self) -> Watch:
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> dict[str, Any]:
        spec = self.spec
        async with seat_at(
            spec.connection, self._connect, spec.namespace, spec.name, spec.deployment, self._pace
        ) as seat:
            return await Watcher(spec, seat, self.said.append, until=self._until).follow()

    async def decided(self, seconds: float = 40) -> dict[str, Any]:
        assert self.task is not None
        return await asyncio.wait_for(asyncio.shield(self.task), seconds)

    async def says(self, text: str, seconds: float = 40) -> str:
        async with asyncio.timeout(seconds):
            while True:
                for line in self.said:
                    if text in line:
                        return line
                assert self.task is not None
                assert not self.task.done(), self.task
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def shown(cluster: Standin, namespace: str) -> Shown:
    """A Deployment whose pods show what the test says; not made yet."""
    return Shown(cluster.connect(), namespace)


@pytest.fixture
async def watch(cluster: Standin, namespace: str) -> AsyncIterator[Callable[..., Watch]]:
    """Makes watches of the test's namespace."""
    made: list[Watch] = []

    def make(kubeconfig: Path | None = None, pace: Pace = QUICK, **rule: Any) -> Watch:
        made.append(Watch(connect_to(kubeconfig or cluster.kubeconfig), namespace, pace, **rule))
        return made[-1]

    yield make
    for each in made:
        await each.stop()
