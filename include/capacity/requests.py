"""What a pod asks for, as the scheduler and a ResourceQuota count it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from include.capacity.figures import amount, cpu_text, memory_text, number

Amounts = dict[str, Fraction]
PODS = "pods"


def with_defaults(pod: dict[str, Any], ranges: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The pod spec with what the namespace's LimitRanges give to containers that leave something out."""
    limits: dict[str, Any] = {}
    requests: dict[str, Any] = {}
    for each in ranges:
        for rule in (each.get("spec") or {}).get("limits") or []:
            if rule.get("type") == "Container":
                limits = {**(rule.get("default") or {}), **limits}
                requests = {**(rule.get("defaultRequest") or {}), **requests}
    if not limits and not requests:
        return pod
    result = dict(pod)
    for group in ("containers", "initContainers"):
        result[group] = [_defaulted(each, requests, limits) for each in pod.get(group) or []]
    return result


def _defaulted(container: dict[str, Any], requests: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    own = container.get("resources") or {}
    own_limits, own_requests = own.get("limits") or {}, own.get("requests") or {}
    # A request that is left out is the container's own limit before it is the namespace's default.
    filled = {**requests, **own_limits, **own_requests}
    return {**container, "resources": {"limits": {**limits, **own_limits}, "requests": filled}}


def asked_of_node(pod: dict[str, Any]) -> Amounts:
    """Requests of a pod spec, with the pod itself as 1 of ``pods``."""
    return {**_summed(pod, "requests"), PODS: Fraction(1)}


def asked_of_quota(pod: dict[str, Any]) -> Amounts:
    """What a ResourceQuota counts of a pod spec, under the quota's own names."""
    found: Amounts = {PODS: Fraction(1), "count/pods": Fraction(1)}
    for group in ("requests", "limits"):
        for name, value in _summed(pod, group).items():
            found[f"{group}.{name}"] = value
            if group == "requests":
                found[name] = value
    return found


def unsaid(pod: dict[str, Any], hard: Iterable[str]) -> list[str]:
    """What a quota counts and a container leaves out: its pods are refused, whatever is free."""
    missing = []
    for name in hard:
        group, _, resource = name.partition(".") if "." in name else ("requests", "", name)
        if group not in ("requests", "limits") or resource not in ("cpu", "memory"):
            continue
        for container in (*(pod.get("initContainers") or []), *(pod.get("containers") or [])):
            if resource not in _asked(container, group):
                missing.append(f"{name} of container {container.get('name')}")
    return missing


def outside(pod: dict[str, Any], ranges: Iterable[dict[str, Any]]) -> list[str]:
    """What a LimitRange of the namespace refuses of a pod spec's containers."""
    found = []
    rules = [rule for each in ranges for rule in (each.get("spec") or {}).get("limits") or []]
    for rule in rules:
        for container in (pod.get("containers") or []) if rule.get("type") == "Container" else []:
            asked, limits, name = (
                _asked(container, "requests"),
                _asked(container, "limits"),
                container.get("name"),
            )
            for key, value in (rule.get("max") or {}).items():
                most, ours = (
                    amount(str(value)),
                    max(asked.get(key, Fraction(0)), limits.get(key, Fraction(0))),
                )
                if ours > most:
                    found.append(
                        f"{shown_amount(key, ours)} {key} of container {name}, at most {value} is allowed"
                    )
            for key, value in (rule.get("min") or {}).items():
                if key in asked and asked[key] < amount(str(value)):
                    found.append(
                        f"{shown_amount(key, asked[key])} {key} of container {name}, at least {value} is asked for"
                    )
    return found


def _summed(pod: dict[str, Any], group: str) -> Amounts:
    """All containers together, or the largest init container where that is more; sidecars run beside both."""
    total: Amounts = {}
    for container in pod.get("containers") or []:
        _add(total, _asked(container, group))
    running: Amounts = {}
    largest: Amounts = {}
    for container in pod.get("initContainers") or []:
        asked = _asked(container, group)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)
            _add(running, asked)
            asked = dict(running)
        else:
            _add(asked, running)
        largest = {
            name: max(largest.get(name, Fraction(0)), asked.get(name, Fraction(0)))
            for name in {*largest, *asked}
        }
    for name, value in largest.items():
        total[name] = max(total.get(name, Fraction(0)), value)
    # What the pod says as a whole stands in place of the sum of its containers.
    whole = (pod.get("resources") or {}).get(group) or {}
    total.update({name: amount(str(value)) for name, value in whole.items()})
    overhead = {name: amount(str(value)) for name, value in (pod.get("overhead") or {}).items()}
    _add(total, {name: value for name, value in overhead.items() if group == "requests" or name in total})
    return total


def _asked(container: dict[str, Any], group: str) -> Amounts:
    resources = container.get("resources") or {}
    values = dict(resources.get(group) or {})
    if group == "requests":
        values = {**(resources.get("limits") or {}), **values}
    return {name: amount(str(value)) for name, value in values.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, Fraction(0)) + value


def shown_amount(name: str, value: Fraction) -> str:
    """An amount with its unit: ``320 MiB``, ``250m``, ``3``."""
    if "memory" in name or "storage" in name:
        return memory_text(value)
    return cpu_text(value) if name.endswith("cpu") else number(value)


def shown_amounts(amounts: Amounts) -> str:
    """Memory and CPU of a pod: ``320 MiB memory, 250m cpu``."""
    found = [
        f"{shown_amount(name, value)} {name}"
        for name, value in sorted(amounts.items(), reverse=True)
        if name != PODS and value
    ]
    return ", ".join(found) or "nothing"
