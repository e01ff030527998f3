"""Running a migration's Job and following it to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from include.release.creating import create_once
from include.release.frozen import Frozen
from include.release.jobs import (
    CONTAINER,
    LABEL_MIGRATION,
    Errand,
    apply_errand,
    choose,
    exit_code,
    exit_text,
    job_of,
    job_state,
    pod_problem,
)
from include.release.kube import Cluster, KubeError
from include.release.spec import Migration
from include.release.texts import indented, last_lines

POLL_SECONDS = 0.3
REMOVED_WITHIN = 120.0

_CLOCK = re.compile(r"^\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\s*")

Say = Callable[[str], None]


class MigrationError(Exception):
    """A migration's Job did not end well; the text is for on-call. ``exit_code`` is its program's, if it ended."""

    def __init__(self, text: str, exit_code: int | None = None) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Migrated:
    """What a migration's Job did. ``said`` is the last line of its log."""

    id: str
    job: str
    seconds: float
    said: str


class Runner:
    """Runs the migrations of one frozen release, up or down, and asks about them.

    Args:
        cluster: where.
        frozen: what.
        asked_by: DAG run and how often it was cleared; see ``jobs.job_for``.
        say: receives every line that on-call should read.
    """

    def __init__(self, cluster: Cluster, frozen: Frozen, asked_by: str, say: Say) -> None:
        self.cluster = cluster
        self.frozen = frozen
        self.asked_by = asked_by
        self.say = say
        self.namespace = frozen.environment.namespace

    def run(self, step: Migration) -> Migrated:
        """Apply one migration; see ``do``."""
        return self.do(apply_errand(step))

    def do(self, errand: Errand) -> Migrated:
        """Run one errand's Job to its end, or go on with the Job that an earlier try left.

        Raises:
            MigrationError: it failed, or cannot start.
            KubeError: the cluster does not answer.
        """
        started = time.monotonic()
        name = self._job(errand, self.say)
        lines = self._follow(name, errand, started, self.say)
        self._end(name, errand, lines)
        said = _CLOCK.sub("", lines[-1]).strip() if lines else ""
        return Migrated(errand.id, name, time.monotonic() - started, said)

    def ask(self, errands: Sequence[Errand]) -> list[str]:
        """Run errands that only ask, all at once; returns what each printed. Raises as ``do``."""
        started = time.monotonic()
        names = [self._job(errand, _quiet) for errand in errands]
        printed = []
        for name, errand in zip(names, errands, strict=True):
            lines = self._follow(name, errand, started, _quiet)
            self._end(name, errand, lines)
            printed.append("\n".join(lines))
        return printed

    def _job(self, errand: Errand, say: Say) -> str:
        wanted = job_of(self.frozen, errand, self.asked_by)
        jobs = self.cluster.list("Job", self.namespace, labels=f"{LABEL_MIGRATION}={errand.id}")
        found = choose(jobs, wanted)
        if found is not None and job_state(found).phase == "failed":
            self._remove(found, errand)
        elif found is not None:
            name = str(found["metadata"]["name"])
            word = {"running": "still runs", "complete": "has ended"}[job_state(found).phase]
            say(f"{errand.id}: Job {name} of an earlier try {word}; going on with it")
            return name
        name = str(wanted["metadata"]["name"])
        create_once(self.cluster, wanted, self.namespace)
        say(f"{errand.id}: {errand.title}. Job {name}: {' '.join(errand.command)}")
        return name

    def _remove(self, job: dict[str, Any], errand: Errand) -> None:
        """Make room for another Job: a try that saw this one fail would have ended the task for good.

        So the worker or the node was lost meanwhile, which says nothing about the migration; the ledger does.
        """
        name = str(job["metadata"]["name"])
        pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
        ended = next(filter(None, map(exit_text, pods)), job_state(job).reason)
        self.say(
            f"{errand.id}: Job {name} of an earlier try failed while nobody watched ({ended}); running it again"
        )
        if text := self._old_log(pods):
            self.say(indented(last_lines(text)))
        if not remove_job(self.cluster, self.namespace, name):
            raise MigrationError(f"{errand.subject}: the failed Job {name} cannot be removed")

    def _follow(self, name: str, errand: Errand, started: float, say: Say) -> list[str]:
        """Write the pod's log into the task log while it runs; returns its lines."""
        lines: list[str] = []
        pod = self._started_pod(name, errand, started)
        for _ in range(5):
            if pod is None:
                return lines
            try:
                stream = self.cluster.follow_log(
                    self.namespace, pod, CONTAINER, timeout=errand.timeout_seconds
                )
                for index, line in enumerate(stream):
                    if index >= len(lines):  # after a broken connection the log comes from its start again
                        lines.append(line)
                        say(f"    {line}")
                return lines
            except KubeError as error:
                if not error.transient:
                    return lines
                say(f"{errand.id}: the log stream broke off ({error.message}); reading on")
                time.sleep(1)
        return lines

    def _started_pod(self, name: str, errand: Errand, started: float) -> str | None:
        """The name of the Job's pod once its container has started; None when the Job ended without one."""
        trouble_since: float | None = None
        grace = self.frozen.environment.rollout.image_grace_seconds
        while time.monotonic() - started < errand.timeout_seconds + 60:
            # The Job before its pods: a short one may start and end between the two questions.
            state = job_state(self._read(name, errand))
            pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
            for pod in pods:
                if _has_started(pod):
                    return str(pod["metadata"]["name"])
            if state.phase != "running":
                return None
            trouble = next(filter(None, map(pod_problem, pods)), "")
            trouble_since = (trouble_since or time.monotonic()) if trouble else None
            if trouble_since is not None and time.monotonic() - trouble_since > grace:
                gone = remove_job(self.cluster, self.namespace, name)
                rest = "" if gone else " Its pod has not ended yet: look at its node before you go on."
                raise MigrationError(
                    f"{errand.subject} cannot start: {trouble}\nIts Job {name} was removed, so that it does not "
                    f"start later when nobody watches.{rest} What now: put the cause right and clear this task; if it is in "
                    f"the spec, trigger a new run."
                )
            time.sleep(POLL_SECONDS)
        raise MigrationError(
            f"{errand.subject}: the pod of Job {name} did not start in {errand.timeout_seconds} s"
        )

    def _end(self, name: str, errand: Errand, lines: list[str]) -> None:
        deadline = time.monotonic() + errand.timeout_seconds + 60
        while time.monotonic() < deadline:
            job = self._read(name, errand)
            state = job_state(job)
            if state.phase == "complete":
                return
            if state.phase == "failed":
                pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
                raise MigrationError(self._failure(name, errand, state.reason, lines, pods), exit_code(pods))
            time.sleep(POLL_SECONDS)
        raise MigrationError(f"{errand.subject}: Job {name} has not ended")

    def _read(self, name: str, errand: Errand) -> dict[str, Any]:
        job = self.cluster.get("Job", self.namespace, name)
        if job is None:
            raise MigrationError(
                f"{errand.subject}: Job {name} is gone, somebody deleted it. Whether the migration is applied is "
                f"in the ledger; clear this task to ask it."
            )
        return job

    def _failure(
        self, name: str, errand: Errand, reason: str, lines: list[str], pods: list[dict[str, Any]]
    ) -> str:
        ended = next(filter(None, map(exit_text, pods)), "")
        text = "\n".join(lines)
        if not lines:
            text = self._old_log(pods)
        parts = [
            f"{errand.subject} failed"
            + (f" with {ended}" if ended else "")
            + (f" ({reason})" if reason else "")
        ]
        if text.strip():
            parts.append("Last lines of its log:\n" + indented(last_lines(text)))
        parts.append(f"What now: {errand.what_now(name)}")
        return "\n".join(parts)

    def _old_log(self, pods: list[dict[str, Any]]) -> str:
        for pod in pods:
            try:
                return self.cluster.log(self.namespace, pod["metadata"]["name"], CONTAINER, tail=20)
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


def _quiet(_line: str) -> None:
    """For questions: the answer is told, not how it was asked for."""


def _has_started(pod: dict[str, Any]) -> bool:
    for each in (pod.get("status") or {}).get("containerStatuses") or []:
        state = each.get("state") or {}
        if each["name"] == CONTAINER and ("running" in state or "terminated" in state):
            return True
    return False
