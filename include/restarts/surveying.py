"""What the clusters say of all guards: a few questions for a whole namespace, however many guards are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.release.environments import Environment, Environments
from include.release.frozen import MANAGED_BY
from include.release.kube import Cluster, KubeError
from include.release.problems import RejectedError
from include.restarts.allowed import not_allowed
from include.restarts.guards import Guard, Guards
from include.restarts.heartbeat import HEARTBEAT, Beat, read_beats
from include.restarts.liveness import Dag, Look
from include.restarts.storm import meeting_place

Connect = Callable[[Environment], Cluster]
Object = dict[str, Any]
OURS = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())


@dataclass(frozen=True)
class Seen:
    """One namespace, or why it could not be looked at. The last three are for who wants the counts too."""

    beats: list[Beat] = field(default_factory=list)
    deployments: Mapping[str, Object] = field(default_factory=dict)
    problem: str = ""
    denied: str = ""
    """What a press takes and the connection's user may not do."""
    replica_sets: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    config_maps: Mapping[str, Object] = field(default_factory=dict)


def survey(
    guards: Guards, places: Environments, connect: Connect, *, counts: bool = False
) -> dict[str, Seen]:
    """What is seen in the namespaces of all guards, by environment. Never raises: what is wrong is in the answer.

    Args:
        guards: all guards.
        places: where they are.
        connect: connects to a cluster.
        counts: ask also for what the counts of restarts are made of, and for the evidence.
    """
    found: dict[str, Seen] = {}
    for name in dict.fromkeys(each.environment for each in guards.guards):
        place = places.find(name)
        if place is None:
            found[name] = Seen(problem=f"there is no environment {name}")
        else:
            meeting = meeting_place(guards, places, place.connection) or place.namespace
            found[name] = _look(place, connect, meeting, counts)
    return found


def look_at(guard: Guard, seen: Mapping[str, Seen], dag: Dag) -> Look:
    """What was seen of one guard."""
    here = seen[guard.environment]
    return Look(dag, here.beats, here.deployments.get(guard.deployment), here.problem, here.denied)


def _look(place: Environment, connect: Connect, meeting: str, counts: bool) -> Seen:
    namespace = place.namespace
    try:
        cluster = connect(place)
        beats = read_beats(cluster.get("ConfigMap", namespace, HEARTBEAT))
        deployments = _by_name(cluster.list("Deployment", namespace))
        denied = not_allowed(cluster, namespace, meeting)
        if not counts:
            return Seen(beats, deployments, denied=denied)
        return Seen(
            beats,
            deployments,
            denied=denied,
            replica_sets=cluster.list("ReplicaSet", namespace),
            pods=cluster.list("Pod", namespace),
            config_maps=_by_name(cluster.list("ConfigMap", namespace, labels=OURS)),
        )
    except KubeError as error:
        return Seen(problem=str(error))
    except RejectedError as error:
        first = error.problems[0]
        return Seen(problem=f"{first.where}: {first.found}; expected {first.expected}")


def _by_name(objects: Sequence[Object]) -> dict[str, Object]:
    return {str(each["metadata"]["name"]): each for each in objects}
