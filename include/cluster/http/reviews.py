"""What callers may ask about themselves, and tokens for service accounts."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from include.cluster import auth
from include.cluster.errors import ApiError, Cause, invalid
from include.cluster.registry import Registry, clock

Object = dict[str, Any]

_DEFAULT_LIFE = 3600
_SHORTEST_LIFE = 600


def review(user: auth.User, kind: str, body: Object) -> Object:
    """The answer to a SelfSubjectAccessReview, SelfSubjectRulesReview or SelfSubjectReview.

    Raises:
        ApiError: 422 when it does not say what is asked.
    """
    version = "authentication.k8s.io/v1" if kind == "SelfSubjectReview" else "authorization.k8s.io/v1"
    answer: Object = {"kind": kind, "apiVersion": version, "metadata": {}}
    if kind == "SelfSubjectReview":
        answer["metadata"] = {"creationTimestamp": clock.stamp()}
        return {**answer, "status": {"userInfo": _user_info(user)}}
    spec = body.get("spec") or {}
    if kind == "SelfSubjectRulesReview":
        if not spec.get("namespace"):
            raise ApiError(400, "BadRequest", "no namespace on request")
        resource_rules, path_rules = auth.rules(user, spec["namespace"])
        status = {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}
        return {**answer, "spec": {}, "status": status}
    wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (wanted is None) == (path is None):
        shown = "null" if wanted is None else "{}"
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", "spec.resourceAttributes")
        raise invalid("", "authorization.k8s.io", "", [cause])
    allowed = auth.allowed(user, _attributes(wanted, path))
    return {**answer, "spec": copy.deepcopy(spec), "status": {"allowed": allowed}}


def _attributes(wanted: Object | None, path: Object | None) -> auth.Attributes:
    if path is not None:
        return auth.Attributes(path.get("verb", ""), path=path.get("path", ""))
    wanted = wanted or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return auth.Attributes(**{name: wanted.get(name, "") for name in names})


def _user_info(user: auth.User) -> Object:
    info: Object = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": user.extra}
    return {key: value for key, value in info.items() if value}


def token_request(registry: Registry, tokens: auth.Tokens, namespace: str, name: str, body: Object) -> Object:
    """A token for a service account, as a TokenRequest.

    Raises:
        ApiError: 404 when there is no such account, 422 for a life that is too short.
    """
    account = registry.get("serviceaccounts", namespace, name)
    spec = dict(body.get("spec") or {})
    life = spec.get("expirationSeconds") or _DEFAULT_LIFE
    if life < _SHORTEST_LIFE:
        why = "may not specify a duration less than 10 minutes"
        cause = Cause("FieldValueInvalid", f"Invalid value: {life}: {why}", "spec.expirationSeconds")
        raise invalid("TokenRequest", "authentication.k8s.io", "", [cause])
    expires = clock.now() + timedelta(seconds=life)
    token = tokens.account_token(namespace, name, account["metadata"]["uid"], expires)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": clock.stamp()},
        "spec": {
            "audiences": spec.get("audiences") or ["https://kubernetes.default.svc"],
            "expirationSeconds": life,
            "boundObjectRef": None,
        },
        "status": {"token": token, "expirationTimestamp": clock.stamp(expires)},
    }
