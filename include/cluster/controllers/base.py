"""What all controllers share: a queue of keys, one worker, and retries that never end.

A controller hears of each change in the store, works out which objects of its own that touches, and brings those in
line one after the other. Several changes of one object in a row are one piece of work.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.cluster.controllers.index import Index
from include.cluster.errors import ApiError
from include.cluster.settings import Settings
from include.cluster.store import Change

if TYPE_CHECKING:
    from include.cluster.registry import Registry

Object = dict[str, Any]
Key = tuple[str, str]
"""namespace ("" for cluster-scoped), name"""

logger = logging.getLogger(__name__)

_RETRY_FIRST = 0.005
_RETRY_LONGEST = 30.0


@dataclass(frozen=True)
class Cluster:
    """What a controller works with."""

    registry: Registry
    settings: Settings
    index: Index


class RetryError(Exception):
    """A reconcile could not do all of its work, said so where users look, and wants to be tried again."""


class Controller(abc.ABC):
    """One kind of controller. Subclasses say what concerns them and how it is brought in line."""

    name = "controller"

    def __init__(self, cluster: Cluster) -> None:
        self.registry = cluster.registry
        self.settings = cluster.settings
        self.index = cluster.index
        self._ready: dict[Key, None] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    # -- what subclasses write -------------------------------------------------------------------------------

    def initial(self) -> Iterable[Key]:
        """The keys to look at when the controller starts."""
        return ()

    def observe(self, change: Change) -> None:  # noqa: B027  (one that goes by the clock hears of nothing)
        """Hears of a committed change; calls :meth:`enqueue` for the keys it concerns."""

    @abc.abstractmethod
    async def reconcile(self, key: Key) -> float | None:
        """Brings one object in line. Returns after how many seconds to look again, or None."""

    # -- running ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to work. Needs a running event loop."""
        for key in self.initial():
            self.enqueue(key)
        self._worker = asyncio.create_task(self._work(), name=f"controller {self.name}")

    async def stop(self) -> None:
        """Ends the work; what is queued is found again at the next start."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
            self._worker = None

    def enqueue(self, key: Key) -> None:
        """Has a key looked at soon."""
        self._ready.setdefault(key)
        self._wake.set()

    def enqueue_after(self, key: Key, seconds: float) -> None:
        """Has a key looked at after so many seconds, or earlier when that is wanted already."""
        if seconds <= 0:
            self.enqueue(key)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        planned = self._timers.get(key)
        if planned is not None:
            if planned.when() <= when:
                return
            planned.cancel()
        self._timers[key] = loop.call_at(when, self._due, key)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued for now (delayed work apart)."""
        return not self._ready

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.enqueue(key)

    async def _work(self) -> None:
        while True:
            if not self._ready:
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._ready))
            del self._ready[key]
            await self._attempt(key)
            # Others get their turn on the loop between two keys.
            await asyncio.sleep(0)

    async def _attempt(self, key: Key) -> None:
        try:
            again = await self.reconcile(key)
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(_RETRY_FIRST * 2 ** min(failures, 20), _RETRY_LONGEST)
            if isinstance(error, ApiError | RetryError):
                logger.info("%s: %s: %s; again in %.3f s", self.name, "/".join(key), error, delay)
            else:
                logger.exception("%s: %s: again in %.3f s", self.name, "/".join(key), delay)
            self.enqueue_after(key, delay)
            return
        self._failures.pop(key, None)
        if again is not None:
            self.enqueue_after(key, max(again, 0.0))
