"""The Job of one step of a clean-up: which claim it mounts where, as whom it runs, and on which node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.jobs.load import Load
from include.jobs.naming import KEEP_SECONDS, LABEL_CONTENT, job_name, short_digest
from include.logs.loading import PlacedVolume
from include.logs.mounts import ARCHIVE_MOUNT, PROGRAM_MOUNT, REQUEST_MOUNT
from include.logs.program_map import LABEL_PART, LABEL_VOLUME, PACKAGE, program_map, request_map
from include.logs.requesting import Asker, request_text
from include.logs.retention import Command, Volume
from include.release.frozen import MANAGED_BY, NOTE_RUN

CONTAINER = "log-cleanup"
START_GRACE = 120.0
"""Seconds: at night nobody waits for it, and a node may have to become free first."""
TITLES: dict[str, str] = {
    "measure": "measures the space",
    "plan": "plans what goes, and changes nothing",
    "archive": "archives what is to go",
    "verify": "reads the archives back",
    "delete": "deletes what is archived, or need not be",
    "space": "measures the space again",
    "report": "reports",
    "restore": "restores from the archives",
    "release": "lets the volume go",
}
SUBJECTS: dict[str, str] = {
    "measure": "Measuring {volume}",
    "plan": "Planning the clean-up of {volume}",
    "archive": "Archiving logs of {volume}",
    "verify": "Verifying the archives of {volume}",
    "delete": "Deleting logs of {volume}",
    "space": "Verifying the space of {volume}",
    "report": "The report on {volume}",
    "restore": "Restoring logs of {volume}",
    "release": "Letting go of {volume}",
}


def subject_of(command: str, volume: str) -> str:
    """How an error about a step begins."""
    return SUBJECTS[command].format(volume=volume)


def what_now(command: str) -> str:
    """What on-call does when a step failed."""
    if command in ("archive", "verify"):
        return (
            "nothing was deleted. Put the cause right and clear this task: what is archived already is not archived "
            "again"
        )
    if command == "delete":
        return "put the cause right and clear this task: it goes on where it was, and deletes only what is archived"
    if command == "restore":
        return "put the cause right and clear this task: no file that is there was written over"
    return "nothing was changed. Put the cause right and clear this task"


def step_load(
    placed: PlacedVolume,
    command: Command,
    request: dict[str, Any],
    asker: Asker,
    beside: dict[str, Any] | None = None,
) -> Load:
    """What carries one step: the Job, and how it is spoken of.

    Args:
        placed: the volume, in an environment.
        command: the step.
        request: of ``requesting.request_of``.
        asker: the run.
        beside: of ``beside.beside_user``. It is no part of what makes a Job the same: where the volume's user runs may
            change between two tries.
    """
    volume, environment = placed.volume, placed.environment
    if environment is None:
        raise ValueError(f"{volume.name} is on the worker: no Job")
    text = request_text(request)
    maps = {"program": program_map()["metadata"]["name"]}
    maps["request"] = request_map(volume.name, text, asker.run)["metadata"]["name"]
    pod = _pod(placed, command, maps)
    seconds = volume.timeout_minutes * 60
    content = short_digest([command, maps, pod, seconds])
    pod |= beside or {}
    labels = {**MANAGED_BY, LABEL_PART: "job", LABEL_VOLUME: volume.name, LABEL_CONTENT: content}
    name = job_name(f"logs-{command}-{volume.name}", content, asker.asked_by)
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": environment.namespace,
            "labels": labels,
            "annotations": {NOTE_RUN: asker.run},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return Load(
        manifest=manifest,
        label=f"{volume.name}: {command}",
        title=TITLES[command],
        subject=subject_of(command, volume.name),
        what_now=f"{what_now(command)}.",
        gone="Clear this task: the volume knows what is done.",
        cannot_start=(
            f"put the cause right and clear this task; what the Job needs is configured under volume {volume.name} in "
            "log_retention.yaml"
        ),
        start_grace=START_GRACE,
    )


def command_line(command: str, root: str, archive_to: str, request: str, module: str = PACKAGE) -> list[str]:
    """What runs a step. Where the volume is mounted is said beside the request, which may be read elsewhere."""
    words = ["python3", "-m", module, command, "--request", request, "--root", root]
    return [*words, "--archive-to", archive_to] if archive_to else words


def _pod(placed: PlacedVolume, command: str, maps: dict[str, str]) -> dict[str, Any]:
    volume = placed.volume
    archive = volume.archive_to.claim if volume.archive_to else None
    volumes: list[dict[str, Any]] = [
        {"name": "logs", "persistentVolumeClaim": {"claimName": volume.claim}},
        {"name": "program", "configMap": {"name": maps["program"]}},
        {"name": "request", "configMap": {"name": maps["request"]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "logs", "mountPath": volume.path},
        {"name": "program", "mountPath": f"{PROGRAM_MOUNT}/{PACKAGE}", "readOnly": True},
        {"name": "request", "mountPath": REQUEST_MOUNT, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
    ]
    if archive:
        volumes.append({"name": "archive", "persistentVolumeClaim": {"claimName": archive}})
        mounts.append({"name": "archive", "mountPath": ARCHIVE_MOUNT})
    resources = volume.resources
    container = {
        "name": CONTAINER,
        "image": placed.image,
        "command": command_line(
            command, volume.path, ARCHIVE_MOUNT if archive else "", f"{REQUEST_MOUNT}/request.json"
        ),
        "env": [{"name": name, "value": value} for name, value in ENVIRONMENT],
        "resources": {
            "requests": {"cpu": resources.cpu, "memory": resources.memory},
            "limits": {"memory": resources.memory_limit}
            | ({"cpu": resources.cpu_limit} if resources.cpu_limit else {}),
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": False,
        "securityContext": _as_user(volume),
        "containers": [container],
        "volumes": volumes,
    }


ENVIRONMENT: Sequence[tuple[str, str]] = (
    ("PYTHONPATH", PROGRAM_MOUNT),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUNBUFFERED", "1"),
)


def _as_user(volume: Volume) -> dict[str, Any]:
    """The user who owns the files: to nobody else a lease tells whether a file is open.

    No group is given the volume unless that is configured: it would change the files of the application.
    """
    user, group = int(volume.user or 0), volume.group if volume.group is not None else int(volume.user or 0)
    found: dict[str, Any] = {
        "runAsUser": user,
        "runAsGroup": group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if user:
        found["runAsNonRoot"] = True
    if volume.fs_group is not None:
        # Not file by file when the root has the group already: there may be a million.
        found |= {"fsGroup": volume.fs_group, "fsGroupChangePolicy": "OnRootMismatch"}
    return found
