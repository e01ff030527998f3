"""Running a migration's Job and following it to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.release.frozen import Frozen
from include.release.jobs import (
    CONTAINER,
    LABEL_MIGRATION,
    choose,
    exit_text,
    job_for,
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
    """A migration did not end well; the text is for on-call."""


@dataclass(frozen=True)
class Migrated:
    """What a migration's Job did. ``said`` is the last line of its log."""

    id: str
    job: str
    seconds: float
    said: str


class Runner:
    """Runs migrations of one frozen release, one after the other.

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
        """Run one migration, or go on with the Job that an earlier try left.

        Raises:
            MigrationError: it failed, or cannot start.
            KubeError: the cluster does not answer.
        """
        started = time.monotonic()
        name = self._job(step)
        lines = self._follow(name, step, started)
        self._end(name, step, lines)
        said = _CLOCK.sub("", lines[-1]).strip() if lines else ""
        return Migrated(step.id, name, time.monotonic() - started, said)

    def _job(self, step: Migration) -> str:
        wanted = job_for(self.frozen, step, self.asked_by)
        jobs = self.cluster.list("Job", self.namespace, labels=f"{LABEL_MIGRATION}={step.id}")
        found = choose(jobs, wanted)
        if found is not None and job_state(found).phase == "failed":
            self._remove(found, step)
        elif found is not None:
            name = str(found["metadata"]["name"])
            word = {"running": "still runs", "complete": "has ended"}[job_state(found).phase]
            self.say(f"{step.id}: Job {name} of an earlier try {word}; going on with it")
            return name
        name = str(wanted["metadata"]["name"])
        try:
            self.cluster.create(wanted, self.namespace)
        except KubeError as error:
            if error.reason != "AlreadyExists":
                raise
        self.say(f"{step.id}: {step.title}. Job {name}: {' '.join(step.up)}")
        return name

    def _remove(self, job: dict[str, Any], step: Migration) -> None:
        """Make room for another Job: a try that saw this one fail would have ended the task for good.

        So the worker or the node was lost meanwhile, which says nothing about the migration; the ledger does.
        """
        name = str(job["metadata"]["name"])
        labels = f"job-name={name}"
        pods = self.cluster.list("Pod", self.namespace, labels=labels)
        ended = next(filter(None, map(exit_text, pods)), job_state(job).reason)
        self.say(
            f"{step.id}: Job {name} of an earlier try failed while nobody watched ({ended}); running it again"
        )
        if text := self._old_log(pods):
            self.say(indented(last_lines(text)))
        self.cluster.delete("Job", self.namespace, name)
        deadline = time.monotonic() + REMOVED_WITHIN
        while self.cluster.get("Job", self.namespace, name) or self.cluster.list(
            "Pod", self.namespace, labels=labels
        ):
            if time.monotonic() > deadline:
                raise MigrationError(f"Migration {step.id}: the failed Job {name} cannot be removed")
            time.sleep(POLL_SECONDS)

    def _follow(self, name: str, step: Migration, started: float) -> list[str]:
        """Write the pod's log into the task log while it runs; returns its lines."""
        lines: list[str] = []
        pod = self._started_pod(name, step, started)
        for _ in range(5):
            if pod is None:
                return lines
            try:
                stream = self.cluster.follow_log(self.namespace, pod, CONTAINER, timeout=step.timeout_seconds)
                for index, line in enumerate(stream):
                    if index >= len(lines):  # after a broken connection the log comes from its start again
                        lines.append(line)
                        self.say(f"    {line}")
                return lines
            except KubeError as error:
                if not error.transient:
                    return lines
                self.say(f"{step.id}: the log stream broke off ({error.message}); reading on")
                time.sleep(1)
        return lines

    def _started_pod(self, name: str, step: Migration, started: float) -> str | None:
        """The name of the Job's pod once its container has started; None when the Job ended without one."""
        trouble_since: float | None = None
        grace = self.frozen.environment.rollout.image_grace_seconds
        while time.monotonic() - started < step.timeout_seconds + 60:
            pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
            for pod in pods:
                if _has_started(pod):
                    return str(pod["metadata"]["name"])
            state = job_state(self._read(name, step))
            if state.phase != "running":
                return None
            trouble = next(filter(None, map(pod_problem, pods)), "")
            trouble_since = (trouble_since or time.monotonic()) if trouble else None
            if trouble_since is not None and time.monotonic() - trouble_since > grace:
                self.cluster.delete("Job", self.namespace, name)
                raise MigrationError(
                    f"Migration {step.id} cannot start: {trouble}\nIts Job {name} was removed, so that it does not "
                    f"start later when nobody watches. What now: put the cause right and clear this task; if it is in "
                    f"the spec, trigger a new run."
                )
            time.sleep(POLL_SECONDS)
        raise MigrationError(
            f"Migration {step.id}: the pod of Job {name} did not start in {step.timeout_seconds} s"
        )

    def _end(self, name: str, step: Migration, lines: list[str]) -> None:
        deadline = time.monotonic() + step.timeout_seconds + 60
        while time.monotonic() < deadline:
            job = self._read(name, step)
            state = job_state(job)
            if state.phase == "complete":
                return
            if state.phase == "failed":
                raise MigrationError(self._failure(name, step, state.reason, lines))
            time.sleep(POLL_SECONDS)
        raise MigrationError(f"Migration {step.id}: Job {name} has not ended")

    def _read(self, name: str, step: Migration) -> dict[str, Any]:
        job = self.cluster.get("Job", self.namespace, name)
        if job is None:
            raise MigrationError(
                f"Migration {step.id}: Job {name} is gone, somebody deleted it. Whether the migration is applied is "
                f"in the ledger; clear this task to ask it."
            )
        return job

    def _failure(self, name: str, step: Migration, reason: str, lines: list[str]) -> str:
        pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
        ended = next(filter(None, map(exit_text, pods)), "")
        text = "\n".join(lines)
        if not lines:
            text = self._old_log(pods)
        parts = [
            f"Migration {step.id} failed"
            + (f" with {ended}" if ended else "")
            + (f" ({reason})" if reason else "")
        ]
        if text.strip():
            parts.append("Last lines of its log:\n" + indented(last_lines(text)))
        parts.append(
            f"What now: nothing was deployed; the previous build runs on. Look at Job {name}, put the cause right "
            f"and clear this task (is it in the spec or the image, trigger a new run): what is applied already is "
            f"in the ledger and is not applied again."
        )
        return "\n".join(parts)

    def _old_log(self, pods: list[dict[str, Any]]) -> str:
        for pod in pods:
            try:
                return self.cluster.log(self.namespace, pod["metadata"]["name"], CONTAINER, tail=20)
            except KubeError:
                continue
        return ""


def _has_started(pod: dict[str, Any]) -> bool:
    for each in (pod.get("status") or {}).get("containerStatuses") or []:
        state = each.get("state") or {}
        if each["name"] == CONTAINER and ("running" in state or "terminated" in state):
            return True
    return False
