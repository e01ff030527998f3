"""The arithmetic of a serving workload as an engineer writes it: every figure with where it comes from."""

from __future__ import annotations

from fractions import Fraction

from include.capacity.facts import Serving
from include.capacity.figures import (
    amount,
    change_text,
    cpu_text,
    fraction,
    memory_text,
    number,
    percent,
    share_text,
    whole_up,
)
from include.capacity.plan import GivesWay, Held, Size
from include.capacity.policy import CapacityPolicy
from include.capacity.serving import Load, Worked, bearing, size_of, users_in_all
from include.release.texts import plural


def facts_text(facts: Serving) -> list[str]:
    """The facts in sentences."""
    lines = [
        f"Load test: a container with {facts.memory} and {facts.cpu} serves {number(fraction(facts.users))} users at once.",
        f"Memory in use: {facts.memory_used} of {facts.memory}; since that test {change_text(facts.memory_change)} for the same users.",
        f"CPU for the same users: {change_text(facts.cpu_change)}.",
    ]
    if facts.users_now is not None and facts.users_now_at_once is not None:
        total, at_once = fraction(facts.users_now), fraction(facts.users_now_at_once)
        lines.append(
            f"Today: {number(total)} users, {number(at_once)} at once ({share_text(at_once / total)})."
        )
    return lines


def arithmetic(facts: Serving, worked: Worked, policy: CapacityPolicy) -> list[str]:
    """The steps from the facts to the size, one line each."""
    return [
        *_users(facts, worked.load),
        *_pods(worked, policy),
        *_memory(facts, worked, policy),
        *_cpu(facts, worked, policy),
        f"Result: {size_of(worked, policy).text} each; {_limits(policy)}.",
    ]


def peak_text(facts: Serving, load: Load) -> str:
    """How the users at peak come about."""
    if load.growth is None:
        return f"{number(load.peak)} (stated)"
    total, times = users_in_all(facts, load.growth), number(fraction(load.growth.times), 2)
    now, at_once = fraction(facts.users_now or 0), fraction(facts.users_now_at_once or 0)
    sum_of = (
        f"{number(now)} + {times} x {number(now)}"
        if load.growth.read_as == "addition"
        else f"{times} x {number(now)}"
    )
    return (
        f"{sum_of} = {number(total)} users, of whom {share_text(at_once / now)} at once = {number(load.peak)}"
    )


def _users(facts: Serving, load: Load) -> list[str]:
    return [f"Users to hold at once: {peak_text(facts, load)}."]


def _pods(worked: Worked, policy: CapacityPolicy) -> list[str]:
    load, lines = worked.load, []
    at_peak, with_out = policy.at_peak.users, policy.with_pods_out.users
    most = load.users * percent(at_peak)
    lines.append(
        f"Pods while every one runs, each at most {at_peak} full: {at_peak} of {number(load.users)} = {number(most)} users; "
        f"{number(load.peak)} / {number(most)} = {number(load.peak / most, 2)}, so {worked.for_peak}."
    )
    most, out = load.users * percent(with_out), policy.pods_out
    left = worked.for_pods_out - out
    lines.append(
        f"Pods with {plural(out, 'pod')} out, each at most {with_out} full: {number(load.peak)} / {number(most)} = "
        f"{number(load.peak / most, 2)}, so {left}, and {out} that may be out: {worked.for_pods_out}."
    )
    lines.append(
        f"Pods: {worked.replicas}, the largest of {worked.for_peak}, {worked.for_pods_out} and the least, "
        f"{policy.replicas}. Each has {number(load.peak)} / {worked.replicas} = {number(worked.each)} users at peak, and "
        f"{number(load.peak)} / {worked.replicas - worked.out} = {number(worked.each_with_out)} with {worked.out} out."
    )
    return lines


def _memory(facts: Serving, worked: Worked, policy: CapacityPolicy) -> list[str]:
    load = worked.load
    allocated, per_user = amount(facts.memory), load.memory_per_user
    now = load.memory_used * (1 + load.memory_change)
    at_peak, with_out, full = worked.memory_needs
    return [
        f"Memory of a user: {facts.memory_used} of {memory_text(allocated)} = {memory_text(load.memory_used)}, "
        f"{_changed(facts, now)}, at {number(load.memory_used_at)} users: {memory_text(per_user, 4)}.",
        *_today(facts, load),
        _need(worked.each, per_user, at_peak, policy.at_peak.memory, "at peak"),
        _need(
            worked.each_with_out, per_user, with_out, policy.with_pods_out.memory, f"with {worked.out} out"
        ),
        f"Memory of a pod as full as it was measured: {number(load.users)} users x {memory_text(per_user, 4)} = "
        f"{memory_text(full)}; it must not be killed before that.",
        f"Memory: the largest, {memory_text(max(worked.memory_needs))}, rounded up to a multiple of "
        f"{policy.round_up_to.memory}: {memory_text(worked.memory)}.",
    ]


