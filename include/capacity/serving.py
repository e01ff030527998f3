"""The size of a workload that serves users: from one measured container to all pods at peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from include.capacity.facts import Growth, Serving, ServingReading
from include.capacity.figures import (
    amount,
    cpu_quantity,
    fraction,
    memory_quantity,
    percent,
    step_up,
    whole_up,
)
from include.capacity.plan import Size
from include.capacity.policy import CapacityPolicy


@dataclass(frozen=True)
class Load:
    """The facts with each ambiguous one read in one way. Memory in bytes, CPU in cores."""

    users: Fraction
    """Users at once that one container was measured with."""
    memory_used: Fraction
    memory_used_at: Fraction
    memory_change: Fraction
    memory_per_user: Fraction
    cpu_per_user: Fraction
    peak: Fraction
    growth: Growth | None = None
    """The announced growth that ``peak`` was worked out from."""


@dataclass(frozen=True)
class Worked:
    """The size of a workload under one load, with the steps to it."""

    load: Load
    for_peak: int
    """Pods that are needed for the users while every pod runs."""
    for_pods_out: int
    """Pods that are needed with some of them out; those are counted in."""
    replicas: int
    out: int
    each: Fraction
    """Users of a pod at peak."""
    each_with_out: Fraction
    memory_needs: tuple[Fraction, Fraction, Fraction]
    """At peak, with pods out, and as full as it was measured."""
    memory: Fraction
    cpu_needs: tuple[Fraction, Fraction]
    cpu: Fraction


def load_of(facts: Serving, readings: Sequence[ServingReading]) -> Load:
    """The facts, with what the chosen readings set in their place.

    Raises:
        ValueError: a fact is set neither by the facts nor by a reading (``checks`` says so with the line).
    """
    used_at = next((each.memory_used_at for each in readings if each.memory_used_at), facts.memory_used_at)
    peak, growth = facts.users_at_peak, None
    for reading in readings:
        if reading.users_at_peak is not None:
            peak, growth = reading.users_at_peak, None
        elif reading.growth is not None:
            peak, growth = None, reading.growth
    if used_at is None or (peak is None and growth is None):
        raise ValueError(f"the facts of {facts.workload} are not complete")
    users, change = fraction(facts.users), percent(facts.memory_change)
    used = amount(facts.memory) * percent(facts.memory_used)
    return Load(
        users=users,
        memory_used=used,
        memory_used_at=fraction(used_at),
        memory_change=change,
        memory_per_user=used * (1 + change) / fraction(used_at),
        # The container served its users with this CPU: at most so much each.
        cpu_per_user=amount(facts.cpu) * (1 + percent(facts.cpu_change)) / users,
        peak=fraction(peak) if peak is not None else grown(facts, growth),
        growth=growth,
    )


def grown(facts: Serving, growth: Growth | None) -> Fraction:
    """Users at once after an announced growth: as large a share of all users as today. Raises ValueError."""
    if growth is None or facts.users_now is None or facts.users_now_at_once is None:
        raise ValueError(f"the facts of {facts.workload} do not say how many users there are today")
    return users_in_all(facts, growth) * fraction(facts.users_now_at_once) / fraction(facts.users_now)


def users_in_all(facts: Serving, growth: Growth) -> Fraction:
    """Users in all after an announced growth."""
    times = fraction(growth.times) + (1 if growth.read_as == "addition" else 0)
    return fraction(facts.users_now or 0) * times


def work_out(load: Load, policy: CapacityPolicy) -> Worked:
    """The smallest size that keeps every rule of the policy."""
    at_peak, with_out, out = policy.at_peak, policy.with_pods_out, policy.pods_out
    for_peak = whole_up(load.peak / (load.users * percent(at_peak.users)))
    for_pods_out = whole_up(load.peak / (load.users * percent(with_out.users))) + out
    replicas = max(for_peak, for_pods_out, policy.replicas)
    out = min(out, replicas - 1)
    each, each_with_out = load.peak / replicas, load.peak / (replicas - out)
    memory_needs = (
        each * load.memory_per_user / percent(at_peak.memory),
        each_with_out * load.memory_per_user / percent(with_out.memory),
        # A pod that is as full as it was measured must not be killed for its memory.
        load.users * load.memory_per_user,
    )
    cpu_needs = (
        each * load.cpu_per_user / percent(at_peak.cpu),
        each_with_out * load.cpu_per_user / percent(with_out.cpu),
    )
    return Worked(
        load=load,
        for_peak=for_peak,
        for_pods_out=for_pods_out,
        replicas=replicas,
        out=out,
        each=each,
        each_with_out=each_with_out,
        memory_needs=memory_needs,
        memory=step_up(max(memory_needs), amount(policy.round_up_to.memory)),
        cpu_needs=cpu_needs,
        cpu=step_up(max(cpu_needs), amount(policy.round_up_to.cpu)),
    )


def size_of(worked: Worked, policy: CapacityPolicy) -> Size:
    """The size as Kubernetes quantities."""
    return sized(worked.replicas, worked.memory, worked.cpu, policy)


def sized(replicas: int, memory: Fraction, cpu: Fraction, policy: CapacityPolicy) -> Size:
    """Requests and limits as the policy sets them."""
    request = cpu_quantity(cpu)
    return Size(
        replicas=replicas,
        memory_request=memory_quantity(memory),
        memory_limit=memory_quantity(memory),
        cpu_request=request,
        cpu_limit=request if policy.limits.cpu == "request" else None,
    )


@dataclass(frozen=True)
class Bearing:
    """What some size holds under a load: users of one pod at which something runs out."""

    by_users: Fraction
    by_memory: Fraction | None
    """None: no memory limit, so the node's memory runs out."""
    by_cpu: Fraction | None
    """None: no CPU request. Above the request a pod goes on with what the node has free."""
    cpu_is_hard: bool

    @property
    def of_a_pod(self) -> Fraction:
        """Users that a pod holds."""
        hard = [self.by_users, self.by_memory, self.by_cpu if self.cpu_is_hard else None]
        return min(each for each in hard if each is not None)


def bearing(size: Size, load: Load) -> Bearing:
    """What a size holds."""
    cpu = size.cpu_limit or size.cpu_request
    return Bearing(
        by_users=load.users,
        by_memory=amount(size.memory_limit) / load.memory_per_user if size.memory_limit else None,
        by_cpu=amount(cpu) / load.cpu_per_user if cpu else None,
        cpu_is_hard=size.cpu_limit is not None,
    )
