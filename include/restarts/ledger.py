"""The ledger of one watch: the counts that it has seen and the restarts that it keeps, whatever becomes of the pods.

A decision is made from a fresh look and this ledger, so nothing is missed while nobody looked, and a pod that is
replaced, rescheduled or scaled neither takes its restarts along nor counts twice. It lives in a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.restarts.ended import ends_of
from include.restarts.facts import Restart, Role, within
from include.restarts.rollouts import why_not_counted
from include.restarts.sight import CLOCKS_DIFFER, Sight
from include.restarts.view import Object, View, container_statuses

KEEP_MINUTES = 60.0
"""Kept beyond the window, so that a clock that jumps ahead and comes back loses nothing."""
MOST_AT_ONCE = 100
"""Restarts of one container that one look can bring; a threshold is not above it."""
MORE_KEPT = 20
"""So many restarts of one container and cause are kept beyond the threshold: more decide nothing, and take up room."""
GONE_KEPT = 200
"""So many pods that are gone are remembered."""
LAGS = timedelta(minutes=5)
"""So far an API server's answer may lie behind. Later an older version is a cluster that was restored from a backup."""


class Known(BaseModel):
    """One pod as it was last seen. ``counts`` by container; ``offsets``: what was counted before a count fell back."""

    model_config = ConfigDict(extra="forbid")

    pod: str
    at: AwareDatetime
    gone_at: AwareDatetime | None = None
    version: str = ""
    counts: dict[str, int] = {}
    offsets: dict[str, int] = {}

    def last(self, container: str) -> int:
        """The number of the container's last restart."""
        return self.counts.get(container, 0) + self.offsets.get(container, 0)

    def offset(self, container: str, count: int) -> int:
        """So that numbers go on rising when the kubelet lost count (a container runtime that was reset)."""
        return self.offsets.get(container, 0) + max(0, self.counts.get(container, 0) - count)


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pods: dict[str, Known] = {}
    deployment: str = ""
    """Uid of the Deployment that was looked at last; what people know and what the upstream said is about that one."""
    restarts: list[Restart] = []
    alerts: dict[str, AwareDatetime] = {}
    asked_at: AwareDatetime | None = None
    clock: str = ""
    clock_at: AwareDatetime | None = None


