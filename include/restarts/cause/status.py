"""What the pod's status says of a container: its role, its last death, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.restarts.facts import Role

EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
"""What is before it was never set: a process that never started has a startedAt of 1970."""


@dataclass(frozen=True)
class Death:
    """The last end of the container's process."""

    exit_code: int
    reason: str
    message: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class Container:
    """One container of a pod, as far as its status tells; all of it may be absent."""

    name: str
    role: Role
    spec: dict[str, Any]
    restarts: int
    waiting: str
    """Reason that it waits for, such as CrashLoopBackOff; empty when it does not."""
    waiting_message: str
    runs: bool
    ended: bool
    """It has not been started again since its death: its current log is that of the death."""
    death: Death | None

    @property
    def at_work(self) -> bool:
        """Nothing to explain: it never died, and waits for nothing but its turn."""
        return self.death is None and self.waiting in ("", "PodInitializing")


def containers_of(pod: dict[str, Any]) -> list[Container]:
    """Its containers in the order of the spec, init containers first."""
    spec = pod.get("spec") or {}
    names = [each.get("name", "") for key in ("initContainers", "containers") for each in spec.get(key) or []]
    if not names:
        status = pod.get("status") or {}
        keys = ("initContainerStatuses", "containerStatuses")
        names = [each.get("name", "") for key in keys for each in status.get(key) or []]
    return [container_of(pod, name) for name in names]


def container_of(pod: dict[str, Any], name: str) -> Container:
    """One container. One that the pod does not have is a main container of which nothing is known."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    init = _named(spec.get("initContainers"), name)
    found = _named(status.get("initContainerStatuses"), name) or _named(status.get("containerStatuses"), name)
    inited = init is not None or _named(status.get("initContainerStatuses"), name) is not None
    role: Role = "main"
    if inited:
        role = "sidecar" if (init or {}).get("restartPolicy") == "Always" else "init"
    found = found or {}
    state = found.get("state") or {}
    waiting = state.get("waiting") or {}
    now, before = state.get("terminated"), (found.get("lastState") or {}).get("terminated")
    if now and before and role == "init" and not now.get("exitCode"):
        now = None  # it has done its work in the end: what is to be explained is the death before
    return Container(
        name=name,
        role=role,
        spec=init or _named(spec.get("containers"), name) or {},
        restarts=int(found.get("restartCount") or 0),
        waiting=str(waiting.get("reason") or ""),
        waiting_message=str(waiting.get("message") or ""),
        runs="running" in state,
        ended=bool(now),
        death=_death(now or before),
    )


def culprits(pod: dict[str, Any]) -> list[Container]:
    """The containers that have something to explain, the likeliest first; all of them when none has."""
    everyone = containers_of(pod)
    troubled = [each for each in everyone if not each.at_work and not _done(each)]
    if not troubled:
        return [each for each in everyone if each.role == "main"] or everyone
    # all of them end when the pod is evicted: its main container stands for it
    return sorted(
        troubled, key=lambda each: (each.waiting == "ContainerCreating", -each.restarts, each.role != "main")
    )


def when(value: Any) -> datetime | None:
    """A time as the API writes it; None when there is none that makes sense."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found > EPOCH else None


def _done(container: Container) -> bool:
    clean = container.death is not None and container.death.exit_code == 0
    return container.role == "init" and container.ended and clean and container.restarts == 0


def _death(found: Any) -> Death | None:
    if not isinstance(found, dict):
        return None
    code = found.get("exitCode")
    return Death(
        exit_code=int(code) if isinstance(code, int) else -1,
        reason=str(found.get("reason") or ""),
        message=str(found.get("message") or ""),
        started=when(found.get("startedAt")),
        finished=when(found.get("finishedAt")),
    )


def _named(items: Any, name: str) -> dict[str, Any] | None:
    return next((each for each in items or [] if isinstance(each, dict) and each.get("name") == name), None)
