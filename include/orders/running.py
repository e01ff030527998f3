"""The batches of one run, one after the other: sized, started when nobody changes the database, followed, decided on.

Nothing is kept in memory that a retry needs: which batches there are, how each ended and why is on their Jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from include.jobs.carrying import remove_job
from include.jobs.state import job_state
from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.orders.deciding import Decision, Tried, decide, out_of_time
from include.orders.facts import Backlog, BatchEnd, Judgement
from include.orders.following import Follower, KeptSince
from include.orders.job import NOTE_AT_A_TIME, NOTE_NUMBER, Processor, batch_job, processor_of
from include.orders.ran import Ended, Json, Ran, ended_of, notes_of, number_of, ran_of
from include.orders.sizing import Batch, Pace, duration, next_run, size_batch
from include.release.batches import LABEL_BATCH, held_by, start_batch, why_not_now
from include.release.creating import create_once
from include.release.environments import Environment
from include.release.frozen import LABEL_APP, NOTE_RUN
from include.release.kube import Cluster, KubeError
from include.release.lock import AskRun
from include.release.problems import RejectedError
from include.release.texts import plural

WAITS_AT_MOST = 1800.0
"""Seconds that a batch waits for a release to end; then the next run goes on."""
POLL_SECONDS = 2.0
MOST_BATCHES = 12
"""A run ends at the latest after so many, whatever was decided."""

PaceOf = Callable[[Json, Backlog | None], Pace]


@dataclass(frozen=True)
class World:
    """What a run of batches works with.

    Args:
        cluster: where batches run.
        environment: in which.
        orders: the configuration.
        known: what errors mean.
        asked_by: DAG run and how often it was cleared: the same for every retry.
        ask: what became of a run that holds the application's lock.
        backlog: what waits now; None when the database cannot be asked.
        kept: what the database keeps of errors since a moment.
        pace: what the live Deployment gets done.
        handed_over: codes that were handed over and are not over yet: they are not restarted again. The empty one
            stands for a processor that cannot work at all.
        say: receives every line that on-call should read.
        now: the time.
    """

    cluster: Cluster
    environment: Environment
    orders: Orders
    known: OrderErrors
    asked_by: str
    ask: AskRun
    backlog: Callable[[], Backlog | None]
    kept: KeptSince
    pace: PaceOf
    say: Callable[[str], None]
    handed_over: frozenset[str] = frozenset()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def namespace(self) -> str:
        """Where batches run."""
        return self.environment.namespace


class Batches:
    """Runs them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._room = timedelta(minutes=world.orders.schedule.spare_minutes)
        """Less time than this before the next run is not enough for another batch."""
        self._pace: Pace | None = None

    def run(self) -> list[Ran]:
        """Every batch of this run. Empty when no order waits.

        Raises:
            RejectedError: there is no processor that may run; nothing was started.
            KubeError: the cluster does not answer; a retry goes on where this ended.
        """
        done: list[Ran] = []
        while len(done) < MOST_BATCHES:
            number = len(done) + 1
            try:
                ran = self._one(number, done)
            except RejectedError as error:
                if not done:
                    raise
                self.world.say(str(error))
                return done
            if ran is None:
                return done
            done.append(ran)
            self.world.say(f"Batch {number}: {ran.decision.text}")
            if ran.decision.next not in ("again", "restart") and number + 1 not in self._mine():
                return done
        return done

    def preview(self) -> str:
        """What a run would do now, for a dry run; changes nothing. Raises as ``run``."""
        processor = self._processor()
        batch, _ = self._sized(processor)
        lines = [batch.text]
        if reason := self._why_not():
            lines.append(f"It would wait: {reason}.")
        for name in [str(each["metadata"]["name"]) for each in self._jobs() if is_working(each)]:
            lines.append(f"Job {name} works now: it would go on with that one.")
        if batch.limit:
            manifest = batch_job(
                processor,
                self.world.orders,
                self.world.namespace,
                batch,
                asked_by=self.world.asked_by,
                number=1,
            )
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            lines.append(f"Job {manifest['metadata']['name']}: {' '.join(container['command'])}")
            lines.append(
                f"It would run {processor.image} with {processor.resources}, {batch.seconds} s at most."
            )
        return "\n".join(lines)

    def _one(self, number: int, done: list[Ran]) -> Ran | None:
        """One batch, or the one that an earlier try began; None when no order waits."""
        world = self.world
        jobs = self._mine()
        job = jobs.get(number) or (self._adopted(number) if number == 1 else None)
        if job is not None and never_started(job):
            job = self._started(job)
        elif number in jobs and ended_of(jobs[number]) is None:
            world.say(f"Job {jobs[number]['metadata']['name']} of an earlier try is there: going on with it")
        if job is None:
            prepared = self._prepared(number)
            if not isinstance(prepared, dict):
                return prepared
            job = prepared
        at_a_time = int(job["metadata"].get("annotations", {}).get(NOTE_AT_A_TIME, "0") or 0)
        noted = ended_of(job)
        if noted is None:
            follower = Follower(
                world.cluster,
                world.namespace,
                world.orders,
                world.known,
                max(1, at_a_time),
                world.kept,
                world.say,
            )
            noted = follower.follow(job, number)
        else:
            world.say(
                f"Batch {number}: Job {job['metadata']['name']} of an earlier try has ended: {noted.end.end}"
            )
        return self._decided(number, job, noted, done)

    def _prepared(self, number: int) -> Json | Ran | None:
        """A batch that was started now; what became of one that could not; None when no order waits."""
        world = self.world
        begun = time.monotonic()
        while True:
            reason = self._wait_for_turn(begun)
            if reason:
                return self._waited(number, reason)
            processor = self._processor()
            batch, pace = self._sized(processor)
            if not batch.limit:
                world.say("No order waits: no batch is started" if number == 1 else "No order waits any more")
                return None
            world.say(f"Batch {number} of this run: {batch.text}")
            world.say(
                f"It runs {processor.image} ({processor.release or 'brought by no release'}) with {processor.resources}"
            )
            manifest = batch_job(
                processor, world.orders, world.namespace, batch, asked_by=world.asked_by, number=number
            )
            manifest["metadata"]["annotations"][NOTE_AT_A_TIME] = str(pace.at_a_time)
            create_once(world.cluster, manifest, world.namespace)
            if started := self._started(manifest):
                return started

    def _started(self, job: Json) -> Json | None:
        """A Job that was made suspended, once it runs; None, and it is removed, when a release was quicker."""
        world, name = self.world, str(job["metadata"]["name"])
        reason = start_batch(world.cluster, world.namespace, name, self._why_not)
        if not reason:
            world.say(f"Job {name} runs")
            return world.cluster.get("Job", world.namespace, name) or job
        world.say(f"Job {name} is not started: {reason}")
        remove_job(world.cluster, world.namespace, name)
        return None

    def _processor(self) -> Processor:
        world = self.world
        live = world.cluster.get("Deployment", world.namespace, world.orders.workload)
        return processor_of(live, world.orders, world.namespace)

    def _sized(self, processor: Processor) -> tuple[Batch, Pace]:
        world, now = self.world, self.world.now()
        backlog = world.backlog()
        pace = world.pace(processor.deployment, backlog)
        self._pace = pace
        spare = world.orders.schedule.spare_minutes
        self._room = timedelta(seconds=float(pace.slow), minutes=spare)
        if backlog is not None:
            return size_batch(backlog, pace, world.orders.schedule, now), pace
        # Orders are processed all the same: only the look from here does not work.
        full = size_batch(Backlog(at=now, waiting=1), pace, world.orders.schedule, now)
        text = f"How many orders wait is not known. {pace.text}. By the time until the next run: at most {full.limit:,} orders."
        return replace(full, left_over=0, text=text), pace

    def _why_not(self) -> str:
        world = self.world
        return why_not_now(world.cluster, world.namespace, world.orders.app, world.ask)

    def _wait_for_turn(self, begun: float) -> str:
        """Until no release changes the application; why not, when that takes too long."""
        said = ""
        while reason := self._why_not():
            if time.monotonic() - begun > WAITS_AT_MOST:
                return reason
            if reason != said:
                self.world.say(f"Waiting, {duration(WAITS_AT_MOST)} at most: {reason}")
                said = reason
            time.sleep(POLL_SECONDS)
        return ""

    def _waited(self, number: int, reason: str) -> Ran:
        text = f"No batch was started: {reason}. The orders wait; the next run goes on."
        end = BatchEnd(end="not started", reason=reason)
        ended = Ended(end=end, judgement=Judgement(verdict="clean", text=text), how="waited")
        decision = Decision(next="done", text=text, good=False)
        return Ran(number=number, started=self.world.now(), ended=ended, decision=decision)

    def _decided(self, number: int, job: Json, ended: Ended, done: list[Ran]) -> Ran:
        world, backlog = self.world, self.world.backlog()
        if ended.how == "held":
            text = f"It gave way to a release: {ended.end.reason}. What waits goes on when that has ended."
            decision = Decision(next="again", text=text)
        else:
            tried = self._tried(ended, done)
            decision = decide(ended.judgement, ended.end, backlog, tried, world.orders, world.known)
            if decision.next == "again" and (late := self._too_late()):
                worked = sum(each.ended.end.seconds for each in done) + ended.end.seconds
                drain = self._pace.drain_seconds(backlog.left) if self._pace and backlog else 0
                decision = out_of_time(decision, late, worked, float(drain), world.orders)
        return ran_of(job, number, ended, decision)

    def _tried(self, ended: Ended, done: list[Ran]) -> Tried:
        before = [each for each in done if each.counts]
        restarts = sum(each.decision.next == "restart" for each in before)
        known = ended.judgement.code in self.world.handed_over
        if known and ended.judgement.verdict in ("systemic", "broken"):
            restarts = max(restarts, self.world.orders.errors.restarts)
        processed = sum(each.ended.judgement.processed for each in before)
        return Tried(batches=len(before) + 1, restarts=restarts, processed=processed)

    def _too_late(self) -> str:
        """Why another batch at once is left to the next run: there would be no time for it."""
        now = self.world.now()
        due = next_run(now, self.world.orders.schedule)
        if due - now >= self._room:
            return ""
        return f"It is left to the next run, which starts in {duration((due - now).total_seconds())}."

    def _mine(self) -> dict[int, Json]:
        """The batches of this run, by their number."""
        mine = [each for each in self._jobs() if notes_of(each).get(NOTE_RUN) == self.world.asked_by]
        return {number_of(each): each for each in mine}

    def _adopted(self, number: int) -> Json | None:
        """A batch of another run that still works: there is one at a time, so this run goes on with it.

        Whoever began it was ended by hand, or cleared. One that was never started is removed.
        """
        world = self.world
        for job in self._jobs():
            name = str(job["metadata"]["name"])
            if job_state(job).phase != "running" or notes_of(job).get(NOTE_RUN) == world.asked_by:
                continue
            if never_started(job):
                remove_job(world.cluster, world.namespace, name)
            if job["spec"].get("suspend"):
                continue
            by = notes_of(job).get(NOTE_RUN, "somebody")
            change = {"metadata": {"annotations": {NOTE_RUN: world.asked_by, NOTE_NUMBER: str(number)}}}
            try:
                adopted: Json = world.cluster.patch("Job", world.namespace, name, change).object
            except KubeError as error:
                if error.status != 404:
                    raise
                continue  # it has gone meanwhile
            world.say(f"Job {name} of {by} still works: this run goes on with it")
            return adopted
        return None

    def _jobs(self) -> list[Json]:
        labels = f"{LABEL_APP}={self.world.orders.app},{LABEL_BATCH}={self.world.orders.workload}"
        return self.world.cluster.list("Job", self.world.namespace, labels=labels)


