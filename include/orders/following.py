"""Following one batch: its log is judged as it is written, and a batch that fails at everything is stopped early."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from include.jobs.carrying import Carrier, SuspendedError
from include.jobs.ending import JobError
from include.jobs.load import Load
from include.jobs.state import job_state
from include.orders.attributing import settled
from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.orders.facts import BatchEnd, Judgement, Kept
from include.orders.judging import Judge, Stop
from include.orders.ran import NOTE_ENDED, Ended, Json, ended_of, notes_of, started_at
from include.release.batches import SPARE_SECONDS, held_by, is_at_work
from include.release.kube import Cluster, KubeError
from include.release.texts import noted_time
from include.restarts.redact import beginning, redact

MOST_SAID = 2000
"""Lines of a log that are all repeated in the task log. Then ever fewer: a log that never ends does not fill it."""
MOST_SHOWN = 500
"""Characters of a line that are."""
FEWER = 1.05
"""The next line that is repeated is so many times as far from the log's beginning: of a billion lines some 2,300 are."""
ASK_AGAIN_SECONDS = 5.0
"""A stop that the database does not confirm is asked about again after so long."""
CLOCKS_DIFFER = timedelta(seconds=5)

KeptSince = Callable[[datetime], Kept]


class Follower:
    """Follows the batches of one run.

    Args:
        cluster: where.
        namespace: in which.
        orders: the configuration.
        known: what errors mean.
        at_a_time: orders in work at once.
        kept: what the database keeps of errors since a moment.
        say: receives every line that on-call should read.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        orders: Orders,
        known: OrderErrors,
        at_a_time: int,
        kept: KeptSince,
        say: Callable[[str], None],
    ) -> None:
        self.cluster, self.namespace, self.orders, self.known = cluster, namespace, orders, known
        self.at_a_time, self.kept, self.say = at_a_time, kept, say

    def follow(self, job: Json, number: int) -> Ended:
        """A started batch to its end. Raises KubeError; a retry follows it from its log's first line again."""
        name, began = str(job["metadata"]["name"]), started_at(job)
        log = _Log(self, name, began)
        load = Load(
            job,
            label=f"batch {number}",
            title="processes orders",
            subject="The order batch",
            what_now="the next run goes on with what is left; look at Job {job}",
            gone="The next run goes on with what is left.",
            cannot_start="put the cause right; the next run tries again, or run order_processor by hand",
            silence=self.orders.errors.silent_minutes * 60.0,
        )
        how = ""
        try:
            Carrier(self.cluster, self.namespace, self.say).follow(
                load, name, on_line=log.line, on_silence=log.silence
            )
            end = BatchEnd(end="complete", job=name)
        except SuspendedError as suspended:
            self._wait_for_pods(name, load)
            if noted := ended_of(suspended.job):
                end = noted.end
            else:
                by = held_by(suspended.job)
                how = "held" if by else ""
                end = BatchEnd(
                    end="stopped",
                    reason=f"it gave way to {by}" if by else "somebody suspended its Job",
                    job=name,
                    by_hand=not by,
                )
        except JobError as error:
            end = self._end_of(error, name)
        seconds = end.seconds or self._lasted(name, began)
        judgement = self._settled(log.judge.judgement(), began)
        ended = Ended(
            end=end.model_copy(update={"seconds": seconds}), judgement=judgement, how="held" if how else ""
        )
        self._note(name, ended)
        return ended

    def confirmed(self, stop: Stop, judge: Judge, began: datetime) -> Judgement | None:
        """What is known when a batch should stop; None when the database knows better than its log."""
        judgement = self._settled(judge.judgement(), began)
        return judgement if judgement.verdict == stop.verdict else None

    def stop(self, name: str, stop: Stop, judgement: Judgement, began: datetime) -> None:
        """Stop a batch: it finishes what it has in work. Why is written with it, in one request."""
        seconds = round((datetime.now(UTC) - began).total_seconds(), 1)
        end = BatchEnd(end="stopped", reason=stop.text, seconds=max(0.0, seconds), job=name)
        note = Ended(end=end, judgement=judgement).note()
        self.say(f"Stopping Job {name}: {stop.text}")
        change = {"metadata": {"annotations": {NOTE_ENDED: note}}, "spec": {"suspend": True}}
        self.cluster.patch("Job", self.namespace, name, change)

    def _settled(self, judgement: Judgement, began: datetime) -> Judgement:
        kept = self.kept(began - CLOCKS_DIFFER)
        return settled(judgement, kept, self.orders.errors.systemic_orders, self.known)

    def _end_of(self, error: JobError, name: str) -> BatchEnd:
        text = str(error)
        if error.phase in ("stuck", "late"):
            return BatchEnd(end="not started", reason=_first_line(text), job=name)
        if error.phase == "gone":
            return BatchEnd(end="stopped", reason="somebody deleted its Job", job=name, by_hand=True)
        job = self.cluster.get("Job", self.namespace, name)
        reason = job_state(job).reason if job else ""
        if reason.startswith("DeadlineExceeded"):
            return BatchEnd(end="timeout", reason="its time was over", job=name)
        said = f"exit code {error.exit_code}" if error.exit_code is not None else reason
        return BatchEnd(end="failed", reason=said, exit_code=error.exit_code, job=name)

    def _lasted(self, name: str, began: datetime) -> float:
        """Seconds from a batch's start to its end, whoever has followed it; to now where the cluster does not say."""
        status = (self.cluster.get("Job", self.namespace, name) or {}).get("status") or {}
        ended = noted_time(str(status.get("completionTime") or "")) or datetime.now(UTC)
        return round(max(0.0, (ended - began).total_seconds()), 1)

    def _note(self, name: str, ended: Ended) -> None:
        """Keep how it ended on the Job; of a Job that is gone it is kept nowhere."""
        try:
            job = self.cluster.get("Job", self.namespace, name)
            if job is not None and NOTE_ENDED not in notes_of(job):
                change = {"metadata": {"annotations": {NOTE_ENDED: ended.note()}}}
                self.cluster.patch("Job", self.namespace, name, change)
        except KubeError as error:
            if error.status != 404:
                raise

    def _wait_for_pods(self, name: str, load: Load) -> None:
        """Until the orders in work are finished and their pod is gone, or its time for that is over."""
        grace = load.manifest["spec"]["template"]["spec"].get("terminationGracePeriodSeconds") or 30
        deadline = time.monotonic() + grace + SPARE_SECONDS
        while any(map(is_at_work, self.cluster.list("Pod", self.namespace, labels=f"job-name={name}"))):
            if time.monotonic() > deadline:
                self.say(
                    f"The pod of Job {name} does not end: its node may be lost. Its claims end by themselves"
                )
                return
            time.sleep(0.3)


