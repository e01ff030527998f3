"""One list and watch for all guards of a namespace in one process.

Triggers of one triggerer share an event loop. However many of them watch Deployments of a namespace, the API server sees
one client: the first who joins starts it, the last who leaves ends it. A watcher is woken only by its own Deployment.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import re
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster
from include.restarts.beating import BEAT_SECONDS, write_beat
from include.restarts.heartbeat import OF_A_PROCESS, Beat
from include.restarts.index import Index
from include.restarts.stream import Pace, Stream
from include.restarts.view import View

Connect = Callable[[], AbstractAsyncContextManager[AsyncCluster]]
"""Opens a client, and closes it in the end. Called again when a token has run out."""

LONGEST_PAUSE = 15.0
QUIET_SECONDS = 10.0
"""A watcher looks at least this often, whatever happens: time passes without a change too."""
STALLED_SECONDS = 60.0
"""A watcher that has not decided for so long is not named in the sign of life: it does not watch."""
TROUBLE_CHARACTERS = 300
"""So much of what a watch has trouble with goes into the sign of life."""
POD_EVENTS = "involvedObject.kind=Pod"


class Seat:
    """What a watcher has of the hub."""

    def __init__(self, hub: Hub, name: str, deployment: str) -> None:
        self.name, self.deployment = name, deployment
        self.changed = asyncio.Event()
        self.changed.set()
        self.decided_at: float | None = None
        """When its watcher last came to a decision."""
        self._hub = hub

    async def news(self, seconds: float = QUIET_SECONDS) -> None:
        """Return when something about the Deployment has changed, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        self.changed.clear()

    def decided(self, trouble: str = "") -> None:
        """The watcher has come to a decision; only those who have are named in the sign of life.

        Args:
            trouble: what on-call must know all the same (counts that cannot be kept).
        """
        if self.decided_at is None:
            self._hub.write_soon()
        self.decided_at = time.monotonic()
        self._hub.note_trouble(self.name, trouble)

    def failed(self, trouble: str) -> None:
        """The watcher could not decide."""
        self._hub.note_trouble(self.name, trouble)

    @property
    def view(self) -> View | None:
        """What is known of the Deployment; None as long as not everything was listed once."""
        return self._hub.index.view(self.deployment) if self._hub.synced else None

    @property
    def problem(self) -> str:
        """What keeps the hub from watching now, for on-call; empty when nothing does."""
        return self._hub.problem

    @property
    def blind(self) -> bool:
        """Whether what is known may be old: something keeps the hub from seeing."""
        return bool(self._hub.blind)

    @property
    def notes(self) -> list[str]:
        """What the hub does without."""
        return self._hub.notes

    @property
    def cluster(self) -> AsyncCluster | None:
        """The hub's client; None while there is none."""
        return self._hub.cluster


