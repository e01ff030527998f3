"""What one watch watches, and by which rules it decides."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from include.release.environments import Environment
from include.restarts.guards import Causes, Guard, Guards, Minutes, Threshold

Filled = Annotated[str, Field(min_length=1)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=240)]
"""A name that an object of the cluster can have, with a prefix of ours."""


class WatchSpec(BaseModel):
    """One watch: a guard's, or that of another DAG (a soak after a release).

    Plain values only, as Airflow stores it with the trigger.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ObjectName = Field(description="Name of the watch; its counts are kept under it")
    connection: Filled = Field(description="Airflow connection of the cluster")
    namespace: ObjectName = Field(description="Namespace of the Deployment")
    deployment: ObjectName = Field(description="Deployment that is watched")
    threshold: Threshold = Field(default=3, description="It trips at more restarts than this")
    window_minutes: Minutes = Field(default=15, description="... in so many minutes")
    causes: Causes = Field(default=["network"], description="Causes that count")
    init_containers: bool = Field(default=True, description="Restarts of init containers count")
    sidecars: bool = Field(default=True, description="Restarts of sidecars count")
    containers: list[str] = Field(default=[], description="Only these containers; none: all")
    cooldown_minutes: Minutes = Field(default=30, description="Between two alerts of one kind")
    relist_seconds: float = Field(default=60, gt=0, description="Seconds between two full lists")
    begun_at: AwareDatetime | None = Field(
        default=None, description="A soak: what was before that does not count"
    )

    @classmethod
    def of_guard(cls, guard: Guard, place: Environment, guards: Guards) -> WatchSpec:
        """The watch of a guard."""
        same = ("name", "deployment", "threshold", "window_minutes", "causes", "init_containers", "sidecars")
        return cls(
            connection=place.connection,
            namespace=place.namespace,
            containers=list(guard.containers),
            cooldown_minutes=guard.cooldown_minutes,
            relist_seconds=guards.relist_seconds,
            **{name: getattr(guard, name) for name in same},
        )
