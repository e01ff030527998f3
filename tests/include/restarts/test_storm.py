"""The storm brake: many guards at once, or a node that is not ready."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.environments import Environments
from include.release.kube import KubeError
from include.restarts.guards import Guard, Guards, Storm
from include.restarts.storm import (
    CONFIG_MAP,
    Trip,
    braked,
    meeting_place,
    nodes_not_ready,
    note_trip,
    read_trips,
)

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
STORM = Storm(guards=3, minutes=10)


def guard(name: str, environment: str = "payments") -> Guard:
    return Guard(name=name, title="t", environment=environment, deployment=f"{name}-app")


def trips(*minutes_ago: float) -> list[Trip]:
    return [Trip(f"g{index}", NOW - timedelta(minutes=ago), "r") for index, ago in enumerate(minutes_ago)]


def test_more_guards_than_allowed_in_the_time_brake():
    assert braked(STORM, trips(0, 1, 2), [], NOW) == ""
    text = braked(STORM, trips(0, 1, 2, 9.9), [], NOW)
    assert text == (
        "4 guards tripped within 10 minutes (g0, g1, g2, g3), more than 3: the cause is something that they share"
    )
    assert braked(STORM, trips(0, 1, 2, 10.1), [], NOW) == ""


def test_one_guard_that_trips_again_and_again_is_no_storm():
    again = [Trip("swype", NOW - timedelta(minutes=ago), f"r{ago}") for ago in range(6)]
    assert braked(STORM, again, [], NOW) == ""


def test_a_node_that_is_not_ready_brakes_unless_configured_otherwise():
    assert braked(STORM, trips(0), ["node-2"], NOW) == "1 node is not ready (node-2): the cause may be there"
    assert "2 nodes are not ready (a, b)" in braked(STORM, [], ["b", "a"], NOW)
    assert braked(Storm(guards=3, minutes=10, nodes=False), trips(0), ["node-2"], NOW) == ""


def test_four_guards_that_trip_at_once_see_each_other(cluster, namespace):
    gate = threading.Barrier(4)
    failures: list[BaseException] = []

    def one(name: str) -> None:
        client = cluster.connect()
        gate.wait()
        try:
            note_trip(client, namespace, guard(name), f"{name}/run", NOW)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(f"g{number}",)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    # As each looks again right before it presses, every one of them sees all four.
    found = read_trips(cluster.connect(), namespace)
    assert {each.guard for each in found} == {"g0", "g1", "g2", "g3"}
    assert "4 guards tripped" in braked(STORM, found, [], NOW)


def test_a_retry_keeps_the_time_of_its_trip_and_a_new_run_moves_it(cluster, namespace):
    client, later = cluster.connect(), NOW + timedelta(minutes=5)
    note_trip(client, namespace, guard("a"), "run-1", NOW)
    (again,) = note_trip(client, namespace, guard("a"), "run-1", later)
    assert again.at == NOW
    (moved,) = note_trip(client, namespace, guard("a"), "run-2", later)
    assert moved.at == later


def test_what_somebody_wrote_in_by_hand_is_no_trip(cluster, namespace):
    client = cluster.connect()
    note_trip(client, namespace, guard("a"), "run-1", NOW)
    data = {"b": "hello", "c": '{"at": "yesterday"}', "d": '{"at": "2026-11-21T09:00:00"}', "e": "[]"}
    client.patch("ConfigMap", namespace, CONFIG_MAP, {"data": data})
    assert [each.guard for each in read_trips(client, namespace)] == ["a"]


def test_guards_of_one_cluster_meet_in_the_namespace_of_the_first():
    places = Environments.model_validate(
        {
            "environments": [
                {"name": name, "title": "t", "connection": connection, "namespace": space, "image_lock": "l",
                 "may_trigger": ["*"], "may_approve": ["*"], "documents": "d"}
                for name, connection, space in (("a", "one", "x"), ("b", "one", "y"), ("c", "two", "z"))
            ]
        }
    )  # fmt: skip
    guards = Guards(guards=[guard("g1", "b"), guard("g2", "a"), guard("g3", "c")])
    assert meeting_place(guards, places, "one") == "y"
    assert meeting_place(guards, places, "two") == "z"
    assert meeting_place(guards, places, "three") is None


class Nodes:
    def __init__(self, *ready: str, status: int = 0) -> None:
        self.ready, self.status = ready, status

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        if self.status:
            raise KubeError(self.status, "forbidden", "GET /api/v1/nodes")
        return [
            {"metadata": {"name": f"n{index}"}, "status": {"conditions": [{"type": "Ready", "status": each}]}}
            for index, each in enumerate(self.ready)
        ]


def test_nodes_are_looked_at_where_that_is_allowed():
    assert nodes_not_ready(Nodes("True", "Unknown", "False")) == (["n1", "n2"], "")  # type: ignore[arg-type]
    names, why = nodes_not_ready(Nodes(status=403))  # type: ignore[arg-type]
    assert names == []
    assert "the storm brake does not see them" in why
    with pytest.raises(KubeError):
        nodes_not_ready(Nodes(status=503))  # type: ignore[arg-type]