class Hub:
    """Lists and watches one namespace for everybody who has a seat.

    Args:
        connect: opens a client.
        namespace: what is watched.
        identity: its name in the signs of life.
        pace: how often it lists, and tries again.
        beat_seconds: between two signs of life.
    """

    def __init__(
        self,
        connect: Connect,
        namespace: str,
        *,
        identity: str = "",
        pace: Pace | None = None,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self.namespace, self.identity = namespace, identity or process_of_hub()
        self.index = Index(namespace, self._wake)
        self.cluster: AsyncCluster | None = None
        self.unwritten = ""
        """Why no sign of life can be written."""
        self._connect, self._beat_seconds = connect, beat_seconds
        self._seats: dict[str, set[Seat]] = defaultdict(set)
        self._trouble = ""
        self._troubles: dict[str, str] = {}
        """What keeps single watchers from deciding, by name. What one failed of stays until the next one decides."""
        self._soon = asyncio.Event()
        pace = pace or Pace()
        self._pace = pace
        self.streams = [
            Stream("Deployment", namespace, self.index, pace),
            Stream("ReplicaSet", namespace, self.index, pace),
            Stream("Event", namespace, self.index, pace, fields=POD_EVENTS, optional=True),
            Stream("Pod", namespace, self.index, pace),
            Stream("Node", None, self.index, pace, optional=True),
        ]

    @property
    def synced(self) -> bool:
        """Whether all that a decision needs was listed."""
        return all(each.synced or (each.optional and each.problem) for each in self.streams)

    @property
    def problem(self) -> str:
        """What keeps it from watching, or from saying that it lives."""
        return self.blind or self.unwritten

    @property
    def blind(self) -> str:
        """What keeps it from seeing what is there now; empty when nothing does."""
        blind = (each.problem for each in self.streams if each.problem and not each.optional)
        return self._trouble or next(blind, "")

    @property
    def notes(self) -> list[str]:
        """What it does without."""
        return [each.problem for each in self.streams if each.problem and each.optional]

    @property
    def empty(self) -> bool:
        """Whether nobody has a seat."""
        return not any(self._seats.values())

    def join(self, name: str, deployment: str) -> Seat:
        """A seat for a watcher of a Deployment."""
        seat = Seat(self, name, deployment)
        self._seats[deployment].add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give a seat up."""
        self._seats[seat.deployment].discard(seat)
        if not self._seats[seat.deployment]:
            del self._seats[seat.deployment]

    def note_trouble(self, name: str, trouble: str) -> None:
        """What keeps a watcher from deciding; empty when it has decided and nothing is wrong."""
        if not trouble:
            self._troubles.pop(name, None)
            return
        if name not in self._troubles:
            self.write_soon()
        self._troubles[name] = trouble[:TROUBLE_CHARACTERS]

    def write_soon(self) -> None:
        """Do not wait with the next sign of life until it is due."""
        self._soon.set()

    async def run(self) -> None:
        """Serve until cancelled. Whatever goes wrong is said to the watchers, and tried again."""
        pause = self._pace.first_pause
        while True:
            began = time.monotonic()
            try:
                async with self._connect() as cluster:
                    self.cluster = cluster
                    await self._serve(cluster)
            except Exception as error:
                self._trouble = _said(error, connected=self.cluster is not None)
                self._wake_all()
            finally:
                self.cluster = None
            lasted = time.monotonic() - began
            pause = self._pace.first_pause if lasted > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _serve(self, cluster: AsyncCluster) -> None:
        for stream in self.streams:
            stream.forget()  # what was listed through another connection may be old by now
        # A stream that dies takes the others with it, and all begin again from a list: none is dead and looks alive.
        async with asyncio.TaskGroup() as group:
            for stream in self.streams:
                group.create_task(stream.follow(cluster), name=f"{stream.kind} of {self.namespace}")
            group.create_task(self._live(cluster), name=f"signs of life of {self.namespace}")

    async def _live(self, cluster: AsyncCluster) -> None:
        """Write signs of life for as long as there is life. Raises RuntimeError when a stream stands still."""
        due = 0.0
        while not self.synced:
            self._check()
            if self.problem and time.monotonic() >= due:
                due = time.monotonic() + self._beat_seconds
                await self._write(cluster)
                self._wake_all()
            await asyncio.sleep(0.05)
        self._trouble = ""
        self._wake_all()
        while True:
            self._check()
            self._soon.clear()
            await self._write(cluster)
            await asyncio.sleep(min(1.0, self._beat_seconds))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_seconds):
                    await self._soon.wait()

    def _check(self) -> None:
        dead = next((each for each in self.streams if each.stuck), None)
        if dead is not None:
            raise RuntimeError(f"the watch of {dead.kind} stands still")

    async def _write(self, cluster: AsyncCluster) -> None:
        try:
            await write_beat(cluster, self.namespace, self.beat())
            self.unwritten = ""
        except KubeError as error:
            self.unwritten = f"No sign of life can be written in namespace {self.namespace}: {error}"

    def beat(self) -> Beat:
        """The sign of life of now."""
        now = time.monotonic()
        watching = {
            seat.name: seat.deployment
            for seats in self._seats.values()
            for seat in seats
            if seat.decided_at is not None and now - seat.decided_at < STALLED_SECONDS
        }
        needed = [each for each in self.streams if not each.optional]
        listed = [each.listed_at for each in needed if each.listed_at]
        events = [each.event_at for each in self.streams if each.event_at]
        return Beat(
            triggerer=self.identity,
            at=datetime.now(UTC),
            last_event=max(events, default=None),
            last_relist=min(listed) if len(listed) == len(needed) else None,
            watches=frozenset(watching),
            problem=self.problem,
            troubles=dict(self._troubles),
            deployments=watching,
        )

    def _wake(self, deployment: str) -> None:
        for seat in self._seats.get(deployment, ()):
            seat.changed.set()

    def _wake_all(self) -> None:
        for deployment in list(self._seats):
            self._wake(deployment)


_hubs: dict[Hashable, tuple[Hub, asyncio.Task[None]]] = {}
"""The hubs of this process, by event loop, connection and namespace."""


@contextlib.asynccontextmanager
async def seat_at(
    connection: str, connect: Connect, namespace: str, name: str, deployment: str, pace: Pace | None = None
) -> AsyncIterator[Seat]:
    """A seat at the hub of a connection and namespace, which runs as long as somebody has one.

    Args:
        connection: name of the connection: who gives the same one shares the hub.
        connect: opens a client of that connection.
        namespace: what is watched.
        name: name of the watch.
        deployment: what this watcher is woken for.
        pace: how often the hub lists; that of the first who joins.
    """
    key = (asyncio.get_running_loop(), connection, namespace)
    hub, task = _hubs.get(key, (None, None))
    if hub is None or task is None or task.done():
        hub = Hub(connect, namespace, identity=identity_of(connection), pace=pace)
        # A context of its own: what the hub does is in the log of no single trigger.
        task = asyncio.create_task(
            hub.run(), name=f"hub of {connection}/{namespace}", context=contextvars.Context()
        )
        _hubs[key] = hub, task
    seat = hub.join(name, deployment)
    try:
        yield seat
    except Exception as error:
        # Tried again, which begins like any watch; so it is said until one has come to a decision again.
        seat.failed(
            f"The watch failed ({type(error).__name__}; the log of its task has more) and begins again."
        )
        raise
    finally:
        hub.leave(seat)
        if hub.empty:
            _hubs.pop(key, None)
            task.cancel()  # it closes its client by itself; an event need not wait for that


def hub_count() -> int:
    """How many hubs run in this process."""
    return len(_hubs)


def identity_of(connection: str) -> str:
    """Name of a hub in the signs of life, as a ConfigMap's key may be: its process, and the connection.

    Two connections may lead to the same namespace of the same cluster.
    """
    return process_of_hub() + OF_A_PROCESS + re.sub(r"[^-._a-zA-Z0-9]", "-", connection)


def process_of_hub() -> str:
    """Host and process id."""
    return re.sub(r"[^-.a-zA-Z0-9]", "-", f"{socket.gethostname()}-{os.getpid()}")


def _said(error: BaseException, *, connected: bool) -> str:
    """What went wrong, without the groups that tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not connected:
        return f"The connection cannot be used: {type(error).__name__}: {error}"
    if isinstance(error, KubeError):
        what = "does not know the connection's user" if error.status == 401 else "does not answer"
        return f"The cluster {what}: {error}"
    return f"The watch of the cluster ended and begins again: {type(error).__name__}: {error}"
