"""What load tests and the people who know said: the ``capacity`` section of a release.

A fact that can be read in more than one way is an assumption with a name: its readings, the one that binds, and why.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.capacity.figures import Amount, Change, Figure, Share
from include.release.strict import Name, Strict, Text


class Growth(Strict):
    """An announced growth of the number of users, which are more at once in proportion."""

    times: Figure = Field(title="How many times, as announced")
    read_as: Literal["addition", "multiplication"] = Field(
        title="addition: so many times today's users come on top; multiplication: there will be so many times today's"
    )


class ServingReading(Strict):
    """One way to read a fact about a workload that serves users; what it sets replaces the fact."""

    name: Text = Field(title="Name of the reading")
    memory_used_at: Figure | None = Field(
        default=None, title="Users of one container when the memory share was measured"
    )
    users_at_peak: Figure | None = Field(default=None, title="Users to be held at once")
    growth: Growth | None = Field(
        default=None, title="Growth of today's users; gives the users to be held at once"
    )


class QueueReading(Strict):
    """One way to read a fact about a queue's workers; what it sets replaces the fact."""

    name: Text = Field(title="Name of the reading")
    memory_at_full_queue: Amount | None = Field(default=None, title="Memory that a full queue used")
    cpu_times_per: Literal["pod", "process"] | None = Field(
        default=None, title="Whether the recommended CPU is for the whole pod or for each of its processes"
    )


class Assumption(Strict):
    """A fact that can be read in more than one way."""

    question: Text = Field(title="What is not clear")
    binding: Text = Field(title="Name of the reading that the plan is made with")
    because: Text = Field(title="Why that one")


class ServingAssumption(Assumption):
    """An assumption about a workload that serves users."""

    readings: list[ServingReading] = Field(min_length=2, title="The ways to read it")


class QueueAssumption(Assumption):
    """An assumption about a queue's workers."""

    readings: list[QueueReading] = Field(min_length=2, title="The ways to read it")


class Documented(Strict):
    """Another answer, which the plan is compared with."""

    source: Text = Field(title="Whose answer it is")
    replicas: Annotated[int, Field(ge=0)] | None = Field(default=None, title="Pods")
    memory: Amount | None = Field(default=None, title="Memory request of a container")
    cpu: Amount | None = Field(default=None, title="CPU request of a container")
    note: Text | None = Field(default=None, title="What else is to be known of it")


class Workload(Strict):
    """What all facts about a workload have."""

    workload: Name = Field(title="Deployment")
    container: Name | None = Field(
        default=None, title="Container that the facts are about; not needed if there is one"
    )
    documented: Documented | None = Field(default=None, title="Another answer to compare with")
    pinned_because: Text | None = Field(
        default=None, title="Why the objects below ask for less than the plan; not needed if they do not"
    )


class Serving(Workload):
    """A workload that serves users, and what one of its containers was measured to hold."""

    memory: Amount = Field(title="Memory of one container in the load test")
    cpu: Amount = Field(title="CPU of one container in the load test")
    users: Figure = Field(title="Users that one container served at once with that memory and CPU")
    memory_used: Share = Field(title="Share of that memory that was in use")
    memory_used_at: Figure | None = Field(
        default=None, title="Users of one container at that moment; left out when an assumption sets it"
    )
    memory_change: Change = Field(default="0 %", title="Change of memory for the same users since that test")
    cpu_change: Change = Field(default="0 %", title="Change of CPU for the same users since that test")
    users_now: Figure | None = Field(default=None, title="Users in all, today")
    users_now_at_once: Figure | None = Field(default=None, title="Users at once, today")
    users_at_peak: Figure | None = Field(
        default=None, title="Users to be held at once; left out when an assumption sets it"
    )
    assumptions: list[ServingAssumption] = Field(default=[], title="Facts that can be read in several ways")


class TimesCpu(Strict):
    """CPU recommended as a multiple of another workload's."""

    times: Figure = Field(title="How many times")
    of: Name = Field(title="Deployment whose container is the measure; its facts are in serving")


class Queue(Workload):
    """Workers on a queue of orders, in one pod."""

    processes: Annotated[int, Field(ge=1)] = Field(title="Processes of a pod")
    at_a_time: Figure = Field(title="Orders at a time of a pod, all processes together")
    seconds_per_order: Figure = Field(title="Seconds an order takes at least")
    seconds_per_order_at_most: Figure = Field(title="Seconds an order takes at most")
    memory_at_full_queue: Amount | None = Field(
        default=None, title="Memory that a full queue used; left out when an assumption sets it"
    )
    cpu: TimesCpu = Field(title="CPU that was recommended")
    cpu_times_per: Literal["pod", "process"] | None = Field(
        default=None,
        title="Whether that is for the pod or for each process; left out when an assumption sets it",
    )
    orders_per_hour: Figure | None = Field(default=None, title="Orders that come in an hour, if known")
    assumptions: list[QueueAssumption] = Field(default=[], title="Facts that can be read in several ways")


class Unmeasured(Strict):
    """A workload that nobody measured: it runs what the objects below say."""

    workload: Name = Field(title="Deployment")
    because: Text = Field(title="Why there are no facts")


class Capacity(Strict):
    """Facts about every Deployment of the release."""

    serving: list[Serving] = Field(default=[], title="Workloads that serve users")
    queues: list[Queue] = Field(default=[], title="Workers on queues")
    unmeasured: list[Unmeasured] = Field(default=[], title="Workloads without facts")
