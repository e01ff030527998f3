"""Who is let in, and how everybody else is refused."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Api
from tests.conformance.kit.namespace import Namespace

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def test_no_credentials_is_refused(api: Api) -> None:
    answer = api.request("GET", "/api/v1/namespaces/default/configmaps", anonymous=True)
    assert answer.body["kind"] == "Status"
    if answer.code == 401:  # a server that does not let anybody in as system:anonymous
        assert answer.message == "Unauthorized"
        return
    assert answer.code == 403
    assert answer.body["reason"] == "Forbidden"
    assert answer.message == (
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_credentials_is_refused_for_every_verb_without_effect(ns: Namespace, method: str) -> None:
    ns.create("configmaps", {"metadata": {"name": "kept"}})
    name = "" if method == "POST" else "kept"
    body = {"metadata": {"name": "new"}} if method == "POST" else None
    answer = ns.api.request(method, ns.path("configmaps", name), body, anonymous=True)
    assert answer.code in (401, 403)
    assert [
        cm["metadata"]["name"] for cm in ns.list("configmaps") if cm["metadata"]["name"] in ("kept", "new")
    ] == ["kept"]


def test_a_bad_token_is_unauthorized(api: Api) -> None:
    answer = api.request("GET", "/api/v1/namespaces/default/pods", token="not-a-token")
    assert answer.code == 401
    assert answer.body["kind"] == "Status"
    assert answer.body["reason"] == "Unauthorized"
    assert answer.message == "Unauthorized"
    assert api.request("GET", "/version", token="not-a-token").code == 401


def test_access_review_says_that_the_caller_may(ns: Namespace) -> None:
    attributes = {"namespace": ns.name, "verb": "patch", "group": "apps", "resource": "deployments"}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    review = ns.api.request("POST", REVIEWS, body).expect(201)
    assert review["kind"] == "SelfSubjectAccessReview"
    assert review["spec"]["resourceAttributes"] == attributes
    assert review["status"]["allowed"] is True


def test_access_review_of_a_path(api: Api) -> None:
    body = {"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}
    assert api.request("POST", REVIEWS, body).expect(201)["status"]["allowed"] is True


def test_access_review_of_nothing_is_invalid(api: Api) -> None:
    answer = api.request("POST", REVIEWS, {"spec": {}})
    assert answer.code == 422
    assert "exactly one of nonResourceAttributes or resourceAttributes must be specified" in answer.message
