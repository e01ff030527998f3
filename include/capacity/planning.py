"""From facts and policy to the plan of a release; and from the plan into its Deployments."""

from __future__ import annotations

import copy
from typing import Any

from include.capacity.comparing import compare_queue, compare_serving
from include.capacity.deployed import Pinned, container_of, differs, fill, pins, size_with
from include.capacity.facts import Capacity, Queue, Serving, Workload
from include.capacity.figures import amount
from include.capacity.plan import Plan, Size, UnderReading, WorkloadPlan
from include.capacity.policy import CapacityPolicy
from include.capacity.queue import (
    queue_arithmetic,
    queue_facts,
    queue_gives_way,
    queue_holds,
    queue_size,
    queue_under,
    work_of,
)
from include.capacity.readings import binding, combinations, made, named
from include.capacity.serving import load_of, size_of, work_out
from include.capacity.serving_text import arithmetic, facts_text, gives_way, holds, peak_text, under

Manifests = dict[str, dict[str, Any]]


def make_plan(capacity: Capacity, policy: CapacityPolicy, objects: list[dict[str, Any]]) -> Plan:
    """The plan of a release whose facts ``checks`` found complete.

    Args:
        capacity: the facts.
        policy: the rules of the environment.
        objects: the release's manifests, which may pin figures.
    """
    found = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Deployment"}
    serving = [_serving(facts, policy, found[facts.workload]) for facts in capacity.serving]
    measures = {each.workload: each.planned for each in serving}
    queues = [
        _queue(facts, policy, found[facts.workload], measures[facts.cpu.of]) for facts in capacity.queues
    ]
    rest = [_unmeasured(each.workload, each.because, found[each.workload]) for each in capacity.unmeasured]
    order = list(found)
    workloads = sorted([*serving, *queues, *rest], key=lambda each: order.index(each.workload))
    trial = policy.trial.reason if policy.trial else ""
    return Plan(
        policy=policy.name,
        rules=rules(policy),
        pods_out=policy.pods_out,
        trial=trial,
        workloads=[_tried(each, policy) for each in workloads],
    )


