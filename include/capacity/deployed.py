"""What a spec pins, what the plan fills in, and what runs in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.capacity.figures import amount
from include.capacity.plan import Size
from include.capacity.policy import CapacityPolicy
from include.release.yamlfile import Keys

Say = Callable[[Keys, str, str, str], None]
"""Takes keys below the Deployment, what was found, what is expected and the fix."""


@dataclass(frozen=True)
class Pinned:
    """One figure that a spec gives itself."""

    figure: str
    keys: Keys
    value: str
    planned: str | None

    @property
    def order(self) -> int:
        """Below 0: less than planned; 0: the same; above 0: more, or nothing was planned."""
        if self.planned is None:
            # A limit where none is planned takes something away.
            return -1
        ours, plan = amount(self.value), amount(self.planned)
        return (ours > plan) - (ours < plan)


def container_of(manifest: dict[str, Any], name: str | None) -> tuple[int, dict[str, Any]] | None:
    """The container that facts are about, with its place: the named one, or the only one."""
    found = manifest["spec"]["template"]["spec"].get("containers") or []
    if name is None:
        return (0, found[0]) if len(found) == 1 else None
    return next(((index, each) for index, each in enumerate(found) if each.get("name") == name), None)


def pins(manifest: dict[str, Any], container: str | None, planned: Size) -> list[Pinned]:
    """The figures of a Deployment that the spec gives itself."""
    found = []
    replicas = manifest["spec"].get("replicas")
    if replicas is not None:
        found.append(Pinned("replicas", ("spec", "replicas"), str(replicas), str(planned.replicas)))
    place = container_of(manifest, container)
    if place is None:
        return found
    index, body = place
    resources = body.get("resources") or {}
    base: Keys = ("spec", "template", "spec", "containers", index, "resources")
    for group, name, of_plan in _figures(planned):
        value = (resources.get(group) or {}).get(name)
        if value is not None:
            found.append(Pinned(f"{name} {group[:-1]}", (*base, group, name), str(value), of_plan))
    return found


def _figures(size: Size) -> list[tuple[str, str, str | None]]:
    return [
        ("requests", "memory", size.memory_request),
        ("limits", "memory", size.memory_limit),
        ("requests", "cpu", size.cpu_request),
        ("limits", "cpu", size.cpu_limit),
    ]


def size_with(pinned: list[Pinned], planned: Size) -> Size:
    """The plan's size with the pinned figures in place of the plan's."""
    values: dict[str, Any] = planned.model_dump()
    names = {
        "memory request": "memory_request",
        "memory limit": "memory_limit",
        "cpu request": "cpu_request",
        "cpu limit": "cpu_limit",
    }
    for each in pinned:
        if each.figure == "replicas":
            values["replicas"] = int(each.value)
        else:
            values[names[each.figure]] = each.value
    return Size.model_validate(values)


def differs(pinned: list[Pinned], because: str | None) -> list[str]:
    """In words, where a spec does not take the plan's figures."""
    lines = []
    for each in pinned:
        planned = each.planned or "none"
        if each.order < 0:
            lines.append(
                f"{each.figure} {each.value} instead of {planned}, pinned by the spec: {because or 'no reason given'}"
            )
        elif each.order > 0:
            lines.append(f"{each.figure} {each.value} instead of {planned}: the spec pins more than the plan")
    return lines


def fill(
    manifest: dict[str, Any], container: str | None, size: Size, policy: CapacityPolicy, *, spread: bool
) -> None:
    """Put a size into a Deployment, in ``manifest`` itself; other resources of the container stay."""
    manifest["spec"]["replicas"] = size.replicas
    place = container_of(manifest, container)
    if place is not None:
        body = place[1]
        resources = dict(body.get("resources") or {})
        for group, values in size.resources().items():
            resources[group] = {**(resources.get(group) or {}), **values}
        body["resources"] = resources
    pod = manifest["spec"]["template"]["spec"]
    if spread and policy.spread is not None and "topologySpreadConstraints" not in pod:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": policy.spread.max_skew,
                "topologyKey": policy.spread.over,
                "whenUnsatisfiable": policy.spread.if_impossible,
                "labelSelector": {"matchLabels": dict(manifest["spec"]["selector"]["matchLabels"])},
            }
        ]
