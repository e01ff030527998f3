"""One change at a time to an app in its environment: a Lease in the cluster, held by a DAG run.

A run is not a process: it holds while it waits for an approval, and no timer takes the lock from it. Somebody else
gets it only when the run has ended or is gone. Every write carries the resourceVersion of what it was decided on,
so of two that decide at once one is refused by the API server, reads again and decides again.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from include.release.kube import Cluster, KubeError
from include.release.lease import (
    Changed,
    Journal,
    LockState,
    lease_time,
    reached_state,
    read_lease,
    written,
)
from include.release.problems import Problem, RejectedError
from include.release.texts import moment, noted_time

TRIES = 40
"""Each is lost to another write that got through; so many in a row means that something else is wrong."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""A noted time that lies further ahead than this was written by a clock that was wrong."""

How = Literal["taken", "already held", "taken back", "taken over", "broken"]


@dataclass(frozen=True)
class Holder:
    """The run that wants the lock. ``run`` is ``dag_id/run_id``; ``requested_at`` stays the same when it is cleared."""

    run: str
    kind: str
    user: str = ""
    requested_at: str = ""
    url: str = ""
    release: str = ""
    spec_digest: str = ""


@dataclass(frozen=True)
class RunFate:
    """What became of a run: its state in words, and whether it keeps its lock."""

    state: str
    holds: bool


AskRun = Callable[[Journal], RunFate]


@dataclass(frozen=True)
class Taken:
    """How the lock was got, from which state, and the interrupted runs that this one goes on from."""

    how: How
    before: LockState
    after: LockState
    notices: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[Journal, ...]:
        """Interrupted runs, newest last."""
        return self.after.left


@dataclass(frozen=True)
class Given:
    """What giving the lock back found.

    ``last`` is False when another run has had the lock since; ``clean`` when every change that was begun has led to a
    state that a step has seen. Both are judged from the journal, so they are the same when it is done again.
    """

    last: bool
    clean: bool
    state: LockState


class HeldError(RejectedError):
    """Another run holds the lock, or has had it later."""


@dataclass
class LeftHalfWayError(Exception):
    """The lock could be had, but a run before this one was interrupted half-way (newest last)."""

    left: tuple[Journal, ...]

    def __str__(self) -> str:
        return f"interrupted half-way: {', '.join(each.run for each in self.left)}"


