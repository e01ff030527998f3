"""The size of workers on a queue: how much they get done, and what they need for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from include.capacity.facts import Queue, QueueReading
from include.capacity.figures import (
    amount,
    cpu_text,
    fraction,
    memory_text,
    number,
    percent,
    step_up,
    whole_up,
)
from include.capacity.plan import GivesWay, Held, Size
from include.capacity.policy import CapacityPolicy
from include.capacity.serving import sized
from include.release.texts import plural


@dataclass(frozen=True)
class Work:
    """The facts with each ambiguous one read in one way. Memory in bytes, CPU in cores, orders of one pod per hour."""

    memory: Fraction
    cpu_of: Fraction
    times: Fraction
    per: str
    slow: Fraction
    fast: Fraction
    wanted: Fraction | None

    @property
    def cpu(self) -> Fraction:
        """The CPU that was recommended for a pod."""
        return self.cpu_of * self.times


def work_of(facts: Queue, readings: Sequence[QueueReading], measure: Fraction) -> Work:
    """The facts, with what the chosen readings set in their place.

    Args:
        facts: as the spec has them.
        readings: one of each assumption.
        measure: CPU request, in cores, of a container of the workload that the recommendation refers to.

    Raises:
        ValueError: a fact is set neither by the facts nor by a reading (``checks`` says so with the line).
    """
    memory = next((each.memory_at_full_queue for each in readings if each.memory_at_full_queue), None)
    per = next((each.cpu_times_per for each in readings if each.cpu_times_per), facts.cpu_times_per)
    memory = memory or facts.memory_at_full_queue
    if memory is None or per is None:
        raise ValueError(f"the facts of {facts.workload} are not complete")
    at_a_time = fraction(facts.at_a_time)
    return Work(
        memory=amount(memory),
        cpu_of=measure,
        times=fraction(facts.cpu.times) * (facts.processes if per == "process" else 1),
        per=per,
        slow=at_a_time * 3600 / fraction(facts.seconds_per_order_at_most),
        fast=at_a_time * 3600 / fraction(facts.seconds_per_order),
        wanted=fraction(facts.orders_per_hour) if facts.orders_per_hour is not None else None,
    )


def queue_size(work: Work, policy: CapacityPolicy) -> Size:
    """The smallest size that keeps every rule of the policy."""
    rules = policy.queues
    memory = step_up(work.memory / percent(rules.memory), amount(policy.round_up_to.memory))
    return sized(_replicas(work, policy), memory, step_up(work.cpu, amount(policy.round_up_to.cpu)), policy)


def _replicas(work: Work, policy: CapacityPolicy) -> int:
    for_work = whole_up(work.wanted / work.slow) + policy.queues.pods_out if work.wanted else 1
    return max(for_work, policy.queues.replicas)


def queue_facts(facts: Queue) -> list[str]:
    """The facts in sentences."""
    fast, slow = (
        number(fraction(each)) for each in (facts.seconds_per_order, facts.seconds_per_order_at_most)
    )
    return [
        f"Load test: {facts.processes} {'process' if facts.processes == 1 else 'processes'}, "
        f"{number(fraction(facts.at_a_time))} orders at a time in all, {fast} to {slow} s for an order.",
        f"Recommended: {number(fraction(facts.cpu.times))} times the CPU of {facts.cpu.of}.",
    ]


def queue_arithmetic(facts: Queue, work: Work, policy: CapacityPolicy) -> list[str]:
    """The steps from the facts to the size, one line each."""
    fast, slow = (
        number(fraction(each)) for each in (facts.seconds_per_order, facts.seconds_per_order_at_most)
    )
    at_a_time, rules, size = number(fraction(facts.at_a_time)), policy.queues, queue_size(work, policy)
    need = work.memory / percent(rules.memory)
    return [
        f"Orders of a pod: {at_a_time} x 3600 s / {slow} s = {number(work.slow)} an hour if they are slow, "
        f"{at_a_time} x 3600 s / {fast} s = {number(work.fast)} if they are fast.",
        _pods_text(work, policy),
        f"Memory: a full queue used {memory_text(work.memory)}, which may be {rules.memory} of the limit: {memory_text(need)}, "
        f"rounded up to a multiple of {policy.round_up_to.memory}: {memory_text(amount(size.memory_limit or '0'))}.",
        f"CPU: {_times_text(facts, work)} = {cpu_text(work.cpu)}, rounded up to a multiple of {policy.round_up_to.cpu}: "
        f"{size.cpu_request}.",
        f"Result: {size.text}; the memory limit is the request, "
        + (
            "the CPU limit too."
            if size.cpu_limit
            else "no CPU limit, so that free CPU of the node makes orders faster."
        ),
    ]


def _times_text(facts: Queue, work: Work) -> str:
    times = number(fraction(facts.cpu.times))
    each = f"{times} times the {cpu_text(work.cpu_of)} of a container of {facts.cpu.of}"
    return f"{each}, for each of {facts.processes} processes" if work.per == "process" else each


def _pods_text(work: Work, policy: CapacityPolicy) -> str:
    count, out = _replicas(work, policy), policy.queues.pods_out
    if work.wanted is None:
        return f"Pods: {count}. How many orders come in an hour is not known; what comes while the pod is out waits in the queue."
    return (
        f"Pods: {number(work.wanted)} orders an hour / {number(work.slow)} = {number(work.wanted / work.slow, 2)}, so "
        f"{whole_up(work.wanted / work.slow)}, and {out} that may be out; at least {policy.queues.replicas}: {count}."
    )


def queue_holds(size: Size, work: Work) -> list[Held]:
    """What the pods get done."""
    memory, limit = memory_text(work.memory), size.memory_limit
    of_limit = f" ({number(work.memory / amount(limit) * 100)} % of {limit})" if limit else ""
    each = f"{number(work.slow)} to {number(work.fast)} orders an hour"
    in_all = (
        f" ({number(work.slow * size.replicas)} to {number(work.fast * size.replicas)} in all)"
        if size.replicas > 1
        else ""
    )
    cpu = f"{size.cpu_request or 'nothing'} asked for, {cpu_text(work.cpu)} recommended"
    return [
        Held(case="full queue", pods=size.replicas, each=each + in_all, memory=memory + of_limit, cpu=cpu)
    ]


def queue_gives_way(size: Size, work: Work) -> list[GivesWay]:
    """What runs out as orders come."""
    rows = [
        GivesWay(
            what="time: the queue grows",
            at=f"more than {number(work.slow)} orders an hour a pod (slow ones)",
            in_all=f"{int(work.slow * size.replicas)} with {plural(size.replicas, 'pod')}",
        )
    ]
    if size.memory_limit:
        spare = amount(size.memory_limit) / work.memory
        what = "memory limit: the container is killed (OOMKilled)"
        rows.append(
            GivesWay(
                what=what, at=f"{number(spare, 2)} times the full queue of the load test", in_all="the same"
            )
        )
    return rows


def queue_under(size: Size, work: Work) -> str:
    """Whether a size is enough, in one phrase."""
    short = []
    if size.memory_limit and amount(size.memory_limit) < work.memory:
        short.append(f"a full queue needs {memory_text(work.memory)}, the limit is {size.memory_limit}")
    if amount(size.cpu_request or "0") < work.cpu:
        short.append(
            f"less CPU than recommended ({size.cpu_request} of {cpu_text(work.cpu)}): orders take longer"
        )
    if work.wanted is not None and work.slow * size.replicas < work.wanted:
        short.append(f"{number(work.slow * size.replicas)} of {number(work.wanted)} orders an hour")
    return "; ".join(short) or "enough"
