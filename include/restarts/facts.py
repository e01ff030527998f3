"""The words that the restart watch uses: causes, and one restart as it is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Cause = Literal[
    "network",
    "oom",
    "liveness",
    "startup_probe",
    "image",
    "config",
    "node",
    "application",
    "signal",
    "clean_exit",
    "unknown",
]
CAUSES: tuple[str, ...] = get_args(Cause)
ANY = "any"
"""In a guard's ``causes``: every restart counts, whatever its cause, as in a plain restart counter."""

Role = Literal["main", "init", "sidecar"]
"""A sidecar is an init container with ``restartPolicy: Always``."""


class Restart(BaseModel):
    """One restart of one container: the end of a process that the kubelet started again, or is about to.

    ``number`` is the ``restartCount`` that it led to, so that (pod_uid, container, number) names it for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pod: str
    pod_uid: str
    deployment_uid: str = ""
    """Of the Deployment that the pod belonged to: a watch may be given another one, or one of the same name be made."""
    container: str
    role: Role = "main"
    number: int = Field(ge=1)
    at: AwareDatetime
    seen: bool = True
    """False for one that nobody saw: the count jumped by more than one. Its cause is unknown."""
    pending: bool = False
    """The process has ended and the kubelet waits before it starts it again (back-off): no restart yet."""
    not_before: AwareDatetime | None = None
    """Of one that nobody saw: it happened after this time and not after ``at``. None: nothing is known."""
    cause: Cause = "unknown"
    evidence: str = ""
    """One line that says why the cause is what it is."""
    not_counted: str = ""
    """Why it does not count (a rollout, ...); empty when it does."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from every other restart."""
        return self.pod_uid, self.container, self.number


def within(restart: Restart, now: datetime, minutes: float) -> bool:
    """Whether it happened in the last ``minutes``; one that a clock puts in the future did."""
    return (now - restart.at).total_seconds() <= minutes * 60
