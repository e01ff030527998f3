"""The Job of a migration's command: its manifest, its name, and what its status means.

The Job carries a migration; whether that is applied is written in the migrated database's ledger, and the
program in the Job asks the ledger first. So a Job may run again at any time; but not twice at once.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from include.release.frozen import (
    FIELD_MANAGER,
    LABEL_APP,
    MANAGED_BY,
    NOTE_RELEASE,
    NOTE_RUN,
    Frozen,
    name_configuration,
)
from include.release.spec import Migration

LABEL_MIGRATION = f"{FIELD_MANAGER}/migration"
LABEL_DIRECTION = f"{FIELD_MANAGER}/direction"
LABEL_CONTENT = f"{FIELD_MANAGER}/content"
KEEP_SECONDS = 7 * 24 * 3600
CONTAINER = "migrate"


Direction = Literal["up", "down", "status", "lost"]


@dataclass(frozen=True)
class Errand:
    """What a Job is sent for: to apply a migration, to take it back, or to ask about the ledger or about rows."""

    id: str
    direction: Direction
    title: str
    command: tuple[str, ...]
    timeout_seconds: int
    env: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        """How an error begins that is about it."""
        return {
            "up": f"Migration {self.id}",
            "down": f"Taking back migration {self.id}",
            "status": "The question to the ledger",
            "lost": f"The count of what taking back {self.id} destroys",
        }[self.direction]

    def what_now(self, job: str) -> str:
        """What on-call does when it failed."""
        look = f"Look at Job {job}, put the cause right and clear this task"
        ledger = "what is {} already is in the ledger and is not {} again."
        if self.direction == "up":
            return (
                f"nothing was deployed; the previous build runs on, and the run takes back what it had applied, where "
                f"that is safe. {look} (is it in the spec or the image, trigger a new run): {ledger.format('applied', 'applied')}"
            )
        if self.direction == "down":
            return f"{look}: {ledger.format('taken back', 'taken back')}"
        return f"nothing was changed. {look}."


def job_for(frozen: Frozen, step: Migration, asked_by: str) -> dict[str, Any]:
    """The Job that applies one migration; see ``job_of``."""
    return job_of(frozen, apply_errand(step), asked_by)


def apply_errand(step: Migration) -> Errand:
    """To apply a migration."""
    return Errand(step.id, "up", step.title, tuple(step.up), step.timeout_seconds)


def job_of(frozen: Frozen, errand: Errand, asked_by: str) -> dict[str, Any]:
    """The Job of one errand, by the build that the release's migrations name.

    Its name comes from what it carries and from who asks: a retry of the same task finds the Job of the
    try before it. A later run, or one that on-call clears, asks the ledger again with a Job of its own.

    Args:
        frozen: the frozen release.
        errand: what for.
        asked_by: DAG run and how often it was cleared.
    """
    migrations = frozen.release.migrations
    if migrations is None:
        raise ValueError(f"{frozen.release.name} has no migrations")
    container = {
        **copy.deepcopy(migrations.container),
        "name": CONTAINER,
        "image": frozen.images[migrations.image],
        "command": list(errand.command),
    }
    if errand.env:
        more = [{"name": name, "value": value} for name, value in errand.env]
        container["env"] = [*container.get("env", []), *more]
    pod = {"terminationGracePeriodSeconds": 30, **copy.deepcopy(migrations.pod), "containers": [container]}
    pod["restartPolicy"] = "Never"
    name_configuration(pod, {each["metadata"]["labels"][f"{FIELD_MANAGER}/base-name"]: each["metadata"]["name"]
                             for each in frozen.config_maps})  # fmt: skip
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": errand.timeout_seconds,
        "ttlSecondsAfterFinished": KEEP_SECONDS,
    }
    content = short_digest([errand.id, errand.direction, pod, spec])
    labels = {
        **MANAGED_BY,
        LABEL_APP: frozen.release.app,
        LABEL_MIGRATION: errand.id,
        LABEL_DIRECTION: errand.direction,
        LABEL_CONTENT: content,
    }
    ending = f"{content}-{short_digest(asked_by)[:6]}"
    start = "migrate" if errand.direction == "up" else f"migrate-{errand.direction}"
    # A Job's name is a label of its pods: 63 characters at most.
    name = f"{start}-{errand.id[: 61 - len(start) - len(ending)].strip('-')}-{ending}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": frozen.environment.namespace,
            "labels": labels,
            "annotations": {NOTE_RELEASE: frozen.release.name, NOTE_RUN: asked_by},
        },
        "spec": {**spec, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def short_digest(content: Any) -> str:
    """Ten hex digits of a content's SHA-256."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class JobState:
    """What a Job's status says."""

    phase: Literal["running", "complete", "failed"]
    reason: str = ""


def job_state(job: dict[str, Any]) -> JobState:
    """Read a Job's conditions. SuccessCriteriaMet and FailureTarget come first, when pods are still ending."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") != "True":
            continue
        if condition["type"] == "Complete":
            return JobState("complete")
        if condition["type"] == "Failed":
            return JobState(
                "failed", f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
            )
    return JobState("running")


def choose(jobs: list[dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The Job to go on with: the one of this name, else one that runs with the same content; None to create one."""
    name, content = wanted["metadata"]["name"], wanted["metadata"]["labels"][LABEL_CONTENT]
    for job in jobs:
        if job["metadata"]["name"] == name:
            return job
    for job in jobs:
        same = job["metadata"].get("labels", {}).get(LABEL_CONTENT) == content
        if same and job_state(job).phase == "running":
            return job
    return None


def pod_problem(pod: dict[str, Any]) -> str:
    """Why a Job's pod does not start (image, configuration, scheduling); empty when it does."""
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    return ""


def exit_code(pods: list[dict[str, Any]]) -> int | None:
    """The exit code of the first pod whose container has ended."""
    for pod in pods:
        for each in (pod.get("status") or {}).get("containerStatuses") or []:
            ended = (each.get("state") or {}).get("terminated")
            if ended and ended.get("exitCode") is not None:
                return int(ended["exitCode"])
    return None


def exit_text(pod: dict[str, Any]) -> str:
    """How the migration's container ended: ``exit code 3``; empty when it has not."""
    for each in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (each.get("state") or {}).get("terminated")
        if ended:
            reason = ended.get("reason")
            return f"exit code {ended.get('exitCode')}" + (
                f" ({reason})" if reason not in (None, "Error", "Completed") else ""
            )
    return ""