def _today(facts: Serving, load: Load) -> list[str]:
    if not load.memory_change:
        return []
    allocated = amount(facts.memory)
    return [
        f"With the {memory_text(allocated)} of the load test a pod would now hold {int(allocated / load.memory_per_user)} users."
    ]


def _changed(facts: Serving, now: Fraction) -> str:
    change = percent(facts.memory_change)
    return f"{facts.memory_change} = {memory_text(now)}" if change else "unchanged"


def _need(users: Fraction, per_user: Fraction, need: Fraction, share: str, case: str) -> str:
    return (
        f"Memory of a pod {case}: {number(users)} users x {memory_text(per_user, 4)} = {memory_text(users * per_user)}; "
        f"that may be {share} of the limit: {memory_text(need)}."
    )


def _cpu(facts: Serving, worked: Worked, policy: CapacityPolicy) -> list[str]:
    load = worked.load
    at_peak, with_out = worked.cpu_needs
    return [
        f"CPU of a user: {facts.cpu}, {change_text(facts.cpu_change)}, for {number(load.users)} users: at most {cpu_text(load.cpu_per_user)}.",
        f"CPU of a pod: at peak {number(worked.each)} users need {cpu_text(worked.each * load.cpu_per_user)}, which may be "
        f"{policy.at_peak.cpu} of the request: {cpu_text(at_peak)}; with {worked.out} out {number(worked.each_with_out)} need "
        f"{cpu_text(worked.each_with_out * load.cpu_per_user)}, which may be {policy.with_pods_out.cpu}: {cpu_text(with_out)}.",
        f"CPU: the larger, rounded up to a multiple of {policy.round_up_to.cpu}: {cpu_text(worked.cpu)}.",
    ]


def _limits(policy: CapacityPolicy) -> str:
    cpu = (
        "the CPU limit too"
        if policy.limits.cpu == "request"
        else "no CPU limit, so that free CPU of the node can be used"
    )
    return f"the memory limit is the request, {cpu}"


def holds(size: Size, load: Load, out: int) -> list[Held]:
    """What each pod of a size carries at peak, and with pods out."""
    rows = [_held("at peak, every pod runs", size.replicas, size, load)]
    if size.replicas > out > 0:
        rows.append(_held(f"at peak, {plural(out, 'pod')} out", size.replicas - out, size, load))
    elif out > 0:
        rows.append(
            Held(
                case=f"at peak, {plural(out, 'pod')} out", pods=0, each="nobody is served", memory="", cpu=""
            )
        )
    return rows


def _held(case: str, pods: int, size: Size, load: Load) -> Held:
    each = load.peak / pods if pods else Fraction(0)
    memory, cpu = each * load.memory_per_user, each * load.cpu_per_user
    of_memory = (
        f" ({share_text(memory / amount(size.memory_limit))} of {size.memory_limit})"
        if size.memory_limit
        else ""
    )
    of_cpu = (
        f" ({share_text(cpu / amount(size.cpu_request))} of {size.cpu_request})" if size.cpu_request else ""
    )
    over = ", more than was measured" if each > load.users else ""
    return Held(
        case=case,
        pods=pods,
        each=f"{number(each)} users ({share_text(each / load.users)} of {number(load.users)}{over})",
        memory=f"{memory_text(memory)}{of_memory}",
        cpu=f"{cpu_text(cpu)}{of_cpu}",
    )


def gives_way(size: Size, load: Load) -> list[GivesWay]:
    """What runs out as users come, the first first."""
    found = bearing(size, load)
    rows = [(found.by_users, "users: more were not measured")]
    if found.by_cpu is not None:
        after = "the pod is throttled" if found.cpu_is_hard else "beyond it only what the node has free"
        rows.append((found.by_cpu, f"CPU {'limit' if found.cpu_is_hard else 'request'}: {after}"))
    if found.by_memory is not None:
        rows.append((found.by_memory, "memory limit: the container is killed (OOMKilled)"))
    rows.sort(key=lambda row: row[0])
    return [
        GivesWay(
            what=what,
            at=f"{number(at)} users a pod",
            in_all=f"{int(at * size.replicas)} with {plural(size.replicas, 'pod')}",
        )
        for at, what in rows
    ]


def under(size: Size, load: Load, out: int) -> str:
    """Whether a size holds a load, in one phrase."""
    each = bearing(size, load).of_a_pod
    all_hold, left_hold = each * size.replicas, each * max(size.replicas - out, 0)
    if left_hold >= load.peak:
        return f"holds it, with {out} out too" if out else "holds it"
    if all_hold >= load.peak:
        short = load.peak - left_hold
        return f"holds it while every pod runs; short by {whole_up(short)} with {out} out"
    return f"does not hold it: {int(all_hold)} of {number(load.peak)}"
