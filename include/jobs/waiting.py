"""Waiting for a Job's end in an event loop: its log line by line, what holds it up, how it ended."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from include.jobs.carrying import ENDS_WITHIN, EVENTS_AFTER, SAYS_WITHIN
from include.jobs.ending import TAIL, Ended
from include.jobs.place import Place
from include.jobs.state import (
    event_problem,
    exit_code,
    exit_text,
    has_started,
    is_running,
    job_state,
    pod_problem,
)
from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster

POLL_SECONDS = 1.0
LOST_AFTER = 300.0
"""Seconds without an answer of the cluster after which the wait is given up. The Job goes on; a retry finds it."""

SILENCE = 60.0
"""Seconds without a line after which the Job is looked at: a connection may be dead without a word."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Awaited:
    """The Job that is waited for.

    Attributes:
        namespace: where it is.
        job: its name.
        container: whose log and exit code count.
        seconds: its time limit.
        start_grace: see ``Load``.
        place_grace: see ``Load``.
    """

    namespace: str
    job: str
    container: str
    seconds: int
    start_grace: float
    place_grace: float


class Wait:
    """One wait. It has no state that matters: another one goes on where the Job is by then."""

    def __init__(self, cluster: AsyncCluster, awaited: Awaited, say: Say) -> None:
        self.cluster, self.awaited, self.say = cluster, awaited, say
        self._began = time.monotonic()
        self._answered = self._began
        self._trouble_since: float | None = None
        self._lines: deque[str] = deque(maxlen=TAIL)
        self._place = Place()
        self._read = False

    async def end(self) -> Ended:
        """The Job's end, or why none is waited for any longer."""
        while True:
            try:
                found = await self._look()
                self._answered = time.monotonic()
            except KubeError as error:
                found = self._refused(error)
            if found is not None:
                return replace(found, seconds=time.monotonic() - self._began)
            await asyncio.sleep(POLL_SECONDS)

    def _refused(self, error: KubeError) -> Ended | None:
        if error.transient and time.monotonic() - self._answered < LOST_AFTER:
            return None
        return self._ended("lost", str(error))

    async def _look(self) -> Ended | None:
        awaited = self.awaited
        # The Job before its pods: a short one may start and end between the two questions.
        job = await self.cluster.get("Job", awaited.namespace, awaited.job)
        if job is None:
            return self._ended("gone")
        state = job_state(job)
        pods = await self.cluster.items("Pod", awaited.namespace, labels=f"job-name={awaited.job}")
        begun = next((pod for pod in pods if has_started(pod, awaited.container)), None)
        if begun is not None and not self._read:
            await self._follow(begun)
            return None
        if state.phase == "complete":
            return await self._over("complete", "", pods)
        if state.phase == "failed":
            return await self._over("failed", state.reason, pods)
        if begun is None and (stuck := await self._stuck(pods)):
            return self._ended("stuck", stuck)
        if time.monotonic() - self._began > awaited.seconds + ENDS_WITHIN:
            return self._ended("late", "has not ended" if begun else "did not start")
        return None

    async def _follow(self, pod: dict[str, Any]) -> None:
        """Say the log's lines to its end. A stream that breaks off, or is silent, is opened again by the next look."""
        awaited = self.awaited
        name = str(pod["metadata"]["name"])
        stream = self.cluster.follow_log(
            awaited.namespace, name, awaited.container, timeout=SILENCE, since=self._place.since
        )
        self._place.begin()
        before = self._place.taken
        try:
            async for stamped in stream:
                line = self._place.take(stamped)
                if line is not None:
                    self._lines.append(line)
                    self.say(f"    {line}")
        except KubeError as error:
            if error.transient:
                return
        finally:
            await stream.aclose()
        # With new lines it is not known whether the stream ended before its container did: what is there beyond?
        self._read = await self._has_ended(name) and self._place.taken == before

    async def _has_ended(self, pod: str) -> bool:
        """Whether a log that came to its end has one; its node says a bit later that its container has ended."""
        patience = time.monotonic() + SAYS_WITHIN
        while is_running(await self.cluster.get("Pod", self.awaited.namespace, pod), self.awaited.container):
            if time.monotonic() > patience:
                return False
            await asyncio.sleep(min(POLL_SECONDS, SAYS_WITHIN / 10))
        return True

    async def _stuck(self, pods: list[dict[str, Any]]) -> str:
        """What has kept the pod from starting for too long; empty as long as it may."""
        awaited = self.awaited
        trouble, grace = next(filter(None, map(pod_problem, pods)), ""), awaited.start_grace
        if not trouble and time.monotonic() - self._began > EVENTS_AFTER:
            trouble, grace = await self._told_by_events(pods), awaited.place_grace
        if not trouble:
            self._trouble_since = None
            return ""
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
            self.say(f"Job {awaited.job} does not start: {trouble}; waiting {grace:g} s for that to pass")
        return trouble if time.monotonic() - self._trouble_since > grace else ""

    async def _told_by_events(self, pods: list[dict[str, Any]]) -> str:
        about = pods[0]["metadata"]["name"] if pods else self.awaited.job
        try:
            events = await self.cluster.items(
                "Event", self.awaited.namespace, fields=f"involvedObject.name={about}"
            )
        except KubeError as error:
            if error.transient:
                raise
            return ""  # who may not read them learns it from the time that it takes
        return event_problem(events)

    async def _over(self, phase: Any, reason: str, pods: list[dict[str, Any]]) -> Ended:
        """The end, with the log's last lines read anew: the stream may have missed some."""
        lines = list(self._lines)
        for pod in pods:
            try:
                name = pod["metadata"]["name"]
                text = await self.cluster.log(self.awaited.namespace, name, self.awaited.container, tail=TAIL)
            except KubeError:
                continue
            lines = text.splitlines() or lines
            break
        ended = next(filter(None, map(exit_text, pods)), "")
        return Ended(self.awaited.job, phase, reason, ended, exit_code(pods), lines)

    def _ended(self, phase: Any, reason: str = "") -> Ended:
        return Ended(self.awaited.job, phase, reason, lines=list(self._lines))
