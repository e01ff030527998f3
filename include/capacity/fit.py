"""Does a release fit into a cluster while it is rolled out, and when a node is out?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from include.capacity.live import Seen
from include.capacity.plan import MOST_PODS, Plan
from include.capacity.quotas import Quota, quota_of, selects_more
from include.capacity.requests import Amounts, outside, shown_amount, shown_amounts, unsaid, with_defaults
from include.capacity.rolling import Played, Shortage, Update, begin, play_jobs, play_updates
from include.capacity.room import Room, room_of
from include.release.problems import Problem
from include.release.texts import plural


@dataclass(frozen=True)
class Change:
    """What is about to be brought into a namespace."""

    namespace: str
    deployments: list[dict[str, Any]]
    jobs: list[tuple[str, dict[str, Any]]]
    """Name and pod spec of each Job, in their order."""
    unchanged: frozenset[str] = frozenset()
    """Deployments that are live exactly like this."""


@dataclass
class Fit:
    """The answer: problems stop the change, the others are for the reader."""

    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    complete: bool = True
    """Whether all that counts could be seen."""

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-able values."""
        return {"fits": not self.problems, "lines": self.lines, "notices": self.notices}


def check_fit(change: Change, seen: Seen, plan: Plan | None, address: str) -> Fit:
    """Play the change through on what the cluster has.

    Args:
        change: what is brought.
        seen: the state of the cluster.
        plan: the capacity plan, for what it says of pods that are out.
        address: how problems name the cluster.
    """
    fit = Fit(notices=list(seen.notices), complete=not seen.notices)
    room = room_of(seen.nodes, seen.pods) if seen.nodes is not None and seen.pods is not None else None
    quotas = [quota_of(each) for each in seen.quotas if not selects_more(each)]
    for each in seen.quotas:
        if selects_more(each):
            fit.notices.append(
                f"ResourceQuota {each['metadata']['name']} is for some pods only (scopeSelector): not checked."
            )
    updates = [_update(each, seen, room, change) for each in change.deployments]
    jobs = [(name, with_defaults(spec, seen.ranges)) for name, spec in change.jobs]
    fit.problems += _refused(updates, jobs, quotas, seen, change.namespace)
    fit.problems += [_too_many(each) for each in updates if each.wanted > MOST_PODS]
    if any(each.wanted > MOST_PODS for each in updates):
        return fit
    played, before = Played(), {quota.name: dict(quota.used) for quota in quotas}
    play_jobs(jobs, room, quotas, played)
    play_updates(updates, room, quotas, played)
    fit.problems += [_no_room(each, played, address) for each in played.shortages]
    for quota in quotas:
        fit.problems += _beyond(quota, before[quota.name], change.namespace)
        fit.lines += _quota_lines(quota, before[quota.name])
    if room is not None:
        fit.lines = [*_node_lines(room, played, len(jobs)), *fit.lines]
        if not played.shortages:
            fit.notices += _node_out(room, updates, plan)
        fit.notices += _not_evaluated(updates)
    return fit


def _update(manifest: dict[str, Any], seen: Seen, room: Room | None, change: Change) -> Update:
    spec = manifest["spec"]
    pod = with_defaults(spec["template"]["spec"], seen.ranges)
    filled = {**manifest, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}
    update = Update(filled, seen.deployments.get(manifest["metadata"]["name"]))
    begin(update, seen.own_pods, room or Room([], {}), same=update.name in change.unchanged)
    return update


def _too_many(update: Update) -> Problem:
    found, expected = f"{update.wanted} pods", f"at most {MOST_PODS}"
    return Problem(f"Deployment {update.name}", "spec.replicas", found, expected, "is a figure wrong?")


def _refused(
    updates: list[Update],
    jobs: list[tuple[str, dict[str, Any]]],
    quotas: list[Quota],
    seen: Seen,
    namespace: str,
) -> Iterator[Problem]:
    """Pods that the API server refuses, whatever is free."""
    specs = [
        *((f"Deployment {each.name}", each.spec, False) for each in updates),
        *((name, spec, True) for name, spec in jobs),
    ]
    for name, spec, _ in specs:
        for wrong in outside(spec, seen.ranges):
            expected = "sizes that the namespace's LimitRange allows"
            fix = "change the LimitRange, or the size with the reason in pinned_because"
            yield Problem(f"namespace {namespace}", "LimitRange", f"{name}: {wrong}", expected, fix)
    for quota in quotas:
        for name, spec, ends in specs:
            missing = unsaid(spec, quota.hard) if quota.counts(spec, ends=ends) else []
            if missing:
                yield Problem(
                    f"namespace {namespace}",
                    f"ResourceQuota {quota.name}",
                    f"{name} does not say {', '.join(missing)}",
                    "every request and limit that the quota counts",
                    "add it to the spec (limits.cpu: request in the capacity policy sets CPU limits), or a LimitRange with defaults",
                    why="the API server refuses pods that leave out what a quota counts",
                )


