"""What the clusters say of all guards: one question for the signs of life and one for the Deployments of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.release.environments import Environment, Environments
from include.release.kube import Cluster, KubeError
from include.release.problems import RejectedError
from include.restarts.guards import Guard, Guards
from include.restarts.heartbeat import HEARTBEAT, Beat, read_beats
from include.restarts.liveness import Dag, Look

Connect = Callable[[Environment], Cluster]


@dataclass(frozen=True)
class Seen:
    """One namespace, or why it could not be looked at."""

    beats: list[Beat] = field(default_factory=list)
    deployments: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    problem: str = ""


def survey(guards: Guards, places: Environments, connect: Connect) -> dict[str, Seen]:
    """What is seen in the namespaces of all guards, by environment. Never raises: what is wrong is in the answer."""
    found: dict[str, Seen] = {}
    for name in dict.fromkeys(each.environment for each in guards.guards):
        place = places.find(name)
        found[name] = _look(place, connect) if place else Seen(problem=f"there is no environment {name}")
    return found


def look_at(guard: Guard, seen: Mapping[str, Seen], dag: Dag) -> Look:
    """What was seen of one guard."""
    here = seen[guard.environment]
    return Look(dag, here.beats, here.deployments.get(guard.deployment), here.problem)


def _look(place: Environment, connect: Connect) -> Seen:
    try:
        cluster = connect(place)
        beats = read_beats(cluster.get("ConfigMap", place.namespace, HEARTBEAT))
        listed = cluster.list("Deployment", place.namespace)
    except KubeError as error:
        return Seen(problem=str(error))
    except RejectedError as error:
        first = error.problems[0]
        return Seen(problem=f"{first.where}: {first.found}; expected {first.expected}")
    return Seen(beats, {each["metadata"]["name"]: each for each in listed})
