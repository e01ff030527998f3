"""The storm brake: when many guards trip at once, or a node is not ready, it is no single service that is broken.

Each guard notes its trip in one ConfigMap per cluster, under its own key, by a write that gives the others' back. It is
looked at when a guard confirms and once more right before it presses, so guards that trip together see each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.release.environments import Environments
from include.release.frozen import MANAGED_BY
from include.release.kube import Cluster, KubeError
from include.release.texts import plural
from include.restarts.guards import Guard, Guards, Storm

CONFIG_MAP = "restart-guards"
TRIES = 5


@dataclass(frozen=True)
class Trip:
    """One guard, when it tripped, in which run."""

    guard: str
    at: datetime
    run: str


def meeting_place(guards: Guards, places: Environments, connection: str) -> str | None:
    """The namespace where all guards of one cluster note their trips: that of the first one in the file."""
    for guard in guards.guards:
        place = places.find(guard.environment)
        if place is not None and place.connection == connection:
            return place.namespace
    return None


def note_trip(cluster: Cluster, namespace: str, guard: Guard, run: str, now: datetime) -> list[Trip]:
    """Note that a guard has tripped; returns what all have noted. The time of an earlier try of this run stays.

    Raises:
        KubeError: it cannot be written.
    """
    trips = read_trips(cluster, namespace)
    if any(each.guard == guard.name and each.run == run for each in trips):
        return trips
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "labels": MANAGED_BY},
        "data": {guard.name: json.dumps({"at": now.isoformat(), "run": run}, sort_keys=True)},
    }
    # A manager for each guard: server-side apply then makes the ConfigMap or adds this guard's key, in one request.
    for attempt in range(TRIES):
        try:
            answer = cluster.apply(manifest, namespace, manager=f"restart-guard-{guard.name}", force=True)
            return _trips(answer.object)
        except KubeError as error:
            if error.status != 409 or attempt == TRIES - 1:  # two that make it at the same moment
                raise
    raise AssertionError  # the loop has no other end


def read_trips(cluster: Cluster, namespace: str) -> list[Trip]:
    """What all guards of the cluster have noted. Raises KubeError."""
    return _trips(cluster.get("ConfigMap", namespace, CONFIG_MAP))


def braked(storm: Storm, trips: Sequence[Trip], nodes_not_ready: Sequence[str], now: datetime) -> str:
    """Why automatic presses stop, in a sentence; empty when they do not."""
    since = now - timedelta(minutes=storm.minutes)
    recent = sorted({each.guard for each in trips if each.at >= since})
    if len(recent) > storm.guards:
        return (
            f"{plural(len(recent), 'guard')} tripped within {plural(storm.minutes, 'minute')} ({', '.join(recent)}), "
            f"more than {storm.guards}: the cause is something that they share"
        )
    if storm.nodes and nodes_not_ready:
        names = ", ".join(sorted(nodes_not_ready)[:5])
        count = len(nodes_not_ready)
        return f"{plural(count, 'node')} {'is' if count == 1 else 'are'} not ready ({names}): the cause may be there"
    return ""


def nodes_not_ready(cluster: Cluster) -> tuple[list[str], str]:
    """Names of nodes that are not ready, and why they cannot be looked at. Raises KubeError when the cluster is away."""
    try:
        nodes = cluster.list("Node", "")
    except KubeError as error:
        if error.status != 403:
            raise
        return [], f"nodes may not be listed ({error.message}): the storm brake does not see them"
    return [str(each["metadata"]["name"]) for each in nodes if not _ready(each)], ""


def _ready(node: dict[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _trips(config_map: dict[str, Any] | None) -> list[Trip]:
    """The trips that can be read; what somebody wrote in by hand is no trip."""
    found = []
    for name, text in ((config_map or {}).get("data") or {}).items():
        try:
            value = json.loads(text)
            at = datetime.fromisoformat(value["at"])
            if at.tzinfo is not None:
                found.append(Trip(name, at, str(value.get("run", ""))))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found