class Ledger:
    """Counts and restarts of one watch.

    Args:
        window_minutes: the watch's window; decides what the first look at a pod can prove.
    """

    def __init__(self, window_minutes: float) -> None:
        self.window_minutes = window_minutes
        self.problem = ""
        """Why the kept counts could not be read; empty as a rule."""
        self._kept = _Kept()
        self._restarts: dict[tuple[str, str, int], Restart] = {}

    @classmethod
    def from_json(cls, text: str | None, window_minutes: float) -> Ledger:
        """The ledger that was kept; an empty one when there is none, or when it cannot be read (``problem`` says so)."""
        ledger = cls(window_minutes)
        if not text:
            return ledger
        try:
            ledger._kept = _Kept.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(each) for each in first["loc"])
            ledger.problem = (
                f"The kept counts cannot be read ({place + ': ' if place else ''}{first['msg']}): counting begins "
                "anew, with what the pods prove."
            )
        ledger._restarts = {each.key: each for each in ledger._kept.restarts}
        return ledger

    def to_json(self) -> str:
        """What is kept, as JSON."""
        self._kept.restarts = self.restarts
        return self._kept.model_dump_json(exclude_defaults=True)

    @property
    def restarts(self) -> list[Restart]:
        """All restarts that are kept, oldest first; pending ones and those that do not count are among them."""
        return sorted(self._restarts.values(), key=lambda each: (each.at, each.key))

    def in_window(self, now: datetime) -> list[Restart]:
        """The restarts of the last ``window_minutes`` that have happened, oldest first; also those that do not count."""
        return [each for each in self.restarts if not each.pending and within(each, now, self.window_minutes)]

    def new_restarts(self, view: View, now: datetime) -> list[Restart]:
        """Restarts (and ends that will lead to one) that this look shows for the first time. Changes nothing.

        Their cause is ``unknown``: whoever classifies them gives copies with the cause to ``record``. One whose cause
        was not found while it was pending comes again when it happens.
        """
        found: dict[tuple[str, str, int], Restart] = {}
        for pod in view.pods:
            known = self._known(pod)
            for state in _states(view, pod, known, now):
                for role, status in container_statuses(state):
                    for restart in self._shown(view, state, known, role, status, now):
                        kept = found.get(restart.key) or self._restarts.get(restart.key)
                        if kept is None:
                            found[restart.key] = restart
                        elif kept.pending and not restart.pending and kept.cause == "unknown":
                            found[restart.key] = kept.model_copy(update={"pending": False})
                if state is not pod:
                    known = _after(state, known, known.at if known else now)
        return list(found.values())

    def record(self, restarts: Iterable[Restart], view: View, now: datetime) -> bool:
        """Keep these restarts and the counts of this look. Returns whether there is something new to be written."""
        changed = self._watch_clock(now) | self._turn_to(view.uid)
        for restart in restarts:
            changed |= self._restarts.get(restart.key) != restart
            self._restarts[restart.key] = restart
        for pod in view.pods:
            known = self._known(pod)
            if known is None or not _older(pod, known, now):
                changed |= self._note(pod, known, now)
        there = {pod["metadata"].get("uid", "") for pod in view.pods}
        for uid, known in self._kept.pods.items():
            if uid not in there and known.gone_at is None:
                known.gone_at, changed = now, True
        return changed

    def prune(self, now: datetime, threshold: int = MOST_AT_ONCE) -> bool:
        """Forget what has left the window for good, and what is too much. Returns whether that has changed something.

        Args:
            now: the time of the look.
            threshold: the rule's, which says how many restarts decide.
        """
        keep = self.window_minutes + KEEP_MINUTES
        restarts = {
            key: each
            for key, each in self._restarts.items()
            if (within(each, now, keep) and not self._in_a_future_past(each, now)) or self._awaited(each)
        }
        restarts = _newest(restarts, most_kept(threshold))
        left = sorted(
            (each.gone_at, uid) for uid, each in self._kept.pods.items() if each.gone_at is not None
        )
        long_gone = {uid for at, uid in left if now - at > timedelta(minutes=keep)}
        gone = long_gone | {uid for _, uid in left[:-GONE_KEPT]}
        changed = restarts != self._restarts or bool(gone)
        self._restarts = restarts
        self._kept.pods = {uid: known for uid, known in self._kept.pods.items() if uid not in gone}
        return changed

    def alerted_at(self, kind: str) -> datetime | None:
        """When people were last told about this kind of thing."""
        return self._kept.alerts.get(kind)

    def note_alert(self, kind: str, now: datetime) -> None:
        """People have been told."""
        self._kept.alerts[kind] = now

    @property
    def asked_at(self) -> datetime | None:
        """When the upstream was last asked and found well."""
        return self._kept.asked_at

    def note_asked(self, now: datetime) -> None:
        """The upstream was asked, and it is well: restarts from before now are no reason to ask again."""
        self._kept.asked_at = now

    def clock_text(self, now: datetime) -> str:
        """What the clock did in the last window; empty as a rule."""
        at = self._kept.clock_at
        return self._kept.clock if at and now - at <= timedelta(minutes=self.window_minutes) else ""

    def _turn_to(self, deployment: str) -> bool:
        """Another Deployment than before: what was said of the one before says nothing of it."""
        if not deployment or deployment == self._kept.deployment:
            return False
        if self._kept.deployment:
            self._kept.alerts, self._kept.asked_at = {}, None
        self._kept.deployment = deployment
        return True

    def _watch_clock(self, now: datetime) -> bool:
        latest = max((known.at for known in self._kept.pods.values()), default=now)
        if latest <= now + CLOCKS_DIFFER:
            return False
        by = int((latest - now).total_seconds())
        self._kept.clock = (
            f"The clock went back by {by} s; what was noted before that counts for a window from then."
        )
        self._kept.clock_at = now
        for known in self._kept.pods.values():
            known.at = min(known.at, now)
            known.gone_at = known.gone_at and min(known.gone_at, now)
        return True

    def _in_a_future_past(self, restart: Restart, now: datetime) -> bool:
        """Whether it was noted before the clock went back, and that is a window ago: it would stay for too long."""
        at = self._kept.clock_at
        jumped = at is not None and now - at > timedelta(minutes=self.window_minutes)
        return jumped and restart.at > now + CLOCKS_DIFFER

    def _awaited(self, restart: Restart) -> bool:
        """Whether it is pending in a pod that is there: what ended long ago (an image that cannot be pulled) is no news."""
        known = self._kept.pods.get(restart.pod_uid)
        return restart.pending and known is not None and known.gone_at is None

    def _known(self, pod: Object) -> Known | None:
        return self._kept.pods.get(pod["metadata"].get("uid", ""))

    def _shown(
        self, view: View, pod: Object, known: Known | None, role: Role, status: Object, now: datetime
    ) -> Iterator[Restart]:
        """What a container's status shows beyond what is known: unseen restarts, the last one, a pending one."""
        ends, container, uid = ends_of(status), str(status.get("name", "")), pod["metadata"].get("uid", "")
        after = known.last(container) if known else 0
        last = ends.count + (known.offset(container, ends.count) if known else 0)
        yield from self._happened(uid, container, last)
        if last == after and ends.pending is None:
            return
        sight = Sight(pod, known.at if known else None, ends, now, self.window_minutes)

        def made(number: int, at: datetime, *, seen: bool = True, pending: bool = False) -> Restart:
            return Restart(
                pod=pod["metadata"]["name"],
                pod_uid=uid,
                deployment_uid=view.uid,
                container=container,
                role=role,
                number=number,
                at=at,
                seen=seen,
                pending=pending,
                not_before=None if seen else sight.since,
                not_counted=why_not_counted(view, pod, at),
            )

        for number in range(max(after + 1, last - MOST_AT_ONCE + 1), last):
            if sight.proves_earlier(number == last - 1):
                yield made(number, sight.earlier, seen=False)
        if last > after and sight.proves_last():
            yield made(last, sight.last, seen=(ends.led or ends.pending) is not None)
        if ends.pending is not None and _goes_on(pod, role, ends.pending):
            yield made(last + 1, sight.pending, pending=True)

    def _happened(self, uid: str, container: str, last: int) -> list[Restart]:
        """What was pending and, by the count, has happened."""
        return [
            each.model_copy(update={"pending": False})
            for each in self._restarts.values()
            if each.pending and (each.pod_uid, each.container) == (uid, container) and each.number <= last
        ]

    def _note(self, pod: Object, known: Known | None, now: datetime) -> bool:
        uid, after, flipped = pod["metadata"].get("uid", ""), _after(pod, known, now), False
        for container in after.counts:
            for each in self._happened(uid, container, after.last(container)):
                self._restarts[each.key] = each
                flipped = True
        self._kept.pods[uid] = after
        before = (known.counts, known.offsets, known.gone_at) if known else None
        return flipped or before != (after.counts, after.offsets, after.gone_at)


