"""The answers of a real Kubernetes, replayed: code, content type, warnings and body have to be the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.include.cluster.http import replay
from tests.include.cluster.http.serving import Cluster, serve

CONFIGMAPS = "/api/v1/namespaces/golden/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/golden/deployments"

# Differences that are meant, by topic and note (its beginning), with the reason.
DELIBERATE = {
    "discovery": {
        "/version": "the stand-in says in gitVersion that it is one",
        "/api": "only the kinds that the stand-in serves",
        "/apis": "only the groups that the stand-in serves",
        "/": "only the paths that the stand-in serves",
        "/readyz?verbose": "its own checks",
        "/openapi/v3": "only what kubectl needs",
        "aggregated": "only the kinds that the stand-in serves",
        "nopeer": "only the kinds that the stand-in serves",
        "no Accept": "the server's own address",
        "Accept */*": "the server's own address",
    },
    "errors": {
        "no credentials on /version": "the stand-in says in gitVersion that it is one",
        "/version allowed": "the stand-in says in gitVersion that it is one",
        "yaml accept": "strings are quoted otherwise; YAML readers see the same",
        "invalid: duplicate hostPort": "hostPort is refused by name, as nothing maps it here",
    },
    "access-review": {
        "after a RoleBinding": "there is no RBAC: roles are in the token",
        "subresource log": "there is no RBAC: roles are in the token",
        "SelfSubjectRulesReview": "there is no RBAC: roles are in the token",
        "with the right": "there is no RBAC: roles are in the token",
    },
    "pod": {
        "patch env": "the diff behind the message is Go's own print of the structs",
        "json patch of resources": "the diff behind the message is Go's own print of the structs",
        "get right after the eviction": "without a node there is no grace: the pod is gone at once",
    },
    "job": {"template change": "the value in the message is Go's own print of the struct"},
    "service": {
        "create NodePort": "the lowest free port, not a random one, and a warning that the node does not open it",
        "list": "the lowest free port, not a random one",
        "delete: the answer is the Service": "the lowest free port, not a random one",
    },
    "field-validation": {
        "merge patch with unknown field, fieldValidation=Strict": "the object in the message has its keys in another order",
        "json patch adding unknown field, fieldValidation=Strict": "the object in the message has its keys in another order",
    },
    "list": {
        "watch from resourceVersion=1": "the history of the other topics is not there",
        "pods ": "the pods of the other topics are not there",
        "events ": "the events of the other topics are not there",
        "the same events": "the events of the other topics are not there",
        "limit=1 without": "the objects of the other topics are not there",
        "continue token older": "the objects of the other topics are not there",
        "resourceVersion in the future": "names the revision that the server is at",
    },
}
# Answers that need controllers or a node, which do not run here.
WORKERS = {
    "deployment": ("replicasets of it",),
    "field-validation": ("replace with unknown field", "merge patch", "strategic merge patch", "json patch"),
    "configmap": ("list all in namespace",),
    "namespace": ("service accounts", "gone"),
    "pvc": ("events of the claim",),
    "job": ("pods of the job", "pods after", "list fieldSelector status.successful"),
}
TOPICS = [
    "configmap",
    "secret",
    "deployment",
    "service",
    "namespace",
    "pod",
    "pvc",
    "job",
    "errors",
    "field-validation",
    "dry-run",
    "server-side-apply",
    "scale",
    "list",
    "watch",
    "access-review",
    "discovery",
]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from serve(tmp_path_factory.mktemp("recorded"))


def _fresh(cluster: Cluster) -> str:
    """An empty namespace ``golden`` with its service account; returns the account's token."""
    store = cluster.server.registry.store

    def empty() -> None:
        for plural in ("configmaps", "secrets", "services", "deployments", "jobs", "pods", "events", "serviceaccounts",
                       "persistentvolumeclaims"):  # fmt: skip
            for obj in store.list(plural, "golden"):
                store.remove(plural, "golden", obj["metadata"]["name"])
        for name in ("golden", "tmp-ns"):
            store.remove("namespaces", "", name)

    cluster.run(empty)
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "golden"}})
    cluster.ask("POST", "/api/v1/namespaces/golden/serviceaccounts", {"metadata": {"name": "default"}})
    made = cluster.ask("POST", "/api/v1/namespaces/golden/serviceaccounts/default/token", {})
    return str(made.json["status"]["token"])


