"""What is known, by owner: who is woken, and what a view shows."""

from __future__ import annotations

from include.release.kube_async import Change
from include.restarts.index import EVENTS_OF_A_POD, Index
from tests.include.restarts.watch.replay import thing


def make() -> tuple[Index, list[str]]:
    woken: list[str] = []
    return Index("shop", woken.append), woken


def fill(index: Index, *names: str) -> None:
    index.replace("Deployment", [thing(name, "1") for name in names])
    index.replace("ReplicaSet", [thing(f"{name}-rs", "1", ("Deployment", name)) for name in names])
    index.replace("Pod", [thing(f"{name}-pod", "1", ("ReplicaSet", f"{name}-rs")) for name in names])


def event(name: str, pod: str, **more: object) -> dict[str, object]:
    about = {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"}
    return thing(name, "1", involvedObject=about, reason="Unhealthy", **more)


def test_a_change_wakes_the_deployment_that_owns_it_and_no_other():
    index, woken = make()
    fill(index, "a", "b")
    for kind, name, owner in [
        ("Pod", "a-pod", ("ReplicaSet", "a-rs")),
        ("ReplicaSet", "a-rs", ("Deployment", "a")),
        ("Deployment", "a", None),
    ]:
        woken.clear()
        index.change(kind, Change("MODIFIED", thing(name, "2", owner)))
        assert woken == ["a"], kind
    woken.clear()
    index.change("Event", Change("ADDED", event("e1", "b-pod")))
    assert woken == ["b"]


def test_events_are_found_by_the_pod_that_they_are_about():
    index, _ = make()
    fill(index, "a", "b")
    index.change("Event", Change("ADDED", event("e1", "a-pod", message="connection refused")))
    index.change("Event", Change("ADDED", event("e2", "b-pod")))
    found = index.view("a").events_by_pod_uid
    assert [each["message"] for each in found["uid-a-pod"]] == ["connection refused"]
    assert list(found) == ["uid-a-pod"]


def test_an_event_that_comes_before_its_pod_is_there_when_the_pod_is():
    index, woken = make()
    fill(index, "a")
    index.change("Event", Change("ADDED", event("early", "new")))
    assert index.view("a").events_by_pod_uid == {"uid-a-pod": []}
    woken.clear()
    index.change("Pod", Change("ADDED", thing("new", "5", ("ReplicaSet", "a-rs"))))
    assert woken == ["a"]
    assert [each["metadata"]["name"] for each in index.view("a").events_by_pod_uid["uid-new"]] == ["early"]


def test_pods_that_come_before_their_replica_set_are_there_when_it_is():
    """The streams of the kinds do not wait for each other."""
    index, woken = make()
    index.change("Pod", Change("ADDED", thing("p", "3", ("ReplicaSet", "rs"))))
    index.change("ReplicaSet", Change("ADDED", thing("rs", "2", ("Deployment", "late"))))
    assert woken == []
    index.change("Deployment", Change("ADDED", thing("late", "1")))
    assert woken == ["late"]
    assert [each["metadata"]["name"] for each in index.view("late").pods] == ["p"]


def test_a_list_wakes_for_what_differs_from_what_was_known():
    index, woken = make()
    fill(index, "a", "b", "c")
    woken.clear()
    pods = [thing(f"{name}-pod", rv, ("ReplicaSet", f"{name}-rs")) for name, rv in [("a", "1"), ("b", "9")]]
    index.replace("Pod", pods)
    assert sorted(woken) == ["b", "c"]
    assert index.view("c").pods == []


def test_a_deployment_that_is_made_anew_has_only_its_own_pods():
    index, _ = make()
    fill(index, "a")
    index.change("Deployment", Change("DELETED", thing("a", "2")))
    assert index.view("a").deployment is None
    assert index.view("a").pods == []
    again = thing("a", "3")
    again["metadata"]["uid"] = "another"
    index.change("Deployment", Change("ADDED", again))
    assert index.view("a").deployment == again
    assert index.view("a").pods == []


def test_a_pod_with_the_labels_of_a_deployment_but_another_owner_is_not_its_pod():
    index, woken = make()
    fill(index, "a")
    woken.clear()
    index.change("Pod", Change("ADDED", thing("stray", "1")))
    index.change("Pod", Change("ADDED", thing("of-a-job", "1", ("Job", "job"))))
    assert woken == []
    assert len(index.view("a").pods) == 1


def test_a_pod_that_fails_its_probe_all_day_does_not_fill_the_memory():
    index, _ = make()
    fill(index, "a")
    for number in range(EVENTS_OF_A_POD * 3):
        index.change("Event", Change("ADDED", event(f"e{number}", "a-pod")))
    index.change("Event", Change("MODIFIED", event(f"e{EVENTS_OF_A_POD * 2}", "a-pod", count=7)))
    kept = index.view("a").events_by_pod_uid["uid-a-pod"]
    assert len(kept) == EVENTS_OF_A_POD
    assert (kept[-1]["metadata"]["name"], kept[-1]["count"]) == (f"e{EVENTS_OF_A_POD * 2}", 7)
    index.change("Pod", Change("DELETED", thing("a-pod", "2", ("ReplicaSet", "a-rs"))))
    assert index._events_of == {}


def test_nodes_that_are_not_ready_are_named():
    index, _ = make()

    def node(name: str, ready: str) -> dict[str, object]:
        return thing(name, "1", status={"conditions": [{"type": "Ready", "status": ready}]})

    index.replace("Node", [node("n1", "True"), node("n2", "Unknown"), thing("n3", "1")])
    assert index.view("a").nodes_not_ready == ["n2", "n3"]
    index.change("Node", Change("MODIFIED", node("n2", "True")))
    index.change("Node", Change("DELETED", thing("n3", "1")))
    assert index.view("a").nodes_not_ready == []
