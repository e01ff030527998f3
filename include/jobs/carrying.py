"""Carrying a Job: made once, or gone on with; its log followed line by line; its end read, and said for on-call."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.jobs.ending import Ended, JobError, cannot_start, deleted, failure
from include.jobs.load import Load
from include.jobs.place import Place
from include.jobs.state import (
    choose,
    event_problem,
    exit_code,
    exit_text,
    has_started,
    is_running,
    job_state,
    pod_problem,
)
from include.release.creating import create_once
from include.release.kube import Cluster, KubeError
from include.release.texts import indented, last_lines

POLL_SECONDS = 0.3
REMOVED_WITHIN = 120.0
ENDS_WITHIN = 60.0
"""Seconds that the cluster may take beside the Job's own time to start it, and to say that it has ended."""
SAYS_WITHIN = 2.0
"""Seconds after the end of a log in which the cluster says that its container has ended."""
EVENTS_AFTER = 2.0
"""Seconds after which the events are asked why there is no pod, or none that starts."""
KEPT_LINES = 2000
"""Lines of a log that are kept for whoever started the Job; every line is told."""
BREAKS = 5
"""Broken connections in a row, without a line between them, after which the log is left."""

_CLOCK = re.compile(r"^\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\s*")

Say = Callable[[str], None]
OnLine = Callable[[str], None]
"""Takes each line of the log; raises ``StopJobError`` to have the Job ended."""
OnSilence = Callable[[float], None]
"""Takes the seconds without a line."""


class StopJobError(Exception):
    """Raised by whoever reads a Job's log: it is to end now. The text says why."""


class SuspendedError(JobError):
    """Somebody has suspended the Job, which ends its pods; ``job`` is what it was then."""

    def __init__(self, text: str, job: dict[str, Any]) -> None:
        super().__init__(text)
        self.job = job


@dataclass(frozen=True)
class Carried:
    """How a Job ended well. ``stopped`` says why it was ended before, by whoever read its log."""

    job: str
    seconds: float
    lines: list[str] = field(default_factory=list)
    stopped: str = ""

    @property
    def said(self) -> str:
        """The last line of its log, without a time."""
        return _CLOCK.sub("", self.lines[-1]).strip() if self.lines else ""


