"""The numbers of a rollout: replicas over replicasets, surge, unavailability."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]


def replicas(obj: Object) -> int:
    """``spec.replicas`` of a deployment or replicaset."""
    return int(obj["spec"].get("replicas", 1))


def wanted(sets: Iterable[Object]) -> int:
    """The replicas that the replicasets ask for."""
    return sum(replicas(one) for one in sets)


def counted(sets: Iterable[Object], field: str) -> int:
    """The sum of a status field over replicasets; an absent field is zero."""
    return sum(int((one.get("status") or {}).get(field, 0)) for one in sets)


def terminating(sets: Iterable[Object]) -> int | None:
    """The pods on their way out, or None when a replicaset that was looked at does not tell."""
    total = 0
    for one in sets:
        status = one.get("status") or {}
        if "terminatingReplicas" in status:
            total += int(status["terminatingReplicas"])
        elif status.get("observedGeneration"):
            return None
    return total


def rolling(deployment: Object) -> bool:
    """Whether the strategy is RollingUpdate."""
    strategy: Object = deployment["spec"].get("strategy") or {}
    return str(strategy.get("type", "RollingUpdate")) == "RollingUpdate"


def fenceposts(deployment: Object) -> tuple[int, int]:
    """``maxSurge`` (rounded up) and ``maxUnavailable`` (rounded down); both zero would never move, so one goes."""
    rules = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = replicas(deployment)
    surge = _share(rules.get("maxSurge", "25%"), total, up=True)
    unavailable = _share(rules.get("maxUnavailable", "25%"), total, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(deployment: Object) -> int:
    """Pods over ``spec.replicas`` during a rolling update."""
    return fenceposts(deployment)[0] if rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    """Pods that may be missing during a rolling update."""
    if not rolling(deployment) or replicas(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas(deployment))


def new_set_size(deployment: Object, sets: list[Object], new: Object) -> int:
    """How many replicas the new replicaset is to have now."""
    if not rolling(deployment):
        return replicas(deployment)
    most = replicas(deployment) + max_surge(deployment)
    room = most - wanted(sets)
    if room <= 0:
        return replicas(new)
    return replicas(new) + min(room, replicas(deployment) - replicas(new))


def _share(value: Any, total: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    # In whole numbers: 3 * 33 / 100 in floating point is a hair off where it matters.
    product = int(text[:-1]) * total
    return math.ceil(product / 100) if up else product // 100