def planned_objects(
    plan: Plan, capacity: Capacity, policy: CapacityPolicy, objects: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The manifests with what the plan says; a Deployment that nobody measured keeps its own figures."""
    facts: dict[str, Workload] = {each.workload: each for each in (*capacity.serving, *capacity.queues)}
    result = []
    for manifest in objects:
        body = copy.deepcopy(manifest)
        each = plan.of(body["metadata"]["name"]) if body["kind"] == "Deployment" else None
        if each is not None and each.kind != "unmeasured":
            fill(body, facts[each.workload].container, each.runs, policy, spread=each.kind == "serving")
        elif each is not None:
            body["spec"]["replicas"] = each.runs.replicas
        result.append(body)
    return result


def rules(policy: CapacityPolicy) -> list[str]:
    """The policy in sentences."""
    peak, out, queues = policy.at_peak, policy.with_pods_out, policy.queues
    lines = [
        f"While every pod runs, at peak: at most {peak.users} of the users measured, {peak.memory} of the memory limit, "
        f"{peak.cpu} of the CPU request.",
        f"With {policy.pods_out} out: at most {out.users} of the users, {out.memory} of the memory limit, {out.cpu} of the CPU request.",
        f"At least {policy.replicas} pods that serve; sizes are multiples of {policy.round_up_to.memory} and {policy.round_up_to.cpu}.",
        f"Workers on a queue: at least {queues.replicas}, with {queues.pods_out} that may be out; a full queue uses at most "
        f"{queues.memory} of the memory limit.",
    ]
    lines.append("A pod that is as full as it was measured stays below its memory limit.")
    if policy.spread is not None:
        hard = (
            "is not started" if policy.spread.if_impossible == "DoNotSchedule" else "is started all the same"
        )
        lines.append(
            f"Pods that serve are spread over {policy.spread.over}, {policy.spread.max_skew} more on one than on another at "
            f"most; a pod that cannot be {hard}."
        )
    return lines


def _serving(facts: Serving, policy: CapacityPolicy, manifest: dict[str, Any]) -> WorkloadPlan:
    worked = work_out(load_of(facts, binding(facts.assumptions)), policy)
    planned = size_of(worked, policy)
    pinned = pins(manifest, facts.container, planned)
    full = size_with(pinned, planned)
    readings: list[UnderReading] = []
    for chosen in combinations(facts.assumptions):
        load = load_of(facts, chosen)
        readings.append(
            UnderReading(
                reading=named(facts.assumptions, chosen),
                binding=not readings,
                needs=f"{peak_text(facts, load)}",
                planned=size_of(work_out(load, policy), policy),
                runs=under(full, load, policy.pods_out),
            )
        )
    answer = facts.documented
    return WorkloadPlan(
        kind="serving",
        facts=facts_text(facts),
        arithmetic=arithmetic(facts, worked, policy),
        holds=holds(full, worked.load, policy.pods_out),
        gives_way=gives_way(full, worked.load),
        **_common(facts, manifest, planned, full, pinned, readings),
        compared=compare_serving(facts, answer, worked, planned, policy) if answer else [],
    )


def _queue(facts: Queue, policy: CapacityPolicy, manifest: dict[str, Any], measure: Size) -> WorkloadPlan:
    cpu_of = amount(measure.cpu_request or "0")
    work = work_of(facts, binding(facts.assumptions), cpu_of)
    planned = queue_size(work, policy)
    pinned = pins(manifest, facts.container, planned)
    full = size_with(pinned, planned)
    readings: list[UnderReading] = []
    for chosen in combinations(facts.assumptions):
        other = work_of(facts, chosen, cpu_of)
        readings.append(
            UnderReading(
                reading=named(facts.assumptions, chosen),
                binding=not readings,
                needs=f"{queue_holds(full, other)[0].memory}",
                planned=queue_size(other, policy),
                runs=queue_under(full, other),
            )
        )
    answer = facts.documented
    return WorkloadPlan(
        kind="queue",
        facts=queue_facts(facts),
        arithmetic=queue_arithmetic(facts, work, policy),
        holds=queue_holds(full, work),
        gives_way=queue_gives_way(full, work),
        **_common(facts, manifest, planned, full, pinned, readings),
        compared=compare_queue(facts, answer, work, planned, policy) if answer else [],
    )


def _common(
    facts: Serving | Queue,
    manifest: dict[str, Any],
    planned: Size,
    full: Size,
    pinned: list[Pinned],
    readings: list[UnderReading],
) -> dict[str, Any]:
    """What the plans of measured workloads of every kind have."""
    return {
        "workload": facts.workload,
        "container": _container_name(manifest, facts.container),
        "planned": planned,
        "full": full,
        "runs": full,
        "differs": differs(pinned, facts.pinned_because),
        "assumptions": made(facts.assumptions),
        "readings": readings if len(readings) > 1 else [],
        "source": facts.documented.source if facts.documented else "",
    }


def _unmeasured(workload: str, because: str, manifest: dict[str, Any]) -> WorkloadPlan:
    containers = manifest["spec"]["template"]["spec"].get("containers") or []
    resources = (containers[0].get("resources") or {}) if containers else {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    size = Size(
        replicas=manifest["spec"].get("replicas", 1),
        memory_request=_text(requests.get("memory")),
        memory_limit=_text(limits.get("memory")),
        cpu_request=_text(requests.get("cpu")),
        cpu_limit=_text(limits.get("cpu")),
    )
    return WorkloadPlan(
        workload=workload,
        container=_container_name(manifest, None),
        kind="unmeasured",
        planned=size,
        full=size,
        runs=size,
        facts=[f"No load test: {because}."],
        arithmetic=[
            f"Result: {size.text}, as the spec says; nothing was measured, so nothing is worked out."
        ],
    )


def _tried(each: WorkloadPlan, policy: CapacityPolicy) -> WorkloadPlan:
    """The plan of a trial: the same pods, fewer of them."""
    if policy.trial is None or each.runs.replicas <= policy.trial.replicas:
        return each
    few = each.runs.model_copy(update={"replicas": policy.trial.replicas})
    words = (
        f"replicas {few.replicas} instead of {each.runs.replicas}, because this environment is a trial "
        f"({policy.trial.reason}); the figures below are those of the full size"
    )
    return each.model_copy(update={"runs": few, "differs": [*each.differs, words]})


def _container_name(manifest: dict[str, Any], name: str | None) -> str:
    found = container_of(manifest, name)
    if found is not None:
        return str(found[1].get("name"))
    containers = manifest["spec"]["template"]["spec"].get("containers") or []
    return str(containers[0].get("name")) if containers else ""


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