class Carrier:
    """Starts Jobs in one namespace and follows them to their end.

    Args:
        cluster: where.
        namespace: in which.
        say: receives every line that on-call should read.
    """

    def __init__(self, cluster: Cluster, namespace: str, say: Say) -> None:
        self.cluster, self.namespace, self.say = cluster, namespace, say

    def carry(self, load: Load, on_line: OnLine | None = None) -> Carried:
        """Run a Job to its end, or go on with the one that an earlier try left.

        Args:
            load: what.
            on_line: takes each line of its log; without it they are said.

        Raises:
            JobError: it failed, or cannot start.
            KubeError: the cluster does not answer.
        """
        started = time.monotonic()
        return self.follow(load, self.start(load), started=started, on_line=on_line)

    def start(self, load: Load) -> str:
        """The name of the Job that carries this: one of an earlier try that runs or is complete, else a new one.

        Raises:
            JobError: one that failed before cannot be removed.
            KubeError: the cluster does not answer, or refuses it.
        """
        found = choose(self._others(load), load.manifest)
        if found is not None and job_state(found).phase == "failed":
            self._make_room(found, load)
        elif found is not None:
            name = str(found["metadata"]["name"])
            word = {"running": "still runs", "complete": "has ended"}[job_state(found).phase]
            self.say(f"{load.label}: Job {name} of an earlier try {word}; going on with it")
            return name
        create_once(self.cluster, load.manifest, self.namespace)
        self.say(f"{load.label}: {load.title}. Job {load.name}: {load.command}")
        return load.name

    def follow(
        self,
        load: Load,
        name: str,
        *,
        started: float | None = None,
        on_line: OnLine | None = None,
        on_silence: OnSilence | None = None,
    ) -> Carried:
        """Follow a started Job to its end. Raises as ``carry``, and SuspendedError.

        Args:
            load: what it carries.
            name: its name.
            started: monotonic clock of its start.
            on_line: see ``carry``.
            on_silence: called when its log has had no line for ``load.silence`` seconds, with these.
        """
        began = time.monotonic() if started is None else started
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        take = on_line or (lambda line: self.say(f"    {line}"))
        try:
            self._read_log(load, name, began, lines, take, on_silence)
        except StopJobError as stop:
            self.say(f"{load.label}: ending Job {name}: {stop}")
            if not remove_job(self.cluster, self.namespace, name):
                text = (
                    f"{load.subject}: Job {name} was to end ({stop}), and its pod has not: look at its node"
                )
                raise JobError(text, lines=lines) from None
            return Carried(name, time.monotonic() - began, list(lines), stopped=str(stop))
        self._wait_for_end(load, name, list(lines))
        return Carried(name, time.monotonic() - began, list(lines))

    def settle(self, load: Load, ended: Ended) -> Carried:
        """What a wait in the triggerer found, as ``follow`` answers it. Raises as ``carry``."""
        name = ended.job
        if ended.phase == "complete":
            return Carried(name, ended.seconds, ended.lines)
        if ended.phase == "lost":
            raise KubeError(0, ended.reason, f"Job {name}")
        if ended.phase == "stuck":
            gone = remove_job(self.cluster, self.namespace, name)
            raise JobError(cannot_start(load, ended.reason, name, gone=gone), phase="stuck")
        if ended.phase == "gone":
            raise JobError(deleted(load, name), phase="gone")
        if ended.phase == "late":
            raise JobError(f"{load.subject}: Job {name} {ended.reason}", phase="late")
        text = failure(load, name, ended.ended, ended.reason, ended.lines)
        raise JobError(text, ended.exit_code, ended.lines)

    def last_lines(self, load: Load, name: str, count: int = 1) -> list[str]:
        """The last lines of a Job's log, read anew. Empty when its pods are gone. Raises KubeError."""
        pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
        return self._old_log(pods, load.container, count).splitlines()

    def _others(self, load: Load) -> list[dict[str, Any]]:
        if load.beside:
            return self.cluster.list("Job", self.namespace, labels=load.beside)
        found = self.cluster.get("Job", self.namespace, load.name)
        return [] if found is None else [found]

    def _make_room(self, job: dict[str, Any], load: Load) -> None:
        name = str(job["metadata"]["name"])
        pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
        ended = next(filter(None, map(exit_text, pods)), job_state(job).reason)
        self.say(
            f"{load.label}: Job {name} of an earlier try {load.failed_before} ({ended}); running it again"
        )
        if text := self._old_log(pods, load.container):
            self.say(indented(last_lines(text)))
        if not remove_job(self.cluster, self.namespace, name):
            raise JobError(f"{load.subject}: the failed Job {name} cannot be removed")

    def _read_log(
        self,
        load: Load,
        name: str,
        began: float,
        lines: deque[str],
        on_line: OnLine,
        on_silence: OnSilence | None,
    ) -> None:
        pod = self._started_pod(load, name, began)
        place, breaks, heard = Place(), 0, time.monotonic()
        deadline = began + load.seconds + ENDS_WITHIN

        def take(line: str) -> None:
            nonlocal heard
            heard = time.monotonic()
            lines.append(line)
            on_line(line)

        while pod is not None and breaks < BREAKS and time.monotonic() < deadline:
            before = place.taken
            try:
                self._follow(load, pod, place, take)
                if self._has_ended(load, name, pod):
                    if place.taken == before:
                        return
                    continue  # whether the stream ended before its container did is not known: what is there beyond?
                broke, breaks = "ended while its container runs", 0
            except KubeError as error:
                if not error.transient:
                    return
                broke, breaks = f"broke off ({error.message})", 1 if place.taken > before else breaks + 1
            silent = time.monotonic() - heard
            if on_silence is not None and load.silence and silent >= load.silence:
                if self._over_after(silent, load, name, on_silence):
                    return
                breaks = 0
            elif breaks or place.taken > before:
                self.say(f"{load.label}: the log stream {broke}; reading on")
            time.sleep(1)

    def _over_after(self, silent: float, load: Load, name: str, on_silence: OnSilence) -> bool:
        """Whether the Job is over, by now or since whoever follows it heard of its silence.

        The log of a lost node says nothing for ever; the Job may have ended, or been suspended, meanwhile.
        """
        if self._is_over(load, name):
            return True
        on_silence(silent)
        return self._is_over(load, name)

    def _follow(self, load: Load, pod: str, place: Place, take: OnLine) -> None:
        """Hand on the lines that are new, until the stream ends. Raises KubeError."""
        place.begin()
        longest = load.silence or load.seconds
        for stamped in self.cluster.follow_log(
            self.namespace, pod, load.container, timeout=longest, since=place.since
        ):
            line = place.take(stamped)
            if line is not None:
                take(line)

    def _has_ended(self, load: Load, name: str, pod: str) -> bool:
        """Whether a log that came to its end has one: its container has ended, or is gone. Its node says so a bit later."""
        patience = time.monotonic() + SAYS_WITHIN
        while is_running(self.cluster.get("Pod", self.namespace, pod), load.container):
            if time.monotonic() > patience:
                job = self.cluster.get("Job", self.namespace, name)
                return job is None or job_state(job).phase != "running"
            time.sleep(POLL_SECONDS)
        return True

    def _started_pod(self, load: Load, name: str, began: float) -> str | None:
        """The name of the Job's pod once its container has started; None when the Job ended without one."""
        trouble_since: float | None = None
        while time.monotonic() - began < load.seconds + ENDS_WITHIN:
            # The Job before its pods: a short one may start and end between the two questions.
            state = job_state(self._read(load, name))
            pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
            for pod in pods:
                if has_started(pod, load.container):
                    return str(pod["metadata"]["name"])
            if state.phase != "running":
                return None
            trouble, grace = next(filter(None, map(pod_problem, pods)), ""), load.start_grace
            if not trouble and time.monotonic() - began > EVENTS_AFTER:
                trouble, grace = self._told_by_events(name, pods), load.place_grace
            trouble_since = (trouble_since or time.monotonic()) if trouble else None
            if trouble_since is not None and time.monotonic() - trouble_since > grace:
                gone = remove_job(self.cluster, self.namespace, name)
                raise JobError(cannot_start(load, trouble, name, gone=gone), phase="stuck")
            time.sleep(POLL_SECONDS)
        raise JobError(
            f"{load.subject}: the pod of Job {name} did not start in {load.seconds} s", phase="late"
        )

    def _told_by_events(self, name: str, pods: list[dict[str, Any]]) -> str:
        about = pods[0]["metadata"]["name"] if pods else name
        try:
            events = self.cluster.list("Event", self.namespace, fields=f"involvedObject.name={about}")
        except KubeError as error:
            if error.transient:
                raise
            return ""  # who may not read them learns it from the time that it takes
        return event_problem(events)

    def _wait_for_end(self, load: Load, name: str, lines: list[str]) -> None:
        deadline = time.monotonic() + load.seconds + ENDS_WITHIN
        while time.monotonic() < deadline:
            state = job_state(self._read(load, name))
            if state.phase == "complete":
                return
            if state.phase == "failed":
                pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
                log = lines or self._old_log(pods, load.container).splitlines()
                ended = next(filter(None, map(exit_text, pods)), "")
                raise JobError(failure(load, name, ended, state.reason, log), exit_code(pods), log)
            time.sleep(POLL_SECONDS)
        raise JobError(f"{load.subject}: Job {name} has not ended", phase="late")

    def _is_over(self, load: Load, name: str) -> bool:
        return job_state(self._read(load, name)).phase != "running"

    def _read(self, load: Load, name: str) -> dict[str, Any]:
        job = self.cluster.get("Job", self.namespace, name)
        if job is None:
            raise JobError(deleted(load, name), phase="gone")
        if job["spec"].get("suspend"):
            raise SuspendedError(f"{load.subject}: Job {name} is suspended", job)
        return job

    def _old_log(self, pods: list[dict[str, Any]], container: str, count: int = 20) -> str:
        for pod in pods:
            try:
                return self.cluster.log(self.namespace, pod["metadata"]["name"], container, tail=count)
            except KubeError:
                continue
        return ""


def remove_job(cluster: Cluster, namespace: str, name: str) -> bool:
    """Delete a Job and wait until its pods are gone too: one may start its program until the moment it goes.

    Returns whether all is gone; a node that does not answer keeps a pod. Raises KubeError.
    """
    cluster.delete("Job", namespace, name)
    deadline = time.monotonic() + REMOVED_WITHIN
    while cluster.get("Job", namespace, name) or cluster.list("Pod", namespace, labels=f"job-name={name}"):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
