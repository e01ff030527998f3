"""Following a rollout: woken by watches, judged from whole lists, given up when it cannot succeed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.release.diagnosis import AROUND, Trouble, troubles
from include.release.environments import RolloutPolicy
from include.release.frozen import LABEL_APP
from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster
from include.release.report import rollout_failure
from include.release.rollout import Snapshot, Verdict, judge

QUIET_SECONDS = 5.0
"""A look at the state at least this often: back-off and grace times pass without a change."""
SLOW_START_SECONDS = 10.0
SETTLE_SECONDS = 0.2
"""Changes come in bursts; one look is for all of them."""


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended; ``text`` is for on-call."""

    complete: bool
    text: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    around: bool = False
    """It failed by something around the program (see ``diagnosis.AROUND``)."""


class Follower:
    """Follows the Deployments of one release until each is complete or one has failed.

    Args:
        cluster: where they are.
        namespace: their namespace.
        app: the app label of the release.
        names: the Deployments.
        policy: when to give up.
        say: receives a line whenever the state changes.
        what_now: what on-call does when it fails; by default what holds for a release; empty when the caller says it.
    """

    def __init__(
        self,
        cluster: AsyncCluster,
        namespace: str,
        app: str,
        names: list[str],
        title: str,
        policy: RolloutPolicy,
        say: Callable[[str], None],
        what_now: str | None = None,
    ) -> None:
        self.cluster, self.namespace, self.app, self.names = cluster, namespace, app, names
        self.title, self.policy, self.say = title, policy, say
        self.what_now = what_now
        self._since: dict[str, float] = {}
        self._said: dict[str, str] = {}

    async def follow(self) -> Outcome:
        """Wait for the end. Raises KubeError when the cluster does not answer for a minute."""
        changed = asyncio.Event()
        selector = f"{LABEL_APP}={self.app}"
        watches = [
            asyncio.create_task(self._watch("Deployment", selector, changed)),
            asyncio.create_task(self._watch("Pod", "", changed)),
        ]
        deadline = time.monotonic() + self.policy.timeout_seconds
        silent_since: float | None = None
        try:
            while True:
                changed.clear()
                try:
                    outcome = await self.look(time.monotonic() > deadline)
                    silent_since = None
                except KubeError as error:
                    silent_since = silent_since or time.monotonic()
                    if not error.transient or time.monotonic() - silent_since > 60:
                        raise
                    self.say(f"The cluster does not answer for now: {error}")
                    outcome = None
                if outcome is not None:
                    return outcome
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), QUIET_SECONDS)
                    await asyncio.sleep(SETTLE_SECONDS)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def look(self, late: bool = False) -> Outcome | None:
        """One look at the state: its outcome, or None while it is going on."""
        snapshot = await self.snapshot()
        verdicts = [judge(snapshot.deployment(name), name) for name in self.names]
        for name, verdict in zip(self.names, verdicts, strict=True):
            self._tell(name, verdict.text)
        if all(verdict.phase == "complete" for verdict in verdicts):
            return Outcome(True, f"Rolled out: {self.title}", self._rows(snapshot))
        found = self._troubles(snapshot, verdicts)
        for trouble in found:
            # A new container is not ready for its first seconds; that is no news.
            if trouble.cause != "probe" or self._lasted(trouble) > SLOW_START_SECONDS:
                self._tell(trouble.key + trouble.pod, f"seen: {trouble.text}")
        hopeless = [trouble for trouble in found if self._is_over(trouble)]
        if hopeless or late or any(verdict.phase == "failed" for verdict in verdicts):
            telling = [*hopeless, *found]
            around = bool(telling) and telling[0].cause in AROUND
            return Outcome(False, await self._explain(snapshot, verdicts, telling), around=around)
        return None

    async def snapshot(self) -> Snapshot:
        """The state of now."""
        deployments, replica_sets, pods, events = await asyncio.gather(
            self.cluster.items("Deployment", self.namespace),
            self.cluster.items("ReplicaSet", self.namespace),
            self.cluster.items("Pod", self.namespace),
            self.cluster.items("Event", self.namespace),
        )
        ours = [each for each in deployments if each["metadata"]["name"] in self.names]
        return Snapshot(ours, replica_sets, pods, events)

    async def _watch(self, kind: str, labels: str, changed: asyncio.Event) -> None:
        while True:
            try:
                async with contextlib.aclosing(
                    self.cluster.changes(kind, self.namespace, labels=labels)
                ) as changes:
                    async for _ in changes:
                        changed.set()
            except KubeError:
                await asyncio.sleep(1)
            await asyncio.sleep(0.1)

    def _tell(self, key: str, text: str) -> None:
        if self._said.get(key) != text:
            self._said[key] = text
            self.say(text)

    def _troubles(self, snapshot: Snapshot, verdicts: list[Verdict]) -> list[Trouble]:
        found: list[Trouble] = []
        for deployment in snapshot.deployments:
            verdict = verdicts[self.names.index(deployment["metadata"]["name"])]
            if verdict.phase != "complete":
                found += troubles(snapshot, deployment, self.policy)
        keys = {trouble.key for trouble in found}
        self._since = {key: self._since.get(key, time.monotonic()) for key in keys}
        return found

    def _is_over(self, trouble: Trouble) -> bool:
        return trouble.grace_seconds is not None and self._lasted(trouble) >= trouble.grace_seconds

    def _lasted(self, trouble: Trouble) -> float:
        return time.monotonic() - self._since[trouble.key]

    def _rows(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        return [
            {
                "deployment": each["metadata"]["name"],
                "revision": (each["metadata"].get("annotations") or {}).get(
                    "deployment.kubernetes.io/revision", ""
                ),
                "pods": len(snapshot.new_pods(each)),
            }
            for each in snapshot.deployments
        ]

    async def _explain(self, snapshot: Snapshot, verdicts: list[Verdict], found: list[Trouble]) -> str:
        unique = list(dict.fromkeys(found))
        logs: dict[tuple[str, str], str] = {}
        for trouble in unique:
            key = (trouble.pod, trouble.container)
            if trouble.cause in ("crash loop", "probe") and key not in logs and len(logs) < 2:
                logs[key] = await self._log(trouble)
        return rollout_failure(self.title, verdicts, unique, snapshot, logs, self.what_now)

    async def _log(self, trouble: Trouble) -> str:
        for previous in (trouble.previous, not trouble.previous):
            with contextlib.suppress(KubeError):
                text = await self.cluster.log(
                    self.namespace, trouble.pod, trouble.container, previous=previous
                )
                if text.strip():
                    return text
        return ""