class Lock:
    """The release lock of one app in one namespace. Methods raise RejectedError and KubeError."""

    def __init__(
        self, cluster: Cluster, namespace: str, app: str, *, now: Callable[[], datetime] | None = None
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.app = app
        self.name = f"release-lock-{app}"
        self._now = now or (lambda: datetime.now(UTC))

    def read(self) -> LockState:
        """Who holds it, and what the last run left."""
        with self._clear_errors():
            return read_lease(self.cluster.get("Lease", self.namespace, self.name))

    def take(self, holder: Holder, ask: AskRun, *, go_on: bool = False, break_reason: str = "") -> Taken:
        """Take the lock, or find that this run has it already.

        Args:
            holder: who wants it.
            ask: what became of the run that holds it.
            go_on: take it although a run before was interrupted half-way.
            break_reason: take it even from a run that has not ended; whether the user may is checked before.

        Raises:
            HeldError: a run that has not ended holds it, or a later run than this one has changed something.
            LeftHalfWayError: a run was interrupted half-way, and ``go_on`` is not given.
        """
        result: list[Taken] = []

        def decide(state: LockState) -> LockState:
            result[:] = [self._taken(state, holder, ask, go_on=go_on, break_reason=break_reason)]
            return result[0].after

        self._change(decide)
        return result[0]

    def require(
        self, holder: Holder, ask: AskRun, stage: str, *, saved_state: str = "", go_on: bool = False
    ) -> Taken:
        """Make sure before a change that this run holds the lock, and note which change begins.

        A run whose task was cleared after its end takes a free lock again, unless a later run has changed something.
        Raises as ``take`` does.
        """
        result: list[Taken] = []

        def decide(state: LockState) -> LockState:
            taken = self._taken(state, holder, ask, go_on=go_on)
            result[:] = [taken]
            journal = replace(taken.after.journal, stage=stage, reached="", saved_state=saved_state)
            changed = Changed(holder.run, holder.requested_at, holder.release)
            return replace(taken.after, journal=journal, changed=changed)

        self._change(decide)
        return result[0]

    def reach(self, holder: Holder, reached: str) -> bool:
        """Note that a step has seen where this run's changes led; nothing is left over from runs before it then.

        Returns False, and writes nothing, when another run has had the lock since.
        """
        result: list[bool] = []

        def decide(state: LockState) -> LockState | None:
            result[:] = [state.journal.run == holder.run and state.holder in ("", holder.run)]
            return reached_state(state, reached) if result[0] else None

        self._change(decide)
        return result[0]

    def release(self, holder: Holder) -> Given:
        """Give the lock back; the journal stays. Nothing is written when this run does not hold it."""
        result: list[Given] = []

        def decide(state: LockState) -> LockState | None:
            clean = not state.journal.unfinished and not state.left
            result[:] = [Given(state.journal.run == holder.run, clean, state)]
            mine = state.holder == holder.run
            return replace(state, holder="", acquired="", broken="") if mine else None

        self._change(decide)
        return result[0]

    def _taken(
        self, state: LockState, holder: Holder, ask: AskRun, *, go_on: bool, break_reason: str = ""
    ) -> Taken:
        if state.holder == holder.run:
            return Taken(
                "already held", state, replace(state, journal=_journal(state, holder, state.acquired))
            )
        how: How = "taken back" if state.journal.run == holder.run else "taken"
        broken = ""
        if state.holder:
            fate = self._fate(state, ask)
            if fate.holds and not break_reason:
                raise self._held(state, fate.state)
            how = "broken" if fate.holds else "taken over"
            if fate.holds:
                broken = (
                    f"taken from {state.holder} ({fate.state}) by {holder.user or 'nobody'}, "
                    f"{moment(lease_time(self._now()))}: {break_reason}"
                )
        notices = self._order(state, holder)
        left = tuple(each for each in state.left if each.run != holder.run)
        if state.journal.run != holder.run:
            left += (state.journal,) if state.journal.unfinished else ()
            if left and not go_on:
                raise LeftHalfWayError(left)
        since = lease_time(self._now())
        after = replace(
            state,
            holder=holder.run,
            acquired=since,
            journal=_journal(state, holder, since),
            left=left,
            broken=broken,
        )
        return Taken(how, state, after, notices)

    def _fate(self, state: LockState, ask: AskRun) -> RunFate:
        if state.journal.run != state.holder:
            return RunFate("written into the Lease by hand, so it is respected", holds=True)
        return ask(state.journal)

    def _order(self, state: LockState, holder: Holder) -> tuple[str, ...]:
        """Refuse a run that a later one has overtaken; returns what could not be compared."""
        changed = state.changed
        if not changed.run or changed.run == holder.run:
            return ()
        theirs, mine = noted_time(changed.requested_at), noted_time(holder.requested_at)
        if theirs is None or mine is None or theirs <= mine:
            return ()
        if theirs > self._now() + CLOCKS_DIFFER:
            return (
                f"Run {changed.run} is noted as requested at {moment(changed.requested_at)}, which is in the future: "
                "a clock was wrong. The order of the two runs is not compared.",
            )
        problem = Problem(
            f"namespace {self.namespace}",
            f"Lease {self.name}",
            f"{changed.release or 'a change'}, by run {changed.run}, requested at {theirs.isoformat()}",
            f"nothing from a run later than this one ({holder.run}, requested at {mine.isoformat()})",
            "trigger a new run of the release that you want",
            why="a task of an old run would put its old release back over the later one",
        )
        raise HeldError([problem], subject=f"the order of runs of {self.app}", changed=_UNCHANGED)

    def _held(self, state: LockState, fate: str) -> HeldError:
        by = state.holding
        found = f"held by {described(by, fate)} since {moment(state.acquired)}"
        if state.broken:
            found += f"; it was {state.broken}"
        look = f": {by.url}" if by.url else ""
        problem = Problem(
            f"namespace {self.namespace}",
            f"Lease {self.name}",
            found,
            "a free lock, or one whose run has ended",
            f"let that run end, or mark it failed{look}; then trigger again. If it cannot be ended: trigger with the "
            "param break_lock and a reason (who may approve in this environment may)",
            why=f"one release or rollback of {self.app} at a time; a run that waits for its approval holds the lock too",
        )
        return HeldError([problem], subject=f"the lock of {self.app}", changed=_UNCHANGED)

    def _change(self, decide: Callable[[LockState], LockState | None]) -> LockState:
        """Read, decide and write, until the write was decided on what was there. None writes nothing."""
        for attempt in itertools.count(1):
            state = self.read()
            wanted = decide(state)
            if wanted is None:
                return state
            lease = written(wanted, self.app, self.namespace, self.name, self._now())
            try:
                with self._clear_errors():
                    write = self.cluster.create if state.lease is None else self.cluster.replace
                    return read_lease(write(lease, self.namespace).object)
            except KubeError as error:
                # Also 404: somebody deleted the Lease between reading and writing.
                if error.status not in (404, 409) or attempt == TRIES:
                    raise
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311  only to keep contenders apart
        raise AssertionError  # the loop has no other end

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except KubeError as error:
            if problem := self._problem(error):
                raise RejectedError(
                    [problem], subject=f"the lock of {self.app}", changed=_UNCHANGED
                ) from None
            raise

    def _problem(self, error: KubeError) -> Problem | None:
        gone = error.status == 404 and "namespaces" in error.message
        if gone or "being terminated" in error.message:
            found = "absent" if gone else "being deleted"
            fix = "make the namespace, or correct it in include/config/environments.yaml"
            return Problem(f"namespace {self.namespace}", "", found, "an active namespace", fix)
        if error.status == 403:
            return Problem(
                f"namespace {self.namespace}",
                f"Lease {self.name}",
                error.message,
                "permission to get, create and update leases (coordination.k8s.io)",
                f"give the connection's user a Role with it in namespace {self.namespace}",
            )
        return None


_UNCHANGED = "This task has changed nothing."


def _journal(state: LockState, holder: Holder, since: str) -> Journal:
    """The journal of a run that gets the lock: its own from before, if it had begun something."""
    own = [each for each in (*state.left, state.journal) if each.run == holder.run]
    before = own[-1] if own else Journal()
    return replace(before, **{**asdict(holder), "since": since})


def described(by: Journal, fate: str = "") -> str:
    """A run as texts name it: ``release/run-1 (release release-2, asked for by oncall, running)``."""
    what = " ".join(part for part in (by.kind, by.release) if part)
    who = f"asked for by {by.user}" if by.user else ""
    detail = ", ".join(part for part in (what, who, fate) if part)
    return f"{by.run} ({detail})" if detail else by.run
