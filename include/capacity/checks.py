"""Are the facts of a release complete, and are its own figures enough? Every finding with file and line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from include.capacity.deployed import container_of, pins
from include.capacity.facts import Assumption, Capacity, Queue, Serving, Workload
from include.capacity.plan import MOST_PODS, Plan
from include.capacity.policy import CapacityPolicies
from include.capacity.readings import MOST_COMBINATIONS
from include.release.manifests import Findings
from include.release.yamlfile import Keys

_ROOT: Keys = ("capacity",)


def check_facts(capacity: Capacity, objects: list[dict[str, Any]], say: Findings) -> None:
    """Add to ``say`` what does not fit together in the ``capacity`` section."""
    deployments = {_name(each): each for each in objects if each.get("kind") == "Deployment"}
    counts: Counter[str] = Counter()
    for keys, name, container in _entries(capacity):
        counts[name] += 1
        if name not in deployments:
            expected = f"a Deployment of this release: {', '.join(deployments) or 'it has none'}"
            say.say((*keys, "workload"), name, expected, "correct the name, or remove the facts")
        elif counts[name] > 1:
            say.say((*keys, "workload"), f"{name} {counts[name]} times", "each workload once")
        elif container is not _ANY:
            _check_container(deployments[name], container, keys, say)
    for name in deployments:
        if not counts[name]:
            fix = f"add {name} to serving or queues; or to unmeasured, with the reason"
            say.say(_ROOT, f"no facts about Deployment {name}", "facts about every Deployment", fix)
    for index, facts in enumerate(capacity.serving):
        _check_serving(facts, (*_ROOT, "serving", index), say)
    for index, queue in enumerate(capacity.queues):
        _check_queue(queue, capacity, (*_ROOT, "queues", index), say)


_ANY = "*"


def _entries(capacity: Capacity) -> Iterator[tuple[Keys, str, str | None]]:
    for index, serving in enumerate(capacity.serving):
        yield (*_ROOT, "serving", index), serving.workload, serving.container
    for index, queue in enumerate(capacity.queues):
        yield (*_ROOT, "queues", index), queue.workload, queue.container
    for index, rest in enumerate(capacity.unmeasured):
        yield (*_ROOT, "unmeasured", index), rest.workload, _ANY


def _check_container(manifest: dict[str, Any], container: str | None, keys: Keys, say: Findings) -> None:
    try:
        found = [str(each.get("name")) for each in manifest["spec"]["template"]["spec"]["containers"]]
        missing = container_of(manifest, container) is None
    except (KeyError, TypeError, AttributeError):
        return  # a manifest without containers is a finding of its own
    if missing and container is None:
        say.say(keys, f"no container, and the pod has {len(found)}", f"container: one of {', '.join(found)}")
    elif missing:
        say.say((*keys, "container"), str(container), f"a container of the pod: {', '.join(found)}")


def _check_serving(facts: Serving, keys: Keys, say: Findings) -> None:
    _check_assumptions(facts.assumptions, keys, say)
    readings = [each.readings for each in facts.assumptions]
    used_at = [all(reading.memory_used_at for reading in of) for of in readings]
    peak = [all(reading.users_at_peak or reading.growth for reading in of) for of in readings]
    if facts.memory_used_at is None and not any(used_at):
        fix = "add memory_used_at:, or an assumption all of whose readings set it"
        say.say(keys, "no memory_used_at", "the users of a container when its memory was measured", fix)
    if facts.users_at_peak is None and not any(peak):
        fix = "add users_at_peak:, or an assumption all of whose readings set it or a growth"
        say.say(keys, "no users_at_peak", "the users to be held at once", fix)
    for place, each in enumerate(facts.assumptions):
        for index, reading in enumerate(each.readings):
            at: Keys = (*keys, "assumptions", place, "readings", index)
            if not (reading.memory_used_at or reading.users_at_peak or reading.growth):
                say.say(at, f"{reading.name!r} sets nothing", "memory_used_at, users_at_peak or growth")
            if reading.growth and (facts.users_now is None or facts.users_now_at_once is None):
                say.say(
                    (*at, "growth"),
                    "a growth of a number that is not given",
                    "users_now and users_now_at_once",
                )


def _check_queue(facts: Queue, capacity: Capacity, keys: Keys, say: Findings) -> None:
    _check_assumptions(facts.assumptions, keys, say)
    known = [each.workload for each in capacity.serving]
    if facts.cpu.of not in known:
        expected = f"a workload of capacity.serving: {', '.join(known) or 'there is none'}"
        say.say((*keys, "cpu", "of"), facts.cpu.of, expected)
    readings = [each.readings for each in facts.assumptions]
    if facts.memory_at_full_queue is None and not any(
        all(each.memory_at_full_queue for each in of) for of in readings
    ):
        fix = "add memory_at_full_queue:, or an assumption all of whose readings set it"
        say.say(keys, "no memory_at_full_queue", "the memory that a full queue used", fix)
    if facts.cpu_times_per is None and not any(all(each.cpu_times_per for each in of) for of in readings):
        fix = "add cpu_times_per:, or an assumption all of whose readings set it"
        say.say(keys, "no cpu_times_per", "pod or process", fix)
    for place, assumption in enumerate(facts.assumptions):
        for index, reading in enumerate(assumption.readings):
            if not (reading.memory_at_full_queue or reading.cpu_times_per):
                at = (*keys, "assumptions", place, "readings", index)
                say.say(at, f"{reading.name!r} sets nothing", "memory_at_full_queue or cpu_times_per")


def _check_assumptions(assumptions: list[Any], keys: Keys, say: Findings) -> None:
    each: Assumption
    for place, each in enumerate(assumptions):
        at: Keys = (*keys, "assumptions", place)
        names = [reading.name for reading in assumptions[place].readings]
        if each.binding not in names:
            say.say((*at, "binding"), each.binding, f"the name of one of its readings: {', '.join(names)}")
        for name, count in Counter(names).items():
            if count > 1:
                say.say((*at, "readings"), f"{name!r} {count} times", "a name of its own for each reading")
    count = math.prod(len(of.readings) for of in assumptions)
    if count > MOST_COMBINATIONS:
        expected = f"at most {MOST_COMBINATIONS}, in a table that people read"
        say.say(
            (*keys, "assumptions"),
            f"{count} combinations of readings",
            expected,
            "leave out what decides nothing",
        )


def check_policies(value: CapacityPolicies, say: Findings) -> None:
    """Add to ``say`` what does not fit together in capacity.yaml."""
    counts = Counter(each.name for each in value.policies)
    whole = [each.name for each in value.policies if each.like is None]
    for index, each in enumerate(value.policies):
        if counts[each.name] > 1:
            say.say(("policies", index, "name"), f"{each.name} {counts[each.name]} times", "each name once")
        if each.like is not None and each.like not in whole:
            expected = f"another policy that is like none: {', '.join(whole) or 'there is none'}"
            say.say(("policies", index, "like"), each.like, expected)


def check_pins(capacity: Capacity, plan: Plan, objects: list[dict[str, Any]], say: Findings) -> None:
    """Add to ``say`` the figures that a spec pins below the plan without a reason."""
    facts = {each.workload: each for each in (*capacity.serving, *capacity.queues)}
    _check_count(capacity, plan, say)
    for index, manifest in enumerate(objects):
        name = _name(manifest)
        each = plan.of(name) if manifest.get("kind") == "Deployment" else None
        if each is None or name not in facts or facts[name].pinned_because is not None:
            continue
        for pin in pins(manifest, facts[name].container, each.planned):
            if pin.order < 0:
                planned = pin.planned or f"no {pin.figure}"
                fix = "leave it out, and the plan fills it in; or say why in pinned_because: of its facts"
                why = "less than the load tests and the policy ask for may not hold the users"
                say.say(
                    ("objects", index, *pin.keys),
                    f"{pin.figure} {pin.value}",
                    f"{planned}, as planned, or a reason",
                    fix,
                    why=why,
                )


def _check_count(capacity: Capacity, plan: Plan, say: Findings) -> None:
    groups: dict[str, Sequence[Workload]] = {"serving": capacity.serving, "queues": capacity.queues}
    for group, entries in groups.items():
        for index, facts in enumerate(entries):
            each = plan.of(facts.workload)
            if each is not None and each.planned.replicas > MOST_PODS:
                found = f"facts that ask for {each.planned.replicas} pods of {facts.workload}"
                say.say((*_ROOT, group, index), found, f"at most {MOST_PODS}", "is a figure wrong?")


def planned_containers(capacity: Any, manifest: dict[str, Any]) -> set[str]:
    """Names of a Deployment's containers that the plan gives resources to, told from the file before it is checked."""
    found: set[str] = set()
    groups = capacity if isinstance(capacity, dict) else {}
    for entry in [each for group in ("serving", "queues") for each in _list(groups.get(group))]:
        if isinstance(entry, dict) and entry.get("workload") == _name(manifest):
            try:
                place = container_of(manifest, entry.get("container"))
            except (KeyError, TypeError, AttributeError):
                continue
            if place is not None:
                found.add(str(place[1].get("name")))
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _name(manifest: dict[str, Any]) -> str:
    metadata = manifest.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else ""
