"""What a deletion takes with it, what holds it up, and its preconditions."""

from __future__ import annotations

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import HELD, IDLE, configmap, container, deployment, job, python, sh
from tests.conformance.kit.namespace import Namespace


def held_deployment(ns: Namespace) -> tuple[Object, Object, Object]:
    """A Deployment with its ReplicaSet and a pod that no node takes."""
    body = deployment("d", container(ns.image, sh("true"), **HELD))
    ns.create("deployments", body)
    (pod,) = until("the Deployment's pod", lambda: ns.list("pods"))
    (replicas,) = ns.list("replicasets")
    return ns.get("deployments", "d"), replicas, pod


def test_dependents_name_their_owner(ns: Namespace) -> None:
    owner, replicas, pod = held_deployment(ns)
    assert replicas["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "d",
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    (reference,) = pod["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("ReplicaSet", replicas["metadata"]["uid"])


def test_background_deletes_the_owner_first(ns: Namespace) -> None:
    held_deployment(ns)
    answer = ns.delete("deployments", "d", {"propagationPolicy": "Background"}).expect(200)
    assert answer["status"] == "Success"
    assert ns.read("deployments", "d").code == 404
    until("nothing is left", lambda: ns.list("replicasets") == [] and ns.list("pods") == [])


def test_background_is_the_default(ns: Namespace) -> None:
    held_deployment(ns)
    ns.delete("deployments", "d").expect(200)
    until("nothing is left", lambda: ns.list("replicasets") == [] and ns.list("pods") == [])


def test_foreground_keeps_the_owner_until_its_dependents_are_gone(ns: Namespace) -> None:
    body = deployment(
        "d", container(ns.image, python(IDLE), lifecycle={"preStop": {"exec": {"command": sh("sleep 1")}}})
    )
    ns.create("deployments", body)
    ns.rolled_out("d")
    answer = ns.delete("deployments", "d", {"propagationPolicy": "Foreground"}).expect(200)
    assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert answer["metadata"]["deletionTimestamp"]
    while ns.list("pods") or ns.list("replicasets"):
        answer = ns.read("deployments", "d")
        if answer.code == 404:
            break
    assert ns.list("pods") == []
    ns.gone("deployments", "d")
    assert ns.list("replicasets") == []


def test_orphan_leaves_the_dependents_and_a_new_owner_adopts_them(ns: Namespace) -> None:
    _, replicas, pod = held_deployment(ns)
    ns.delete("deployments", "d", {"propagationPolicy": "Orphan"}).expect(200)
    ns.gone("deployments", "d")
    kept = ns.get("replicasets", replicas["metadata"]["name"])
    assert "ownerReferences" not in kept["metadata"]
    assert ns.get("pods", pod["metadata"]["name"])["metadata"]["uid"] == pod["metadata"]["uid"]
    body = deployment("d", container(ns.image, sh("true"), **HELD))
    owner = ns.create("deployments", body)
    adopted = ns.wait(
        "replicasets",
        replicas["metadata"]["name"],
        "adopted",
        lambda item: item["metadata"].get("ownerReferences"),
    )
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert len(ns.list("pods")) == 1


def test_job_deleted_without_a_policy_orphans_its_pods(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true"))))
    ns.wait("jobs", "j", "complete", lambda item: item.get("status", {}).get("succeeded") == 1)
    answer = ns.delete("jobs", "j")
    assert answer.code == 200
    assert any("child pods are preserved by default" in text for text in answer.warnings), answer.warnings
    ns.gone("jobs", "j")
    (pod,) = ns.list("pods")
    assert "ownerReferences" not in pod["metadata"]


def test_job_deleted_in_the_background_takes_its_pods(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true"))))
    ns.wait("jobs", "j", "complete", lambda item: item.get("status", {}).get("succeeded") == 1)
    ns.delete("jobs", "j", propagationPolicy="Background").expect(200)
    ns.gone("jobs", "j")
    until("its pods are gone", lambda: ns.list("pods") == [])


def test_a_finalizer_holds_the_object(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c", metadata={"finalizers": ["example.com/hold"]}))
    answer = ns.delete("configmaps", "c").expect(200)
    assert answer["kind"] == "ConfigMap"
    assert answer["metadata"]["deletionTimestamp"]
    stamp = ns.get("configmaps", "c")["metadata"]["deletionTimestamp"]
    assert ns.delete("configmaps", "c").expect(200)["metadata"]["deletionTimestamp"] == stamp
    ns.patch("configmaps", "c", {"metadata": {"finalizers": None}}).expect(200)
    assert ns.read("configmaps", "c").code == 404


def test_preconditions(ns: Namespace) -> None:
    created = ns.create("configmaps", configmap("c"))
    wrong = {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
    answer = ns.delete("configmaps", "c", wrong)
    assert answer.code == 409
    assert "the UID in the precondition" in answer.message
    answer = ns.delete("configmaps", "c", {"preconditions": {"resourceVersion": "1"}})
    assert answer.code == 409
    assert (
        "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record"
        in answer.message
    )
    metadata = created["metadata"]
    right = {"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
    assert ns.delete("configmaps", "c", right).expect(200)["details"]["uid"] == metadata["uid"]


def test_policy_that_does_not_exist(ns: Namespace) -> None:
    ns.create("configmaps", configmap("c"))
    answer = ns.delete("configmaps", "c", {"propagationPolicy": "Sideways"})
    assert answer.code == 422
    assert "propagationPolicy" in answer.message


def test_an_owner_that_does_not_exist_is_cleaned_up_after(ns: Namespace) -> None:
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "never",
        "uid": "00000000-0000-4000-8000-000000000000",
    }
    ns.create("configmaps", configmap("c", metadata={"ownerReferences": [owner]}))
    ns.gone("configmaps", "c")