def is_working(job: Json) -> bool:
    """Whether a batch is at work."""
    return job_state(job).phase == "running" and not job["spec"].get("suspend")


def never_started(job: Json) -> bool:
    """Whether a Job still is as it was made: whoever made it died before it could be started."""
    return bool(job["spec"].get("suspend")) and not held_by(job) and ended_of(job) is None


def remove_old(cluster: Cluster, namespace: str, orders: Orders, keep: int) -> list[str]:
    """Remove suspended Jobs of batches but for the newest few: they have ended, and Kubernetes keeps them for ever.

    Returns their names. Raises KubeError.
    """
    labels = f"{LABEL_APP}={orders.app},{LABEL_BATCH}={orders.workload}"
    found = [each for each in cluster.list("Job", namespace, labels=labels) if each["spec"].get("suspend")]
    over = [each for each in found if ended_of(each) is not None or held_by(each)]
    over.sort(key=lambda each: str(each["metadata"].get("creationTimestamp", "")), reverse=True)
    names = [str(each["metadata"]["name"]) for each in over[keep:]]
    for name in names:
        cluster.delete("Job", namespace, name)
    return names


def summary(done: list[Ran]) -> str:
    """What a run's batches came to, in a line: ``2 batches, 48 orders processed``."""
    if not done:
        return "No order waited, so no batch was run"
    processed = sum(each.ended.judgement.processed for each in done)
    batches = plural(len([each for each in done if each.job]), "batch", "batches")
    return f"{batches}, {plural(processed, 'order')} processed"
