"""The Job of a migration's command: its manifest, its name, and what its status means.

The Job carries a migration; whether that is applied is written in the migrated database's ledger, and the
program in the Job asks the ledger first. So a Job may run again at any time; but not twice at once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

from include.jobs.naming import KEEP_SECONDS, LABEL_CONTENT, job_name, short_digest
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
    start = "migrate" if errand.direction == "up" else f"migrate-{errand.direction}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(f"{start}-{errand.id}", content, asked_by),
            "namespace": frozen.environment.namespace,
            "labels": labels,
            "annotations": {NOTE_RELEASE: frozen.release.name, NOTE_RUN: asked_by},
        },
        "spec": {**spec, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