def _no_room(short: Shortage, played: Played, address: str) -> Problem:
    name, asks = short.pod.workload, shown_amounts(short.pod.asks)
    most = played.most.get(name, 1)
    if short.wanted == 1 and most == 1:
        which = f"the pod of {name}"
    else:
        beside = f", beside {plural(short.beside, 'old pod')}" if short.beside else ""
        which = f"pod {short.which} of the {short.wanted} of {name}{beside}"
    others = f"; {short.count} of its pods find no room in all" if short.count > 1 else ""
    total: Amounts = {key: value * short.count for key, value in short.pod.asks.items()}
    return Problem(
        f"cluster {address}",
        "nodes",
        f"{which} needs {asks} and fits on no node ({short.nodes}){others}",
        f"room for {plural(most, 'pod')} of {name} at once, during the update",
        f"free or add {shown_amounts(total)} on nodes that take pods, then clear this task; or release a smaller size, "
        "with the reason in pinned_because",
        why="the new pod would wait without a node, and the rollout would fail at its progress deadline",
    )


def _beyond(quota: Quota, before: Amounts, namespace: str) -> Iterator[Problem]:
    for name, most, hard in quota.over():
        used = before.get(name, most - most)
        yield Problem(
            f"namespace {namespace}",
            f"ResourceQuota {quota.name}",
            f"{name}: {shown_amount(name, used)} used now, {shown_amount(name, most)} needed during the update, "
            f"{shown_amount(name, hard)} allowed: short by {shown_amount(name, most - hard)}",
            f"at least {shown_amount(name, most)} of {name}",
            "raise the quota, then clear this task; or release a smaller size, with the reason in pinned_because",
            why="the API server would refuse the pods beyond the quota, and the rollout would stop half-way",
        )


def _node_lines(room: Room, played: Played, jobs: int) -> list[str]:
    lines = [f"Nodes that take pods: {len(room.nodes)}" + (f"; not: {_reasons(room)}" if room.out else "")]
    names = ", ".join(f"{name} {count}" for name, count in played.most.items())
    if names:
        before = f"; before them {plural(jobs, 'Job')}, one at a time" if jobs else ""
        lines.append(f"Pods at once, at most: {names}{before}")
    for node in room.nodes:
        free = ", ".join(
            f"{shown_amount(key, node.free(key))} of {shown_amount(key, node.total[key])} {key}"
            for key in ("memory", "cpu", "pods")
            if key in node.total
        )
        lines.append(f"Free on {node.name} after the change: {free}")
    return lines


def _reasons(room: Room) -> str:
    return "; ".join(f"{name} {why}" for name, why in room.out.items())


def _quota_lines(quota: Quota, before: Amounts) -> list[str]:
    return [
        f"ResourceQuota {quota.name}, {name}: {shown_amount(name, before.get(name, most - most))} now, "
        f"{shown_amount(name, most)} at most during the change, {shown_amount(name, quota.hard[name])} allowed"
        for name, most in sorted(quota.most.items())
    ]


def _node_out(room: Room, updates: list[Update], plan: Plan | None) -> Iterator[str]:
    """What the loss of the node with the most pods would mean."""
    if len(room.nodes) == 1:
        yield "There is one node that takes pods: no spread is possible, and while it is out nothing is served."
        return
    for update in updates:
        planned = plan.of(update.name) if plan is not None else None
        if planned is not None and planned.kind == "queue":
            continue
        on = Counter(node.name for node, _ in update.new if node is not None)
        if not on:
            continue
        worst, lost = max(on.items(), key=lambda pair: (pair[1], pair[0]))
        rest = room.without(worst)
        homeless = [
            pod
            for node, pod in update.new
            if node is not None and node.name == worst and rest.put(pod) is None
        ]
        left = update.wanted - lost
        text = f"If node {worst} fails, {lost} of {update.wanted} pods of {update.name} {_be(lost)} gone at once and {left} {_be(left)} left"
        if plan is not None and lost > plan.pods_out:
            text += f", while the plan counts on {plural(plan.pods_out, 'pod')} being out"
        text += "; the other nodes have room for " + (
            f"{lost - len(homeless)} of those {lost}." if homeless else "them."
        )
        yield text


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _not_evaluated(updates: list[Update]) -> Iterator[str]:
    for update in updates:
        if update.spec.get("affinity"):
            yield f"The affinity of {update.name} is not evaluated here; the scheduler does."
