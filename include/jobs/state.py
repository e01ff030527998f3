"""What the status of a Job and of its pods means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from include.jobs.naming import LABEL_CONTENT

Json = dict[str, Any]


@dataclass(frozen=True)
class JobState:
    """What a Job's status says."""

    phase: Literal["running", "complete", "failed"]
    reason: str = ""


def job_state(job: Json) -> JobState:
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


def choose(jobs: list[Json], wanted: Json) -> Json | None:
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


def has_started(pod: Json, container: str) -> bool:
    """Whether a container of a pod runs or has run: its log can be read."""
    for each in _containers(pod):
        state = each.get("state") or {}
        if each["name"] == container and ("running" in state or "terminated" in state):
            return True
    return False


def is_running(pod: Json | None, container: str) -> bool:
    """Whether a container of a pod runs: its log may get more lines. False for a pod that is gone."""
    if pod is None or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    return any(
        each["name"] == container and "running" in (each.get("state") or {}) for each in _containers(pod)
    )


def pod_problem(pod: Json) -> str:
    """Why a Job's pod does not start (image, configuration, scheduling); empty when it does."""
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or []), *_containers(pod)):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    return ""


def event_problem(events: list[Json]) -> str:
    """Why a Job gets no pod (quota, permission) or a pod no volume, by its newest event; empty when that is no warning."""
    newest = max(events, key=_when, default={})
    if newest.get("type") != "Warning":
        return ""
    return f"{newest.get('reason', '')}: {' '.join(str(newest.get('message', '')).split())}".strip(": ")


def exit_code(pods: list[Json]) -> int | None:
    """The exit code of the first pod whose container has ended."""
    for pod in pods:
        for each in _containers(pod):
            ended = (each.get("state") or {}).get("terminated")
            if ended and ended.get("exitCode") is not None:
                return int(ended["exitCode"])
    return None


def exit_text(pod: Json) -> str:
    """How a Job's container ended: ``exit code 3``; empty when it has not."""
    for each in _containers(pod):
        ended = (each.get("state") or {}).get("terminated")
        if ended:
            reason = ended.get("reason")
            return f"exit code {ended.get('exitCode')}" + (
                f" ({reason})" if reason not in (None, "Error", "Completed") else ""
            )
    return ""


def _containers(pod: Json) -> list[Json]:
    found: list[Json] = (pod.get("status") or {}).get("containerStatuses") or []
    return found


def _when(event: Json) -> str:
    """When it was last seen: times in UTC, as Kubernetes writes them, sort as text."""
    about = event.get("metadata") or {}
    series = (event.get("series") or {}).get("lastObservedTime")
    found = series or event.get("lastTimestamp") or event.get("eventTime") or about.get("creationTimestamp")
    return str(found or "")
