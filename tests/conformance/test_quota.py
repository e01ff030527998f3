"""Resource quotas: what is refused, and who is told."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import HELD, IDLE, container, deployment, job, pod, python, sh
from tests.conformance.kit.namespace import Namespace, condition


def quota(ns: Namespace, **hard: str) -> Object:
    """Create it and wait until it is in force."""
    limits = {name.replace("_", "."): value for name, value in hard.items()}
    ns.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": limits}})
    return ns.wait("resourcequotas", "q", "in force", lambda item: item["status"].get("hard") == limits)


def test_pods_beyond_the_quota_are_refused(ns: Namespace) -> None:
    assert quota(ns, pods="1")["status"]["used"] == {"pods": "0"}
    ns.create("pods", pod("one", container(ns.image, sh("true"), **HELD)))
    ns.wait("resourcequotas", "q", "counted", lambda item: item["status"]["used"] == {"pods": "1"})
    answer = ns.post("pods", pod("two", container(ns.image, sh("true"), **HELD)))
    assert answer.code == 403
    assert answer.body["reason"] == "Forbidden"
    assert answer.message == (
        'pods "two" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
    )
    ns.delete("pods", "one")
    ns.wait("resourcequotas", "q", "given back", lambda item: item["status"]["used"] == {"pods": "0"})
    ns.create("pods", pod("two", container(ns.image, sh("true"), **HELD)))


def test_requests_are_added_up_and_must_be_named(ns: Namespace) -> None:
    quota(ns, requests_cpu="1")
    unnamed = ns.post("pods", pod("none", container(ns.image, sh("true"))))
    assert unnamed.code == 403
    assert unnamed.message == (
        'pods "none" is forbidden: failed quota: q: must specify requests.cpu for: main'
    )  # fmt: skip
    half = {"resources": {"requests": {"cpu": "600m"}}}
    ns.create("pods", pod("one", container(ns.image, python(IDLE), **half)))
    answer = ns.post("pods", pod("two", container(ns.image, python(IDLE), **half)))
    assert answer.code == 403
    assert answer.message.endswith(
        "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    )


def test_a_deployment_that_meets_the_quota_says_so(ns: Namespace) -> None:
    quota(ns, pods="1")
    ns.create("deployments", deployment("d", container(ns.image, python(IDLE)), replicas=2))
    seen = ns.wait(
        "deployments", "d", "refused", lambda item: condition(item, "ReplicaFailure").get("status") == "True"
    )  # fmt: skip
    failure = condition(seen, "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" in failure["message"]
    (replicas,) = ns.list("replicasets")
    event = ns.event(replicas["metadata"]["name"], "FailedCreate")
    assert event["type"] == "Warning"
    assert event["message"].startswith("Error creating: pods ")
    ns.delete("resourcequotas", "q")
    ns.rolled_out("d", 120)
    assert condition(ns.get("deployments", "d"), "ReplicaFailure") == {}


def test_a_job_that_meets_the_quota_says_so(ns: Namespace) -> None:
    quota(ns, pods="0")
    ns.create("jobs", job("j", container(ns.image, sh("true"))))
    assert "exceeded quota: q" in ns.event("j", "FailedCreate")["message"]
    assert ns.list("pods") == []


@pytest.mark.parametrize(
    ("hard", "text"),
    [
        ({"pod": "1"}, 'spec.hard[pod]: Invalid value: "pod": must be a standard resource for quota'),
        ({"pods": "1.5"}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
        ({"services": "-1"}, 'spec.hard[services]: Invalid value: "-1": must be greater than or equal to 0'),
    ],
)
def test_a_quota_of_something_else_is_refused(ns: Namespace, hard: dict[str, str], text: str) -> None:
    answer = ns.post("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    assert answer.code == 422
    assert text in answer.message
