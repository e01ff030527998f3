"""Watching one Deployment: what the hub shows is counted, explained, kept and decided on, until there is something to do."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster
from include.restarts.decision import Decision, decide, restarts_that_count
from include.restarts.doubts import Doubts
from include.restarts.explaining import explained
from include.restarts.facts import Restart
from include.restarts.hub import QUIET_SECONDS, Seat
from include.restarts.ledger import Ledger
from include.restarts.saying import Say, Saying
from include.restarts.state import AsyncKeeper, Conflict, Kept
from include.restarts.view import View
from include.restarts.watched import WatchSpec

LOOK_AGAIN_SECONDS = 0.4
"""... while a cause may still be found."""
BLIND_SECONDS = 60.0
"""A look so long ago is too old to say at the end that nothing happened."""


class Watcher:
    """Watches one Deployment from a seat at the hub.

    Args:
        spec: what is watched, and by which rules.
        seat: a seat at the hub of its namespace.
        say: receives lines for on-call.
        until: when to end with nothing found; None: never.
    """

    def __init__(self, spec: WatchSpec, seat: Seat, say: Say, *, until: datetime | None = None) -> None:
        self.spec, self.seat, self._until = spec, seat, until
        self._saying = Saying(say)
        self._kept: Kept | None = None
        self._unsaved = False
        self._doubts = Doubts()
        self._troubled = ""
        """What was wrong in this look."""

    async def follow(self) -> dict[str, Any]:
        """Wait until there is something to do: the decision as plain values, and ``decided_at``.

        The action is ``press``, ``ask_upstream`` or ``alert``; when the time is up ``quiet``, or ``blind`` when the
        Deployment is not there or could not be seen.
        """
        place = f"{self.spec.namespace}/{self.spec.deployment}"
        self._saying.once(f"Watching {place} through the connection {self.spec.connection}.")
        last, seen_at = None, 0.0
        while True:
            await self.seat.news(self._patience())
            decision = await self._look()
            if decision is not None and decision.action != "wait":
                return self._found(decision)
            if decision is not None and not self.seat.blind:
                last, seen_at = decision, time.monotonic()
            if self._until is not None and datetime.now(UTC) >= self._until:
                return self._over(last if time.monotonic() - seen_at < BLIND_SECONDS else None)

    async def _look(self) -> Decision | None:
        """Decide on what is known now; None while nothing is."""
        self._saying.begin()
        self._troubled = ""
        if self.seat.problem:
            self._saying.trouble(self.seat.problem)
        for note in self.seat.notes:
            self._saying.once(f"Less is seen than could be: {note}")
        view, cluster = self.seat.view, self.seat.cluster
        if view is None or cluster is None:
            if self.seat.problem:
                self.seat.failed(self.seat.problem)
            return None
        keeper = AsyncKeeper(cluster, self.spec.namespace, self.spec.name, self.spec.window_minutes)
        try:
            if self._kept is None:
                self._kept = await self._read(keeper)
            decision = await self._decide(view, cluster, self._kept.ledger)
            await self._write(keeper, self._kept)
        except Conflict:
            # Another triggerer that runs this watch too, or a task: what it wrote is read, and looked at again.
            self._kept, self._unsaved = None, False
            self.seat.changed.set()
            return None
        except KubeError as error:
            self._trouble(f"The kept counts cannot be read: {error}")
            self.seat.failed(self._troubled)
            return None
        self.seat.decided(self._troubled)
        if decision.action in ("ask_upstream", "alert") and self._doubts.any():
            return None
        self._saying.news(decision.text)
        return decision

    async def _decide(self, view: View, cluster: AsyncCluster, ledger: Ledger) -> Decision:
        now = datetime.now(UTC)
        found = ledger.new_restarts(view, now)
        found += self._doubts.among(ledger.restarts, view, {each.key for each in found})
        happened = [each for each in found if not each.pending]
        await self._explain(view, cluster, ledger, happened, now)
        self._unsaved |= ledger.prune(now, self.spec.threshold)
        decision = decide(self.spec, ledger, view, now, begun_at=self.spec.begun_at)
        if decision.action == "wait" and len(found) > len(happened):
            # What is no restart yet decides nothing: its cause is found while the kubelet waits.
            await self._explain(view, cluster, ledger, [each for each in found if each.pending], now)
        return decision

    async def _explain(
        self, view: View, cluster: AsyncCluster, ledger: Ledger, found: list[Restart], now: datetime
    ) -> None:
        """Find the causes of these, and keep them."""
        if found:
            found = await explained(cluster, view, found)
            self._doubts.note(found, view)
        # What was not seen now proves nothing of now: the counts stay those of the look before.
        if found or not self.seat.blind:
            self._unsaved |= ledger.record(found, view, now)

    async def _read(self, keeper: AsyncKeeper) -> Kept:
        try:
            return await keeper.read()
        except KubeError as error:
            if error.status != 403:
                raise
            self._trouble(
                f"No permission: {error.message} Without get, create and update on configmaps in namespace "
                f"{self.spec.namespace} restarts are counted in memory only, and again after a restart of the triggerer."
            )
            return Kept(Ledger(self.spec.window_minutes))

    async def _write(self, keeper: AsyncKeeper, kept: Kept) -> None:
        """Keep the ledger. When that fails the decision stands all the same: it is tried again with the next look."""
        if not self._unsaved:
            return
        try:
            await keeper.write(kept)
            self._unsaved = False
        except KubeError as error:
            self._trouble(f"The counts cannot be kept for now: {error}")

    def _trouble(self, text: str) -> None:
        """Say what is wrong, in the log and with the next sign of life."""
        self._troubled = text
        self._saying.trouble(text)

    def _patience(self) -> float:
        if self._doubts.any():
            return LOOK_AGAIN_SECONDS
        if self._until is None:
            return QUIET_SECONDS
        left = (self._until - datetime.now(UTC)).total_seconds()
        return min(QUIET_SECONDS, max(0.05, left))

    def _found(self, decision: Decision) -> dict[str, Any]:
        return {**decision.model_dump(mode="json"), "decided_at": datetime.now(UTC).isoformat()}

    def _counted(self, view: View | None) -> list[Restart]:
        if self._kept is None or view is None:
            return []
        ledger, begun_at = self._kept.ledger, self.spec.begun_at
        found = restarts_that_count(self.spec, ledger, view, datetime.now(UTC), begun_at=begun_at)
        return sorted((each for some in found.values() for each in some), key=lambda each: each.at)

    def _over(self, last: Decision | None) -> dict[str, Any]:
        """The time is up. Nothing was found; or nobody could have found anything, which is no good news."""
        place = f"{self.spec.namespace}/{self.spec.deployment}"
        view = self.seat.view
        if last is None or view is None:
            action, text = "blind", f"{place} could not be seen: {self.seat.problem or 'no answer yet'}"
        elif view.deployment is None:
            action, text = "blind", last.text
        else:
            action, text = "quiet", f"Nothing to do until now: {last.text}"
        self._saying.news(text)
        kept = self._counted(view)
        return {
            "action": action,
            "text": text,
            "counts": last.counts if last else {},
            "restarts": [each.model_dump(mode="json") for each in kept],
            "crossed_at": None,
            "decided_at": datetime.now(UTC).isoformat(),
        }
