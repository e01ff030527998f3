"""Deployments as they are: pods kept at their number, revisions, scaling, pausing, undoing."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import STRATEGIC, Object, until
from tests.conformance.kit.manifests import HELD, IDLE, container, deployment, python, sh
from tests.conformance.kit.namespace import Namespace, condition

REVISION = "deployment.kubernetes.io/revision"


def idle(ns: Namespace, **fields: Any) -> Object:
    return deployment("d", container(ns.image, python(IDLE)), **fields)


def held(ns: Namespace, **fields: Any) -> Object:
    """A Deployment whose pods never start: enough where only ReplicaSets are looked at."""
    return deployment("d", container(ns.image, sh("true"), **HELD), **fields)


def set_env(ns: Namespace, value: str, name: str = "d") -> Object:
    """A change of the template."""
    main = {"name": "main", "env": [{"name": "VERSION", "value": value}]}
    body = {"spec": {"template": {"spec": {"containers": [main]}}}}
    changed: Object = ns.patch("deployments", name, body, STRATEGIC).expect(200)
    return changed


def version(item: Object) -> str:
    """The value that ``set_env`` gave to a ReplicaSet's or pod's template."""
    spec = item["spec"]["template"]["spec"] if "template" in item["spec"] else item["spec"]
    return next((e["value"] for e in spec["containers"][0].get("env", []) if e["name"] == "VERSION"), "")


def revision(item: Object | None) -> str | None:
    """The revision noted on a Deployment or ReplicaSet; a ReplicaSet that does not exist has none."""
    return item["metadata"].get("annotations", {}).get(REVISION, "") if item else None


def replicasets(ns: Namespace) -> dict[str, Object]:
    return {version(item): item for item in ns.list("replicasets")}


def test_a_deployment_rolls_out(ns: Namespace) -> None:
    ns.create("deployments", idle(ns, replicas=2))
    done = ns.rolled_out("d")
    status = done["status"]
    assert status["observedGeneration"] == 1
    assert [status[key] for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [
        2
    ] * 4
    assert "unavailableReplicas" not in status
    assert done["metadata"]["annotations"][REVISION] == "1"
    available = condition(done, "Available")
    assert (available["status"], available["reason"]) == ("True", "MinimumReplicasAvailable")
    assert available["message"] == "Deployment has minimum availability."
    (replicas,) = ns.list("replicasets")
    name = replicas["metadata"]["name"]
    progressing = ns.wait(
        "deployments",
        "d",
        "progressed",
        lambda item: condition(item, "Progressing").get("reason") == "NewReplicaSetAvailable",
    )
    assert (
        condition(progressing, "Progressing")["message"]
        == f'ReplicaSet "{name}" has successfully progressed.'
    )
    pod_hash = replicas["metadata"]["labels"]["pod-template-hash"]
    assert name == f"d-{pod_hash}"
    assert replicas["spec"]["selector"]["matchLabels"] == {"app": "d", "pod-template-hash": pod_hash}
    assert replicas["metadata"]["annotations"][REVISION] == "1"
    for pod in ns.list("pods"):
        assert pod["metadata"]["name"].startswith(f"{name}-")
        assert pod["metadata"]["generateName"] == f"{name}-"
        assert pod["metadata"]["labels"] == {"app": "d", "pod-template-hash": pod_hash}
    assert ns.event("d", "ScalingReplicaSet")["message"] == f"Scaled up replica set {name} from 0 to 2"
    assert ns.event(name, "SuccessfulCreate")["message"].startswith(f"Created pod: {name}-")


def test_a_deleted_pod_is_replaced(ns: Namespace) -> None:
    ns.create("deployments", idle(ns))
    ns.rolled_out("d")
    (before,) = ns.list("pods")
    ns.delete("pods", before["metadata"]["name"])
    ns.gone("pods", before["metadata"]["name"])
    ns.rolled_out("d")
    (after,) = ns.list("pods")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_scaling_to_zero_and_back(ns: Namespace) -> None:
    ns.create("deployments", idle(ns, replicas=2))
    ns.rolled_out("d")
    (before,) = ns.list("replicasets")
    ns.patch("deployments", "d", {"spec": {"replicas": 0}}, sub="scale").expect(200)
    until("no pod is left", lambda: ns.list("pods") == [])
    empty = ns.wait("deployments", "d", "scaled down", lambda item: "replicas" not in item["status"])
    assert "readyReplicas" not in empty["status"]
    assert condition(empty, "Available")["status"] == "True"
    ns.patch("deployments", "d", {"spec": {"replicas": 1}}, sub="scale").expect(200)
    ns.rolled_out("d")
    (after,) = ns.list("replicasets")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert ns.get("deployments", "d")["metadata"]["annotations"][REVISION] == "1"
    messages = {
        event["message"].split(" ", 4)[-1].split(" ", 1)[1] for event in ns.events("d", "ScalingReplicaSet")
    }
    assert messages == {"from 0 to 2", "from 2 to 0", "from 0 to 1"}


def test_a_change_outside_the_template_starts_no_pods(ns: Namespace) -> None:
    ns.create("deployments", held(ns))
    (pod,) = until("a pod", lambda: ns.list("pods"))
    ns.patch("deployments", "d", {"spec": {"minReadySeconds": 1}, "metadata": {"labels": {"x": "y"}}}).expect(
        200
    )
    ns.wait(
        "deployments", "d", "observed", lambda item: item.get("status", {}).get("observedGeneration") == 2
    )
    assert [item["metadata"]["uid"] for item in ns.list("pods")] == [pod["metadata"]["uid"]]
    assert len(ns.list("replicasets")) == 1


def test_revisions_count_up_and_an_undone_one_is_new(ns: Namespace) -> None:
    ns.create("deployments", held(ns, replicas=0))
    first = set_env(ns, "one")
    ns.wait("deployments", "d", "revision 2 or 1", lambda item: "one" in replicasets(ns))
    set_env(ns, "two")
    ns.wait(
        "deployments",
        "d",
        "the new revision",
        lambda item: revision(item) == revision(replicasets(ns).get("two")),
    )
    last = int(ns.get("deployments", "d")["metadata"]["annotations"][REVISION])
    uid = replicasets(ns)["one"]["metadata"]["uid"]
    old = replicasets(ns)["one"]["metadata"]["annotations"][REVISION]
    # as `kubectl rollout undo` does it: the template of the old ReplicaSet, by JSON patch
    template = first["spec"]["template"]
    undo = [{"op": "replace", "path": "/spec/template", "value": template}]
    ns.patch("deployments", "d", undo, "application/json-patch+json").expect(200)
    ns.wait(
        "deployments", "d", "undone", lambda item: item["metadata"]["annotations"][REVISION] == str(last + 1)
    )  # fmt: skip
    again = replicasets(ns)["one"]
    assert again["metadata"]["uid"] == uid
    assert again["metadata"]["annotations"][REVISION] == str(last + 1)
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == old


def test_old_revisions_are_kept_to_the_limit(ns: Namespace) -> None:
    ns.create("deployments", held(ns, replicas=0, revisionHistoryLimit=1))
    for value in ("one", "two", "three"):
        set_env(ns, value)
        ns.wait("deployments", "d", f"ReplicaSet {value}", lambda item, value=value: value in replicasets(ns))
    until("the oldest are gone", lambda: set(replicasets(ns)) == {"two", "three"})


def test_a_paused_deployment_waits_with_its_changes(ns: Namespace) -> None:
    ns.create("deployments", idle(ns))
    ns.rolled_out("d")
    ns.patch("deployments", "d", {"spec": {"paused": True}}).expect(200)
    changed = set_env(ns, "two")
    generation = changed["metadata"]["generation"]
    seen = ns.wait(
        "deployments",
        "d",
        "paused",
        lambda item: (
            item["status"]["observedGeneration"] == generation
            and condition(item, "Progressing").get("reason") == "DeploymentPaused"
        ),
    )
    assert condition(seen, "Progressing")["status"] == "Unknown"
    assert condition(seen, "Progressing")["message"] == "Deployment is paused"
    assert set(replicasets(ns)) == {""}
    # scaling still works while paused
    ns.patch("deployments", "d", {"spec": {"replicas": 2}}).expect(200)
    until("two old pods", lambda: len(ns.list("pods")) == 2)
    ns.patch("deployments", "d", {"spec": {"paused": None, "replicas": 1}}).expect(200)
    ns.rolled_out("d")
    assert set(replicasets(ns)) == {"", "two"}


def test_a_replicaset_alone_keeps_its_number(ns: Namespace) -> None:
    body = {**idle(ns, replicas=2), "kind": "ReplicaSet"}
    ns.create("replicasets", body)
    seen = ns.wait("replicasets", "d", "ready", lambda item: item["status"].get("readyReplicas") == 2)
    assert seen["status"]["fullyLabeledReplicas"] == 2
    assert seen["status"]["availableReplicas"] == 2
    names = {pod["metadata"]["name"] for pod in ns.list("pods")}
    ns.patch("replicasets", "d", {"spec": {"replicas": 1}}).expect(200)
    ns.wait("replicasets", "d", "scaled", lambda item: item["status"]["replicas"] == 1)
    until("one pod", lambda: len(ns.list("pods")) == 1)
    (left,) = ns.list("pods")
    assert left["metadata"]["name"] in names
    ns.event("d", "SuccessfulDelete")


def test_a_replicaset_releases_and_adopts_by_label(ns: Namespace) -> None:
    ns.create("replicasets", {**held(ns), "kind": "ReplicaSet"})
    (first,) = until("a pod", lambda: ns.list("pods"))
    name = first["metadata"]["name"]
    ns.patch("pods", name, {"metadata": {"labels": {"app": "released"}}}).expect(200)
    until("another pod", lambda: len(ns.list("pods", "app=d")) == 1)
    ns.wait("pods", name, "released", lambda pod: "ownerReferences" not in pod["metadata"])
    (second,) = ns.list("pods", "app=d")
    ns.patch("replicasets", "d", {"spec": {"replicas": 2}}).expect(200)
    until("a third pod", lambda: len(ns.list("pods", "app=d")) == 2)
    # the released one comes back: three are one too many, and one of them goes
    ns.patch("pods", name, {"metadata": {"labels": {"app": "d"}}}).expect(200)
    until("two again", lambda: len(ns.list("pods", "app=d")) == 2)
    for pod in ns.list("pods", "app=d"):
        assert pod["metadata"]["ownerReferences"][0]["name"] == "d"
    assert second["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