def _put(cluster: Cluster, path: str, obj: dict[str, Any]) -> None:
    made = cluster.ask("POST", path, obj)
    assert made.code == 201, made.text


def _seed(cluster: Cluster, topic: str, note: str, names: replay.Names) -> None:
    """Makes what was there before the recording of a request began."""
    records = replay.records(topic)
    if topic == "dry-run" and note == "patch dryRun":
        _put(cluster, CONFIGMAPS, {"metadata": {"name": "real"}, "data": {"a": "1"}})
    elif topic == "field-validation" and note.startswith(
        "merge patch with unknown field, fieldValidation=(absent)"
    ):
        body = json.loads(json.dumps(records[0]["request"]["body"]))
        body["spec"].pop("Replicas")
        _put(cluster, DEPLOYMENTS, body)
    elif topic == "scale" and note == "get scale":
        shown = next(one for one in records if one["note"].startswith("deployment at zero"))["response"][
            "body"
        ]
        _put(
            cluster,
            DEPLOYMENTS,
            {"metadata": {"name": "sc", "labels": {"app": "sc"}}, "spec": {**shown["spec"], "replicas": 1}},
        )
    elif topic == "pod" and note in ("get when Running", "delete with gracePeriodSeconds=0 as query"):
        name = "p1" if note == "get when Running" else "cmref"
        _on_node(cluster, "pods", name, lambda obj: obj["spec"].update(nodeName="node-1"))
    elif topic == "list" and note == "labelSelector labelSelector =":
        for number in range(5):
            labels = {"n": str(number), "set": "pg", "tier": "a" if number < 3 else "b"}
            _put(
                cluster,
                CONFIGMAPS,
                {"metadata": {"name": f"pg-{number}", "labels": labels}, "data": {"i": str(number)}},
            )
        names.here["1383"] = str(cluster.server.registry.store.revision)
    elif topic == "watch" and note.startswith("from a resourceVersion"):
        _put(cluster, CONFIGMAPS, {"metadata": {"name": "w0"}, "data": {"a": "0"}})
        names.here["1436"] = str(cluster.server.registry.store.revision)
        threading.Thread(target=_stir, args=(cluster, "w1"), daemon=True).start()


