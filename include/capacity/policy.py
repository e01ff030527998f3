"""How much room a plan leaves: the models behind ``include/config/capacity.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from include.capacity.figures import Amount, Share
from include.release.strict import Name, Strict, Text


class Use(Strict):
    """The most that a pod may be used, of what it has."""

    users: Share = Field(title="Of the users that one container was measured with")
    memory: Share = Field(title="Of the memory limit")
    cpu: Share = Field(title="Of the CPU request")


class Rounding(Strict):
    """Sizes are rounded up to multiples of these."""

    memory: Amount = Field(default="32Mi", title="Memory")
    cpu: Amount = Field(default="50m", title="CPU")


class Limits(Strict):
    """What limits are set beside the requests."""

    memory: Literal["request"] = Field(default="request", title="Memory limit: the same as the request")
    cpu: Literal["none", "request"] = Field(
        default="none", title="CPU limit: none (free CPU of the node may be used), or the same as the request"
    )


class QueuePolicy(Strict):
    """Rules for workers on a queue, where work waits instead of failing."""

    memory: Share = Field(default="80 %", title="The most that a full queue may use of the memory limit")
    replicas: Annotated[int, Field(ge=1)] = Field(default=1, title="Pods at least")
    pods_out: Annotated[int, Field(ge=0)] = Field(default=0, title="Pods that may be out")


class Spread(Strict):
    """How pods of a serving workload are spread over nodes."""

    over: Text = Field(default="kubernetes.io/hostname", title="Label of nodes that makes them one place")
    max_skew: Annotated[int, Field(ge=1)] = Field(
        default=1, title="Pods that one place may have more than another"
    )
    if_impossible: Literal["ScheduleAnyway", "DoNotSchedule"] = Field(
        default="ScheduleAnyway", title="What happens to a pod that would make the spread worse"
    )


class Trial(Strict):
    """A fixed number of small-scale pods, for an environment that shows that a release works, not what it holds."""

    replicas: Annotated[int, Field(ge=1)] = Field(title="Pods of each workload, at most")
    reason: Text = Field(title="Why this environment runs fewer than the plan")


class CapacityPolicy(Strict):
    """The rules that a plan is made by."""

    name: Name = Field(default="full", title="Name that environments.yaml uses")
    like: Name | None = Field(default=None, title="Policy whose rules hold where this one sets none")
    at_peak: Use = Field(default=Use(users="80 %", memory="80 %", cpu="80 %"), title="While every pod runs")
    with_pods_out: Use = Field(
        default=Use(users="100 %", memory="90 %", cpu="100 %"), title="While as many pods are out as may be"
    )
    pods_out: Annotated[int, Field(ge=0)] = Field(default=1, title="Pods that may be out at peak")
    replicas: Annotated[int, Field(ge=1)] = Field(default=2, title="Pods of a serving workload at least")
    round_up_to: Rounding = Field(default=Rounding(), title="Rounding")
    limits: Limits = Field(default=Limits(), title="Limits")
    queues: QueuePolicy = Field(default=QueuePolicy(), title="Workers on queues")
    spread: Spread | None = Field(
        default=Spread(), title="Spread over nodes; null to leave it to the cluster"
    )
    trial: Trial | None = Field(default=None, title="Fixed number of pods instead of the plan's")


class CapacityPolicies(Strict):
    """All policies."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Capacity policies")

    policies: list[CapacityPolicy] = Field(min_length=1, title="Policies")

    def find(self, name: str) -> CapacityPolicy | None:
        """The policy of that name, with the rules of the one that it is like."""
        found = self._named(name)
        base = self._named(found.like) if found and found.like else None
        if found is None or base is None:
            return found
        own = {field: getattr(found, field) for field in found.model_fields_set}
        return base.model_copy(update=own)

    def _named(self, name: str) -> CapacityPolicy | None:
        return next((each for each in self.policies if each.name == name), None)
