"""Why a rollout does not get on, and whether it can still succeed by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from include.release.environments import RolloutPolicy
from include.release.rollout import Snapshot, condition
from include.release.texts import plural

Cause = Literal["crash loop", "image", "configuration", "quota", "unschedulable", "probe", "evicted"]
AROUND: frozenset[Cause] = frozenset({"image", "configuration", "quota", "unschedulable", "evicted"})
"""The program was never tried: this says nothing of the build."""

_IMAGE_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
}
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_IMAGE_IS_ABSENT = (
    "not found",
    "does not exist",
    "manifest unknown",
    "repository does not exist",
    "couldn't parse",
    "invalid reference",
)


@dataclass(frozen=True)
class Trouble:
    """Something that holds a rollout up.

    ``grace_seconds``: how long it may last before it is given up; None is until the progress deadline.
    ``container`` and ``previous`` say whose log tells more.
    """

    cause: Cause
    text: str
    pod: str = ""
    container: str = ""
    previous: bool = False
    grace_seconds: int | None = None

    @property
    def key(self) -> str:
        """The same for the same trouble at the next look."""
        return f"{self.cause}/{self.container}"


def troubles(snapshot: Snapshot, deployment: dict[str, Any], policy: RolloutPolicy) -> list[Trouble]:
    """What holds this Deployment's rollout up, the most telling first."""
    found = []
    for pod in snapshot.new_pods(deployment):
        found.extend(_pod_troubles(pod, snapshot, policy))
    found.extend(_quota_troubles(deployment, policy))
    order = ["image", "configuration", "crash loop", "quota", "unschedulable", "evicted", "probe"]
    return sorted(found, key=lambda trouble: order.index(trouble.cause))


def _pod_troubles(pod: dict[str, Any], snapshot: Snapshot, policy: RolloutPolicy) -> list[Trouble]:
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    if status.get("reason") == "Evicted":
        return [Trouble("evicted", f"pod {name} was evicted: {status.get('message', '')}", name)]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [Trouble("unschedulable", f"pod {name} fits on no node: {scheduled.get('message', '')}", name)]
    found = []
    for each in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        trouble = _container_trouble(each, pod, snapshot, policy)
        if trouble is not None:
            found.append(trouble)
    return found


def _container_trouble(
    each: dict[str, Any], pod: dict[str, Any], snapshot: Snapshot, policy: RolloutPolicy
) -> Trouble | None:
    name, container = pod["metadata"]["name"], each["name"]
    waiting = (each.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _IMAGE_REASONS:
        told = _told(snapshot, name, "Failed", "Failed to pull") or message
        absent = (
            any(words in (told + message).lower() for words in _IMAGE_IS_ABSENT)
            or reason == "InvalidImageName"
        )
        text = f"image {each.get('image')} of pod {name} cannot be pulled: {told}"
        return Trouble(
            "image", text, name, container, grace_seconds=policy.image_grace_seconds if absent else None
        )
    if reason in _CONFIG_REASONS:
        text = f"container {container} of pod {name} cannot be made: {message}"
        return Trouble("configuration", text, name, container, grace_seconds=policy.config_grace_seconds)
    ended = _last_end(each)
    restarts = each.get("restartCount", 0)
    killed = _told(snapshot, name, "Killing", "failed liveness probe", "failed startup probe")
    unhealthy = _told(snapshot, name, "Unhealthy")
    if restarts and (restarts >= policy.crash_restarts or reason == "CrashLoopBackOff"):
        why = f"; {unhealthy}" if killed and unhealthy else ""
        text = f"container {container} of pod {name} was restarted {plural(restarts, 'time')}; it ended with {_end_text(ended)}{why}"
        hopeless = restarts >= policy.crash_restarts
        return Trouble("crash loop", text, name, container, True, 0 if hopeless else None)
    if not each.get("ready") and (each.get("state") or {}).get("running") and unhealthy:
        return Trouble(
            "probe", f"container {container} of pod {name} is not ready: {unhealthy}", name, container
        )
    return None


def _quota_troubles(deployment: dict[str, Any], policy: RolloutPolicy) -> list[Trouble]:
    failure = condition(deployment, "ReplicaFailure")
    if failure.get("status") != "True":
        return []
    name, message = deployment["metadata"]["name"], failure.get("message", "")
    if "exceeded quota" in message:
        grace = policy.quota_grace_seconds
        return [Trouble("quota", f"{name}: the quota refuses new pods: {message}", grace_seconds=grace)]
    return [
        Trouble(
            "configuration",
            f"{name}: new pods are refused: {message}",
            grace_seconds=policy.config_grace_seconds,
        )
    ]


def _last_end(each: dict[str, Any]) -> dict[str, Any]:
    for place in ("state", "lastState"):
        ended = (each.get(place) or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}


def _end_text(ended: dict[str, Any]) -> str:
    if not ended:
        return "an unknown exit code"
    reason, message = ended.get("reason"), str(ended.get("message") or "").strip()
    text = f"exit code {ended.get('exitCode')}"
    if reason not in (None, "Error", "Completed"):
        text += f" ({reason})"
    return f"{text}: {message.splitlines()[-1]}" if message else text


def _told(snapshot: Snapshot, pod: str, reason: str, *words: str) -> str:
    """The message of the newest event of that reason about a pod, that has one of the words (if any)."""
    for event in reversed(pod_events(snapshot, pod)):
        message = event.get("message", "")
        if event.get("reason") == reason and (not words or any(word in message for word in words)):
            return str(message).strip().rstrip(":")
    return ""


def pod_events(snapshot: Snapshot, *names: str) -> list[dict[str, Any]]:
    """The events about these objects, oldest first."""
    found = [event for event in snapshot.events if (event.get("involvedObject") or {}).get("name") in names]
    return sorted(found, key=event_time)


def event_time(event: dict[str, Any]) -> str:
    """When an event was last seen. The scheduler's have eventTime only."""
    times = (event.get("lastTimestamp"), event.get("eventTime"), event["metadata"].get("creationTimestamp"))
    return next((each for each in times if each), "")


def event_line(event: dict[str, Any]) -> str:
    """One event, as ``kubectl describe`` would show it."""
    count = event.get("count") or 1
    times = f" (x{count})" if count > 1 else ""
    when = event_time(event)
    clock = datetime.fromisoformat(when).astimezone(UTC).strftime("%H:%M:%S") if when else "--:--:--"
    about = event.get("involvedObject") or {}
    return f"{clock} {event.get('type', '')} {event.get('reason', '')}{times} {about.get('kind', '')}/{about.get('name', '')}: {event.get('message', '').strip()}"
