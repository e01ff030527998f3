"""Following a changed ``spec.replicas`` while no step of a rollout is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.controllers.deployment import amounts, revisions

if TYPE_CHECKING:
    from include.cluster.controllers.deployment.controller import Deployments, Sets

Object = dict[str, Any]


def scale(controller: Deployments, deployment: Object, sets: Sets) -> None:
    """Gives the new size to the one replicaset with pods, or shares it out in the middle of a rollout."""
    size = amounts.replicas(deployment)
    active = [one for one in sets.all if amounts.replicas(one) > 0]
    if len(active) <= 1:
        only = active[0] if active else sets.new or _newest(sets.old)
        if only is not None and amounts.replicas(only) != size:
            controller.resize(deployment, sets, only, size)
        return
    if _saturated(deployment, sets.new):
        for one in sets.old:
            if amounts.replicas(one) > 0:
                controller.resize(deployment, sets, one, 0)
        return
    if amounts.rolling(deployment):
        for one, share in _shares(deployment, active):
            controller.resize(deployment, sets, one, share)


def _shares(deployment: Object, active: list[Object]) -> list[tuple[Object, int]]:
    """What each replicaset gets, larger ones first; what rounding leaves over goes to the largest."""
    size = amounts.replicas(deployment)
    allowed = size + amounts.max_surge(deployment) if size > 0 else 0
    change = allowed - amounts.wanted(active)
    ordered = sorted(active, key=lambda one: one["metadata"]["creationTimestamp"], reverse=change > 0)
    ordered.sort(key=amounts.replicas, reverse=True)
    shares: list[tuple[Object, int]] = []
    given = 0
    for one in ordered:
        part = _part(deployment, one, change, given)
        given += part
        shares.append((one, amounts.replicas(one) + part))
    if shares and change:
        largest, share = shares[0]
        shares[0] = (largest, max(share + change - given, 0))
    return shares


def _part(deployment: Object, replicaset: Object, change: int, given: int) -> int:
    if change == given:
        return 0
    fraction = _fraction(deployment, replicaset)
    return min(fraction, change - given) if change > 0 else max(fraction, change - given)


def _fraction(deployment: Object, replicaset: Object) -> int:
    present, size = amounts.replicas(replicaset), amounts.replicas(deployment)
    if size == 0:
        return -present
    before = revisions.noted(replicaset, revisions.MAX_REPLICAS)
    if not before:
        before = int((deployment.get("status") or {}).get("replicas", 0))
        if not before:
            return 0
    scaled = present * (size + amounts.max_surge(deployment)) / before
    return int(scaled + 0.5) - present


def _saturated(deployment: Object, new: Object | None) -> bool:
    if new is None:
        return False
    size = amounts.replicas(deployment)
    available = amounts.counted([new], "availableReplicas")
    return amounts.replicas(new) == size == available == revisions.noted(new, revisions.DESIRED_REPLICAS)


def _newest(sets: list[Object]) -> Object | None:
    return revisions.oldest_first(sets)[-1] if sets else None
