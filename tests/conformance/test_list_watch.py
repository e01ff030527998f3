"""Lists and watches: selectors, pages, revisions, bookmarks, time limits, expired revisions."""

from __future__ import annotations

import time

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import HELD, configmap, container, pod, sh
from tests.conformance.kit.namespace import Namespace


def names(items: list[Object]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def fill(ns: Namespace, count: int = 5) -> None:
    for number in range(count):
        ns.create("configmaps", configmap(f"c{number}", metadata={"labels": {"set": "s", "n": str(number)}}))


def revision(ns: Namespace) -> str:
    """The revision of the namespace's ConfigMaps now."""
    return str(ns.api.request("GET", ns.path("configmaps")).expect(200)["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("set=s,n=1", ["c1"]),
        ("set==s,n!=1", ["c0", "c2"]),
        ("n in (0,2)", ["c0", "c2"]),
        ("set=s,n notin (0,1)", ["c2"]),
        ("n", ["c0", "c1", "c2"]),
        ("!n,set", []),
    ],
)
def test_label_selectors(ns: Namespace, selector: str, found: list[str]) -> None:
    fill(ns, 3)
    assert names(ns.list("configmaps", selector)) == found


def test_field_selectors(ns: Namespace) -> None:
    fill(ns, 3)
    assert names(ns.list("configmaps", fieldSelector="metadata.name=c1")) == ["c1"]
    assert names(ns.list("configmaps", "set=s", fieldSelector="metadata.name!=c1")) == ["c0", "c2"]
    ns.create("secrets", {"metadata": {"name": "typed"}, "type": "example.com/t"})
    assert names(ns.list("secrets", fieldSelector="type=example.com/t")) == ["typed"]


def test_pods_are_selected_by_phase_and_node(ns: Namespace) -> None:
    ns.create("pods", pod("held", container(ns.image, sh("true"), **HELD)))
    node = ns.run(pod("done", container(ns.image, sh("true"))))["spec"]["nodeName"]
    assert names(ns.list("pods", fieldSelector="status.phase=Succeeded")) == ["done"]
    assert names(ns.list("pods", fieldSelector="status.phase!=Succeeded")) == ["held"]
    assert names(ns.list("pods", fieldSelector=f"spec.nodeName={node}")) == ["done"]


def test_pages_give_everything_once(ns: Namespace) -> None:
    fill(ns)
    seen: list[str] = []
    token, sizes, revisions = "", [], set()
    while True:
        query = {"limit": 2, "labelSelector": "set=s", **({"continue": token} if token else {})}
        page = ns.api.request("GET", ns.path("configmaps"), **query).expect(200)
        seen += names(page["items"])
        sizes.append(len(page["items"]))
        revisions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert seen == [f"c{number}" for number in range(5)]
    assert sizes == [2, 2, 1]
    assert len(revisions) == 1


def test_remaining_items_are_counted_without_a_selector(ns: Namespace) -> None:
    fill(ns, 3)
    page = ns.api.request("GET", ns.path("configmaps"), limit=1).expect(200)
    assert page["metadata"]["remainingItemCount"] == len(ns.list("configmaps")) - 1


def test_list_at_revisions(ns: Namespace) -> None:
    fill(ns, 1)
    current = revision(ns)
    for query in (
        {"resourceVersion": "0"},
        {"resourceVersion": current},
        {"resourceVersion": current, "resourceVersionMatch": "Exact"},
        {"resourceVersion": current, "resourceVersionMatch": "NotOlderThan"},
    ):
        answer = ns.api.request("GET", ns.path("configmaps"), labelSelector="n=0", **query)
        assert names(answer.expect(200)["items"]) == ["c0"], query
    alone = ns.api.request("GET", ns.path("configmaps"), resourceVersionMatch="Exact")
    assert alone.code == 422
    assert "resourceVersionMatch is forbidden unless resourceVersion is provided" in alone.message


def test_a_future_revision_times_out(ns: Namespace) -> None:
    future = str(int(revision(ns)) + 1_000_000)
    answer = ns.api.request("GET", ns.path("configmaps"), resourceVersion=future)
    assert answer.code == 504
    assert answer.message.startswith(f"Timeout: Too large resource version: {future}, current: ")
    assert answer.body["reason"] == "Timeout"


def test_watch_tells_what_happens_after_a_revision(ns: Namespace) -> None:
    fill(ns, 1)
    start = revision(ns)
    ns.create("configmaps", configmap("later"))
    ns.patch("configmaps", "later", {"data": {"a": "1"}})
    ns.delete("configmaps", "later")
    events = []
    for event in ns.api.watch(ns.path("configmaps"), resourceVersion=start):
        events.append(event)
        if event["type"] == "DELETED":
            break
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert all(event["object"]["kind"] == "ConfigMap" for event in events)
    assert names([event["object"] for event in events]) == ["later"] * 3
    assert events[1]["object"]["data"] == {"a": "1"}
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert revisions == sorted(set(revisions))
    assert revisions[0] > int(start)


def test_watch_without_a_revision_begins_with_what_is_there(ns: Namespace) -> None:
    fill(ns, 2)
    events = ns.api.watch(ns.path("configmaps"), labelSelector="set=s")
    assert sorted(names([next(events)["object"], next(events)["object"]])) == ["c0", "c1"]
    ns.delete("configmaps", "c0")
    event = next(events)
    events.close()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "c0")


