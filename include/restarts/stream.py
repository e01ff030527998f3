"""One kind of object kept up to date: listed, watched from there, and listed again at an interval.

A watch goes on from its last revision when it is cut. It begins again from a list when the server no longer knows that
revision (410), and every ``relist_seconds`` in any case: a connection that died without a word then costs no more than that.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, Protocol

from include.release.kube import KubeError, Objects, group_and_plural
from include.release.kube_async import AsyncCluster, Change

SILENT_SECONDS = 10.0
"""So much longer than agreed a watch may take to end before it counts as dead."""
STUCK_SECONDS = 90.0
"""A list may come so late before a stream counts as dead."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SERVED_SECONDS = 1.0
"""A watch that was open for so long before it was cut is no failure of the server: it is mended at once, however often."""
REFUSED_PAUSE = 30.0
"""Between two tries of what is not permitted."""


class SilentError(Exception):
    """A watch did not end when it was to: its connection is dead, and others of the same client may be."""


class Sink(Protocol):
    """Whoever keeps what a stream brings."""

    def replace(self, kind: str, items: Objects) -> None:
        """Take what was listed in place of all that was known."""

    def change(self, kind: str, change: Change) -> None:
        """Take one change."""


@dataclass(frozen=True)
class Pace:
    """How often a stream lists, and how long it waits after a failure."""

    relist_seconds: float = 60.0
    first_pause: float = FIRST_PAUSE
    longest_pause: float = LONGEST_PAUSE
    refused_pause: float = REFUSED_PAUSE
    silent_seconds: float = SILENT_SECONDS
    served_seconds: float = SERVED_SECONDS


class Stream:
    """One kind in one namespace (None: a kind of the whole cluster).

    Args:
        kind: such as Pod.
        namespace: where; None for a kind that is in none.
        sink: who keeps it.
        pace: how often it lists and tries again.
        fields: field selector.
        optional: without it the watch sees less, and still decides.
        sleep: replaced in tests.
    """

    def __init__(
        self,
        kind: str,
        namespace: str | None,
        sink: Sink,
        pace: Pace,
        *,
        fields: str = "",
        optional: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.kind, self.namespace, self.optional = kind, namespace, optional
        self.problem = ""
        """Why it does not see its objects now; empty when it does."""
        self.listed_at: datetime | None = None
        self.event_at: datetime | None = None
        self._sink, self._pace, self._fields, self._sleep = sink, pace, fields, sleep
        self._revision = ""
        self._relist_at = 0.0
        self._failures = 0
        self._listed = time.monotonic()

    @property
    def synced(self) -> bool:
        """Whether it has listed, so that what is not known is not there."""
        return self.listed_at is not None

    @property
    def stuck(self) -> bool:
        """Whether it has not listed for so long, without a reason, that it must be dead."""
        return (
            not self.problem and time.monotonic() - self._listed > self._pace.relist_seconds + STUCK_SECONDS
        )

    def forget(self) -> None:
        """What was listed no longer counts: until the next list it is not known what is there."""
        self.listed_at = None

    async def follow(self, cluster: AsyncCluster) -> NoReturn:
        """Keep the sink up to date. Raises KubeError 401, SilentError: the client must be made anew."""
        self._revision, self._listed = "", time.monotonic()
        while True:
            try:
                if not self._revision or time.monotonic() >= self._relist_at:
                    await self._list(cluster)
                await self._watch(cluster)
            except KubeError as error:
                if error.status == 401:
                    self.problem = f"The cluster does not know the connection's user: {error}"
                    raise
                await self._wait_after(error)

    async def _list(self, cluster: AsyncCluster) -> None:
        listing = await cluster.listing(self.kind, self.namespace, fields=self._fields)
        self._sink.replace(self.kind, listing.items)
        self._revision = listing.revision
        self.problem = ""
        self.listed_at, self._listed = datetime.now(UTC), time.monotonic()
        # Not all kinds of all namespaces at the same moment.
        self._relist_at = self._listed + self._pace.relist_seconds * random.uniform(0.9, 1.0)  # noqa: S311

    async def _watch(self, cluster: AsyncCluster) -> None:
        """Take changes until the next list is due, or the server ends the watch, which it may at any time."""
        began = time.monotonic()
        left = max(0.05, self._relist_at - began)
        opened: float | None = None
        try:
            async with (
                asyncio.timeout(left + self._pace.silent_seconds),
                cluster.watching(
                    self.kind, self.namespace, revision=self._revision, seconds=left, fields=self._fields
                ) as changes,
            ):
                self.problem, opened = "", time.monotonic()
                async for change in changes:
                    self._failures = 0
                    self._take(change)
                    if time.monotonic() >= self._relist_at:
                        return
        except TimeoutError:
            raise SilentError(f"the watch of {self.kind} went silent") from None
        except KubeError:
            if opened is not None and time.monotonic() - opened >= self._pace.served_seconds:
                self._failures = 0
            raise
        if time.monotonic() - began >= self._pace.first_pause:
            self._failures = 0
        else:
            await self._sleep(
                self._pace.first_pause
            )  # a server that ends every watch at once is not asked in a loop

    def _take(self, change: Change) -> None:
        if change.revision:
            self._revision = change.revision
        if change.type != "BOOKMARK":
            self.event_at = datetime.now(UTC)
            self._sink.change(self.kind, change)

    async def _wait_after(self, error: KubeError) -> None:
        self._failures += 1
        if error.status == 410:  # too old to go on from there: list again, which loses nothing
            self._revision = ""
            pause = 0.0 if self._failures == 1 else self._pause()
        elif error.status in (403, 404):
            self.problem, pause = self._refused(error), self._pace.refused_pause
        else:
            if self._failures > 1:  # the first cut is mended at once
                self.problem = f"The cluster does not answer: {error}"
            pause = self._pause()
        await self._sleep(pause)

    def _pause(self) -> float:
        longest = min(self._pace.longest_pause, self._pace.first_pause * 2.0 ** min(self._failures, 16))
        return random.uniform(0.5, 1.0) * longest  # noqa: S311

    def _refused(self, error: KubeError) -> str:
        group, plural = group_and_plural(self.kind)
        where = f"in namespace {self.namespace}" if self.namespace else "of the cluster"
        wanted = f'list and watch on {plural} (API group "{group}") {where}'
        if error.status == 404:
            return f"The cluster does not know {plural} (API group {group!r}): {error}"
        return (
            f"No permission: {error.message or error}. Grant {wanted} to the connection's user; "
            f"it is tried again every {self._pace.refused_pause:g} s."
        )