class _Log:
    """Takes the lines of one batch's log."""

    def __init__(self, follower: Follower, name: str, began: datetime) -> None:
        self.follower, self.name, self.began = follower, name, began
        self.judge = Judge(follower.orders.errors, follower.known, follower.at_a_time)
        self._lines, self._stopped = 0, False
        self._next = MOST_SAID * FEWER
        self._asked: float | None = None

    def line(self, line: str) -> None:
        """Say it, judge it."""
        self._lines += 1
        if self._lines <= MOST_SAID:
            self.follower.say(f"    {_shown(line)}")
            if self._lines == MOST_SAID:
                self.follower.say(f"    (from here on ever fewer; all are in the log of Job {self.name})")
        elif self._lines >= self._next:
            self.follower.say(f"    {_shown(line)} (line {self._lines:,})")
            self._next = self._lines * FEWER
        self._stop_for(self.judge.feed(line))

    def silence(self, seconds: float) -> None:
        """It has logged nothing for so long."""
        self._stop_for(self.judge.hung(seconds))

    def _stop_for(self, stop: Stop | None) -> None:
        if stop is None or self._stopped:
            return
        if self._asked is not None and time.monotonic() - self._asked < ASK_AGAIN_SECONDS:
            return
        judgement = self.follower.confirmed(stop, self.judge, self.began)
        if judgement is None:
            if self._asked is None:
                self.follower.say(
                    "The log looks as if everything fails; the database says it does not. Going on"
                )
            self._asked = time.monotonic()
            return
        self._stopped = True
        self.follower.stop(self.name, stop, judgement, self.began)


def _shown(line: str) -> str:
    """As the task log has it: cut, and without what looks like a secret."""
    text = redact(beginning(line))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} [cut]"


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
