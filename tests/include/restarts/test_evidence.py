"""The evidence: what is in it, how large it gets, that it is saved once and that old ones go."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from include.release.creating import create_once
from include.release.kube import KubeError
from include.restarts.evidence import (
    KEEP,
    MOST_BYTES,
    bounded,
    evidence,
    evidence_name,
    prune,
    read_logs,
)
from include.restarts.view import View
from tests.include.restarts.pressing import deployment

POD = {
    "metadata": {"name": "web-1", "uid": "u1"},
    "spec": {"nodeName": "node-1", "containers": [{"env": [{"name": "PASSWORD", "value": "s3cr3t"}]}]},
    "status": {
        "containerStatuses": [
            {"name": "main", "lastState": {"terminated": {"message": "postgres://a:s3cr3t@db refused"}}}
        ]
    },
}
EVENT = {
    "type": "Warning",
    "reason": "BackOff",
    "message": "token=s3cr3t",
    "involvedObject": {"name": "web-1"},
}


def made(run: str = "web_guard/run-1", **logs: str) -> dict[str, Any]:
    thing = deployment(annotations={"kubectl.kubernetes.io/last-applied-configuration": "password: s3cr3t"})
    thing["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "s3cr3t"}]
    view = View("sre", "web", datetime(2026, 11, 21, tzinfo=UTC), thing, pods=[POD],
                events_by_pod_uid={"u1": [EVENT]})  # fmt: skip
    both = {("web-1", "main"): {"previous": logs.get("previous"), "current": logs.get("current")}}
    return evidence("web", "sre", run, {"action": "press", "text": "4 restarts"}, view, both)


def test_it_has_what_a_person_needs_to_judge_the_decision_later():
    found = made(previous="network failure: reset\n", current="")
    data = found["data"]
    assert json.loads(data["decision.json"])["text"] == "4 restarts"
    assert json.loads(data["deployment.json"])["replicas"] == 3
    (pod,) = json.loads(data["pods.json"])
    assert pod["node"] == "node-1"
    assert pod["status"]["containerStatuses"][0]["lastState"]
    assert json.loads(data["events.json"])[0]["reason"] == "BackOff"
    assert data["log.web-1.main.previous.txt"] == "network failure: reset\n"
    assert "log.web-1.main.current.txt" not in data
    assert found["immutable"] is True
    assert found["metadata"]["name"] == evidence_name("web", "web_guard/run-1")


def test_no_secret_is_in_it():
    text = json.dumps(made(previous="Authorization: Bearer s3cr3t\npassword=s3cr3t"))
    assert "s3cr3t" not in text


def test_it_stays_below_its_bound_and_keeps_the_decision_whole():
    long = "x" * 400_000
    data = bounded({"decision.json": "{}", "pods.json": long, "events.json": "y" * 1000, "log.a.txt": "z"})
    assert sum(len(each.encode()) for each in data.values()) <= MOST_BYTES
    assert data["decision.json"] == "{}"
    assert data["pods.json"].endswith("(cut: 400000 bytes in all)")
    assert bounded({"a": "é" * 300}, limit=400)["a"].endswith("(cut: 600 bytes in all)")


def test_of_a_long_log_the_end_is_kept():
    log = made(previous="\n".join(f"line {number}" for number in range(5000)))["data"][
        "log.web-1.main.previous.txt"
    ]
    assert log.startswith("(cut)")
    assert log.endswith("line 4999")
    assert len(log) < 17_000


def test_of_a_log_of_very_long_lines_the_last_is_read():
    asked = []

    class Verbose:
        def log(self, *_: str, previous: bool, tail: int, limit_bytes: int) -> str:
            asked.append((tail, limit_bytes))
            lines = [f"{number}: {'x' * 2000}" for number in range(60)]
            return "\n".join([*lines, "network failure"][-tail:])[:limit_bytes]

    found = read_logs(Verbose(), "sre", [("web-1", "main")])  # type: ignore[arg-type]
    assert str(found["web-1", "main"]["previous"]).endswith("network failure")
    assert set(asked) == {(50, 65536), (5, 65536)}


def test_a_log_of_any_length_is_redacted_soon_and_where_it_is_cut():
    started = time.process_time()
    cut = "y" * 2000 + " password=" + "s3cr3t" * 3000  # what is kept begins in the middle of it
    data = made(previous="-" * 1_000_000, current=cut)["data"]
    assert time.process_time() - started < 2
    assert data["log.web-1.main.previous.txt"].startswith("(cut)")
    assert "s3cr3t" not in json.dumps(data)


def test_it_is_saved_once_and_cannot_be_changed(cluster, namespace):
    client = cluster.connect()
    manifest = made()
    manifest["metadata"]["namespace"] = namespace
    assert create_once(client, manifest, namespace) is True
    assert create_once(client, manifest, namespace) is False
    name = manifest["metadata"]["name"]
    with pytest.raises(KubeError, match="immutable"):
        client.patch("ConfigMap", namespace, name, {"data": {"decision.json": "changed"}})


def test_the_newest_few_of_a_guard_are_kept_and_the_one_of_the_press(cluster, namespace):
    from include.payments.journal import Hold, JournalStore

    client = cluster.connect()
    JournalStore(client, namespace, "web").change(lambda journal: journal.with_hold(Hold(run="run-0")))
    names = []
    for number in range(KEEP + 2):
        manifest = made(run=f"web_guard/run-{number}")
        manifest["metadata"]["namespace"] = namespace
        create_once(client, manifest, namespace)
        names.append(manifest["metadata"]["name"])
        if number == 1:
            time.sleep(1.1)  # times of creation have whole seconds
    gone = prune(client, namespace, "web", keep=[names[0], names[-1]])
    assert gone == [names[1]]
    assert prune(client, namespace, "other", keep=[]) == []
    left = {each["metadata"]["name"] for each in client.list("ConfigMap", namespace)}
    assert set(names) - left == {names[1]}
    assert "payments-web" in left  # has the guard's label too, and is the oldest


def test_a_log_that_there_is_not_is_none(cluster, namespace):
    found = read_logs(cluster.connect(), namespace, [("no-pod", "main"), ("no-pod", "main")])
    assert found == {("no-pod", "main"): {"previous": None, "current": None}}


def test_a_node_that_does_not_answer_does_not_hold_up_the_press():
    class Slow:
        def log(
            self, namespace: str, pod: str, container: str, *, previous: bool, tail: int, limit_bytes: int
        ) -> str:
            if pod == "hangs":
                time.sleep(5)
            return f"{pod} {previous}"

    started = time.monotonic()
    found = read_logs(Slow(), "sre", [("hangs", "main"), ("fine", "main")], seconds=0.3)  # type: ignore[arg-type]
    assert time.monotonic() - started < 2
    assert found["hangs", "main"] == {"previous": None, "current": None}
    assert found["fine", "main"] == {"previous": "fine True", "current": "fine False"}