def test_watch_with_a_selector_sees_objects_come_and_go(ns: Namespace) -> None:
    start = revision(ns)
    ns.create("configmaps", configmap("c", metadata={"labels": {"seen": "no"}}))
    for value in ("yes", "no"):
        ns.patch("configmaps", "c", {"metadata": {"labels": {"seen": value}}})
    events = ns.api.watch(ns.path("configmaps"), resourceVersion=start, labelSelector="seen=yes")
    kinds = [next(events)["type"], next(events)["type"]]
    events.close()
    assert kinds == ["ADDED", "DELETED"]


def test_watch_of_one_name(ns: Namespace) -> None:
    start = revision(ns)
    fill(ns, 3)
    events = ns.api.watch(ns.path("configmaps"), resourceVersion=start, fieldSelector="metadata.name=c2")
    event = next(events)
    events.close()
    assert event["object"]["metadata"]["name"] == "c2"


def test_watch_ends_cleanly_after_its_time(ns: Namespace) -> None:
    begun = time.monotonic()
    assert list(ns.api.watch(ns.path("configmaps"), seconds=1, resourceVersion=revision(ns))) == []
    assert 0.8 <= time.monotonic() - begun < 10


def test_bookmark_ends_the_initial_events(ns: Namespace) -> None:
    fill(ns, 2)
    query = {
        "sendInitialEvents": True,
        "allowWatchBookmarks": True,
        "resourceVersionMatch": "NotOlderThan",
        "labelSelector": "set=s",
    }
    events = []
    for event in ns.api.watch(ns.path("configmaps"), **query):
        events.append(event)
        if event["type"] == "BOOKMARK":
            break
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
    mark = events[-1]["object"]
    assert mark["kind"] == "ConfigMap"
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(mark["metadata"]["resourceVersion"]) > 0
    assert "name" not in mark["metadata"]
    refused = ns.api.request(
        "GET", ns.path("configmaps"), watch=True, sendInitialEvents=True, timeoutSeconds=1
    )  # fmt: skip
    assert refused.code == 422
    assert "resourceVersionMatch" in refused.message


def test_watch_of_an_expired_revision_is_told_so(ns: Namespace) -> None:
    """Events are kept out of the watch cache, so any server that has compacted once answers 410 for them.

    A server younger than its first compaction still has everything: then the watch begins as asked.
    """
    for event in ns.api.watch("/api/v1/events", seconds=2, resourceVersion="1"):
        if event["type"] == "ERROR":
            status = event["object"]
            assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
            assert "too old" in status["message"]
            return
        assert event["type"] in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")


def test_a_garbage_revision_cannot_be_watched(ns: Namespace) -> None:
    answer = ns.api.request("GET", ns.path("configmaps"), watch=True, resourceVersion="abc", timeoutSeconds=1)
    assert answer.code in (400, 500)
    assert "abc" in answer.message


def test_table_for_who_prints_it(ns: Namespace) -> None:
    fill(ns, 2)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = ns.api.request("GET", ns.path("configmaps"), accept=accept, labelSelector="set=s").expect(200)
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row["cells"][0] for row in table["rows"]] == ["c0", "c1"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_only_for_who_asks(ns: Namespace) -> None:
    fill(ns, 1)
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = ns.api.request("GET", ns.path("configmaps"), accept=accept, labelSelector="n=0").expect(200)
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]