def _on_node(cluster: Cluster, plural: str, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """What a controller or the node would have written."""
    registry = cluster.server.registry
    cluster.run(lambda: registry.edit(plural, "golden", name, change, manager="test"))


def _stir(cluster: Cluster, name: str) -> None:
    """What happened during the recording of the first watch."""
    merge = {"Content-Type": "application/merge-patch+json"}
    time.sleep(0.2)
    cluster.ask("POST", CONFIGMAPS, {"metadata": {"name": name, "labels": {"w": "yes"}}, "data": {"a": "1"}})
    for patch in (
        {"data": {"a": "2"}},
        {"metadata": {"labels": {"w": "no"}}},
        {"metadata": {"labels": {"w": "yes"}}},
    ):
        cluster.ask("PATCH", f"{CONFIGMAPS}/{name}", patch, merge)
    cluster.ask("DELETE", f"{CONFIGMAPS}/{name}")


def _token(record: dict[str, Any], account: str) -> str | None:
    """Who asked: the service account, somebody with a bad token, nobody, or the admin."""
    asked, note = record["request"], record["note"]
    if "Authorization" in (asked.get("headers") or {}):
        return "not-a-token" if "bad token" in note else account
    if asked.get("as") == "anonymous" or "anonymous" in note or "no credentials" in note:
        return None
    return "admin"


def _compare(
    cluster: Cluster, topic: str, record: dict[str, Any], names: replay.Names, account: str
) -> list[str]:
    asked, answered = record["request"], record["response"]
    headers = {key: value for key, value in (asked.get("headers") or {}).items() if key != "Authorization"}
    body = asked.get("body")
    body = body if isinstance(body, str) else names.body(body)
    found = cluster.ask(asked["method"], names.path(asked["path"]), body, headers, _token(record, account))
    told = answered.get("headers") or {}
    warnings = told.get("Warning", [])
    wanted = {
        "code": answered["code"],
        "type": [told["Content-Type"]] if "Content-Type" in told else [],
        "warnings": [warnings] if isinstance(warnings, str) else warnings,
    }
    here = {"code": found.code, "type": found.all("Content-Type"), "warnings": found.all("Warning")}
    if "stream" in answered:
        lines = [entry["line"] for entry in answered["stream"] if "line" in entry]
        recorded: Any = _told(lines)
        shown: Any = _told([json.loads(line) for line in found.text.splitlines()])
    else:
        recorded = answered.get("body")
        shown = found.json if here["type"][:1] and "json" in here["type"][0] else found.text
    names.learn(recorded, shown)
    plain = (replay.plain(recorded, controlled=True), replay.plain(shown, controlled=True))
    if topic == "watch":
        plain = (_distinct(plain[0]), _distinct(plain[1]))
    return [*replay.differences(wanted, here), *replay.differences(*plain)]


def _told(lines: list[Any]) -> list[Any]:
    """A stream without the objects of the other topics."""
    others = ("bare", "from-yaml", "real", "ssa", "kube-root-ca.crt")
    return [
        line
        for line in lines
        if (name := line.get("object", {}).get("metadata", {}).get("name", "")) not in others
        and not name.startswith("gen-")
    ]


def _distinct(lines: Any) -> Any:
    """Bookmarks may come more than once, and Tables describe their columns in words."""
    if not isinstance(lines, list):
        return lines
    kept: list[Any] = []
    for line in lines:
        if isinstance(line, dict) and "columnDefinitions" in line.get("object", {}):
            for column in line["object"]["columnDefinitions"]:
                column["description"] = ""
        if line not in kept or line.get("type") != "BOOKMARK":
            kept.append(line)
    # The second stir of the recording did not happen here.
    return kept[:5] + [line for line in kept[5:] if line.get("type") == "BOOKMARK"]


@pytest.mark.parametrize("topic", TOPICS)
def test_answers_are_those_of_kubernetes(golden: Cluster, topic: str) -> None:
    account = _fresh(golden)
    names = replay.Names()
    skipped = WORKERS.get(topic, ())
    wrong = []
    exchanges = replay.records(topic)
    # Watches take their time, and each stands for itself once the first has seen the changes.
    together = 20 if topic == "watch" else 1
    first = [_ask(golden, topic, exchanges[0], names, account)]
    with ThreadPoolExecutor(together) as pool:
        rest = pool.map(lambda record: _ask(golden, topic, record, names, account), exchanges[1:])
        for record, found in zip(exchanges, [*first, *rest], strict=True):
            note = record["note"]
            meant = any(note.startswith(start) or start in note for start in DELIBERATE.get(topic, ()))
            if found and not meant and not any(note.startswith(start) for start in skipped):
                wrong.append("\n  ".join([note, *found[:8]]))
    assert not wrong, f"{len(wrong)} answers differ:\n" + "\n".join(wrong)


def _ask(
    cluster: Cluster, topic: str, record: dict[str, Any], names: replay.Names, account: str
) -> list[str]:
    _seed(cluster, topic, record["note"], names)
    return _compare(cluster, topic, record, names, account)
