"""What the restart watch relies on: lists and watches of pods and their Events, owners, statuses, kept ConfigMaps."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import MERGE, Object
from tests.conformance.kit.manifests import IDLE, configmap, container, deployment, pod, python, sh
from tests.conformance.kit.namespace import Namespace, container_status, last_terminated

GATED = {"schedulingGates": [{"name": "example.com/held"}]}
OF_PODS = "involvedObject.kind=Pod"


def listed(ns: Namespace, plural: str, **query: Any) -> Object:
    found: Object = ns.api.request("GET", ns.path(plural), **query).expect(200)
    return found


def held(ns: Namespace, name: str) -> Object:
    """A pod that no scheduler places and no kubelet touches."""
    return ns.create("pods", pod(name, container(ns.image, sh("true")), restartPolicy="Always", **GATED))


def restart_status(count: int, message: str) -> Object:
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": "2026-11-21T09:00:00Z",
        "finishedAt": "2026-11-21T09:00:05Z",
        "containerID": f"containerd://{count - 1:064x}",
    }
    status = {
        "name": "main",
        "image": "image",
        "imageID": "",
        "containerID": f"containerd://{count:064x}",
        "ready": True,
        "started": True,
        "restartCount": count,
        "state": {"running": {"startedAt": "2026-11-21T09:00:06Z"}},
        "lastState": {"terminated": ended},
    }
    return {"status": {"containerStatuses": [status]}}


def test_a_list_in_pages_hands_over_to_a_watch_without_a_gap(ns: Namespace) -> None:
    for name in ("a", "b", "c"):
        held(ns, name)
    page = listed(ns, "pods", limit=2)
    held(ns, "between")
    rest = listed(ns, "pods", limit=2, **{"continue": page["metadata"]["continue"]})
    names = [item["metadata"]["name"] for item in page["items"] + rest["items"]]
    assert names == ["a", "b", "c"]
    assert rest["metadata"]["resourceVersion"] == page["metadata"]["resourceVersion"]
    events = ns.api.watch(ns.path("pods"), resourceVersion=rest["metadata"]["resourceVersion"])
    event = next(events)
    events.close()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "between")


def test_a_watch_goes_on_from_the_revision_of_its_last_event(ns: Namespace) -> None:
    held(ns, "p")
    start = listed(ns, "pods")["metadata"]["resourceVersion"]
    for count in (1, 2):
        ns.patch("pods", "p", restart_status(count, "refused"), MERGE, sub="status").expect(200)
    counts, revision = [], start
    for _ in range(2):  # a connection for each event
        events = ns.api.watch(ns.path("pods"), resourceVersion=revision)
        event = next(events)
        events.close()
        revision = event["object"]["metadata"]["resourceVersion"]
        counts.append(container_status(event["object"])["restartCount"])
    assert counts == [1, 2]


def test_a_bookmark_comes_before_a_watch_ends(ns: Namespace) -> None:
    held(ns, "p")
    start = listed(ns, "pods")["metadata"]["resourceVersion"]
    ns.create("configmaps", configmap("another-kind"))
    events = list(ns.api.watch(ns.path("pods"), seconds=6, resourceVersion=start, allowWatchBookmarks=True))
    marks = [event["object"] for event in events if event["type"] == "BOOKMARK"]
    assert marks
    assert marks[-1]["kind"] == "Pod"
    assert int(marks[-1]["metadata"]["resourceVersion"]) >= int(start)
    assert "name" not in marks[-1]["metadata"]


def test_the_status_of_a_pod_is_written_through_its_subresource(ns: Namespace) -> None:
    made = held(ns, "p")
    start = made["metadata"]["resourceVersion"]
    ns.patch("pods", "p", restart_status(4, "connect: connection refused"), MERGE, sub="status").expect(200)
    events = ns.api.watch(ns.path("pods"), resourceVersion=start, fieldSelector="metadata.name=p")
    seen = next(event["object"] for event in events if container_status(event["object"]))
    events.close()
    assert container_status(seen)["restartCount"] == 4
    assert last_terminated(seen)["message"] == "connect: connection refused"
    assert seen["metadata"]["uid"] == made["metadata"]["uid"]


def test_the_owners_of_a_pod_lead_to_its_deployment(ns: Namespace) -> None:
    made = ns.create("deployments", deployment("d", container(ns.image, sh("true")), pod_fields=GATED))
    seen = ns.wait("deployments", "d", "its pod is there", lambda item: item["status"].get("replicas") == 1)
    (owned,) = ns.list("replicasets", "app=d")
    (only,) = ns.list("pods", "app=d")
    for item, kind, owner in [(only, "ReplicaSet", owned), (owned, "Deployment", seen)]:
        (reference,) = item["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["controller"]) == (kind, True)
        assert (reference["name"], reference["uid"]) == (owner["metadata"]["name"], owner["metadata"]["uid"])
    assert made["metadata"]["uid"] == seen["metadata"]["uid"]


def test_a_restart_is_told_by_the_status_and_by_events_of_the_pod(ns: Namespace) -> None:
    start = listed(ns, "events")["metadata"]["resourceVersion"]
    falls = container(ns.image, sh("echo dial tcp: connection refused; exit 3"))
    ns.create("pods", pod("p", falls, restartPolicy="Always"))
    seen = ns.wait(
        "pods", "p", "restarted twice", lambda item: container_status(item).get("restartCount", 0) >= 2, 120
    )
    how = last_terminated(seen)
    assert (how["exitCode"], how["reason"]) == (3, "Error")
    assert how["finishedAt"] >= how["startedAt"]
    # The watch of Events sees those of pods only, and each names the pod by its uid, the container by its path.
    reasons = {}
    for event in ns.api.watch(ns.path("events"), seconds=30, resourceVersion=start, fieldSelector=OF_PODS):
        about = event["object"]["involvedObject"]
        assert about["kind"] == "Pod"
        if about["uid"] == seen["metadata"]["uid"]:
            reasons[event["object"]["reason"]] = about.get("fieldPath", "")
        if "BackOff" in reasons:
            break
    assert {reasons["Started"], reasons["BackOff"]} == {"spec.containers{main}"}


def test_the_log_of_the_time_before_is_there_when_the_restart_is(ns: Namespace) -> None:
    volume = {"name": "v", "emptyDir": {}}
    script = f"""