def most_kept(threshold: int) -> int:
    """How many restarts of one container and cause are kept."""
    return threshold + MORE_KEPT


def _newest(restarts: dict[tuple[str, str, int], Restart], most: int) -> dict[tuple[str, str, int], Restart]:
    """So many of each kind, the newest. What is pending is all kept: it would come back with the next look."""
    groups: dict[tuple[object, ...], list[Restart]] = {}
    for each in restarts.values():
        if not each.pending:
            kind = (each.deployment_uid, each.container, each.cause, each.seen, each.not_counted)
            groups.setdefault(kind, []).append(each)
    for some in groups.values():
        some.sort(key=lambda each: (each.at, each.key))
    dropped = {each.key for some in groups.values() for each in some[:-most]}
    return {key: each for key, each in restarts.items() if key not in dropped}


def _after(pod: Object, known: Known | None, now: datetime) -> Known:
    """What is known of a pod after a look at it."""
    version = str(pod["metadata"].get("resourceVersion", ""))
    after = Known(pod=pod["metadata"]["name"], at=now, version=version)
    if known is not None:
        after.counts, after.offsets = dict(known.counts), dict(known.offsets)
    for _, status in container_statuses(pod):
        container, count = str(status.get("name", "")), ends_of(status).count
        if offset := known.offset(container, count) if known else 0:
            after.offsets[container] = offset
        after.counts[container] = count
    return after


def _states(view: View, pod: Object, known: Known | None, now: datetime) -> list[Object]:
    """The states of a pod that are new, oldest first. A pod that is not known yet has the one of now."""
    if known is None:
        return [pod]
    passed = view.passed.get(pod["metadata"].get("uid", ""), ())
    new = [each for each in passed if _version(each) > (_version(known) or _version(each))]
    return new if _older(pod, known, now) else [*new, pod]


def _older(pod: Object, known: Known, now: datetime) -> bool:
    """Whether this is an older state of the pod than the one that is known (an API server that lags behind)."""
    return now - known.at < LAGS and 0 < _version(pod) < _version(known)


def _version(of: Object | Known) -> int:
    """A resourceVersion as a number, which rises within a cluster; 0 when it is none."""
    text = of.version if isinstance(of, Known) else str(of["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


def _goes_on(pod: Object, role: Role, end: Object) -> bool:
    """Whether the kubelet will start the container again after this end."""
    over = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    if over or pod["metadata"].get("deletionTimestamp"):
        return False
    return not (role == "init" and end.get("exitCode") == 0)