import os, sys
if not os.path.exists("/data/tried"):
    open("/data/tried", "w").close()
    print("x" * 300)
    print("connection refused", flush=True)
    sys.exit(1)
{IDLE}
"""
    main = container(ns.image, python(script), volumeMounts=[{"name": "v", "mountPath": "/data"}])
    ns.create("pods", pod("p", main, restartPolicy="Always", volumes=[volume]))
    ns.wait("pods", "p", "restarted", lambda item: container_status(item).get("restartCount", 0) == 1, 120)
    text = ns.log("p", "main", previous=True, tailLines=50, limitBytes=65536)
    assert text.splitlines()[-1] == "connection refused"
    assert ns.log("p", "main", previous=True, tailLines=1) == "connection refused\n"


def test_a_container_that_never_ran_has_no_log_and_says_so(ns: Namespace) -> None:
    held(ns, "p")
    for previous in (False, True):
        answer = ns.read("pods", "p", "log", accept="*/*", container="main", previous=previous)
        assert answer.code in (204, 400)


def test_nothing_is_listed_or_watched_in_a_namespace_that_is_not_there(ns: Namespace) -> None:
    path = "/api/v1/namespaces/there-is-none-of-this-name/pods"
    found = ns.api.request("GET", path, limit=500).expect(200)
    assert found["items"] == []
    revision = found["metadata"]["resourceVersion"]
    assert list(ns.api.watch(path, seconds=1, resourceVersion=revision)) == []


def test_every_node_says_whether_it_is_ready(ns: Namespace) -> None:
    nodes = ns.api.request("GET", "/api/v1/nodes", limit=500).expect(200)["items"]
    assert nodes
    for node in nodes:
        ready = [each["status"] for each in node["status"]["conditions"] if each["type"] == "Ready"]
        assert ready in (["True"], ["False"], ["Unknown"])


def test_what_is_kept_is_written_only_over_what_was_read(ns: Namespace) -> None:
    first = ns.create("configmaps", configmap("kept", data={"ledger": "1"}))
    second = ns.put("configmaps", "kept", first | {"data": {"ledger": "2"}}).expect(200)
    late = ns.put("configmaps", "kept", first | {"data": {"ledger": "3"}})
    assert (late.code, late.body["reason"]) == (409, "Conflict")
    same = ns.put("configmaps", "kept", second).expect(200)
    assert same["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert ns.post("configmaps", configmap("kept")).code == 409
    ns.delete("configmaps", "kept").expect(200)
    gone = ns.put("configmaps", "kept", second)
    assert gone.code in (404, 409)


def test_each_key_of_a_configmap_is_patched_by_itself(ns: Namespace) -> None:
    ns.create("configmaps", configmap("watch", data={"a": "1", "b": "2"}))
    merged = ns.patch("configmaps", "watch", {"data": {"b": "3", "c": "4"}}, MERGE).expect(200)
    assert merged["data"] == {"a": "1", "b": "3", "c": "4"}
    left = ns.patch("configmaps", "watch", {"data": {"a": None}}, MERGE).expect(200)
    assert left["data"] == {"b": "3", "c": "4"}
    assert ns.patch("configmaps", "no-such", {"data": {"a": "1"}}, MERGE).code == 404
