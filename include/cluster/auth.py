"""Who calls, and what they may do.

Tokens are JWTs signed with a key that stays in the state directory, so that a restart honours them. A token names a
user and a role; a service account's token names the account and brings no rights, as in a cluster without
role bindings.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt

from include.cluster.errors import ApiError, forbidden
from include.cluster.resources import ALL_VERBS, RESOURCES

Object = dict[str, Any]

ROLES = ("admin", "edit", "view", "none")
_READ = ("get", "list", "watch")
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = ("/api", "/apis", "/openapi")
_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
_CLUSTER_OWNED = ("namespaces", "nodes", "resourcequotas")


@dataclass(frozen=True)
class User:
    """A caller. ``namespace`` limits the role to one namespace; empty means all."""

    name: str
    groups: tuple[str, ...] = ()
    role: str = "none"
    namespace: str = ""
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Attributes:
    """What a request wants to do, in the words of Kubernetes' authorizer. ``path`` is set for non-resource paths."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class Tokens:
    """Makes and checks tokens with the key of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / "token.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        self._key = path.read_text().strip()

    def user_token(self, name: str, role: str, namespace: str = "") -> str:
        """A token that does not expire: the same for the same user each time."""
        return jwt.encode({"sub": name, "role": role, "namespace": namespace}, self._key, algorithm="HS256")

    def account_token(self, namespace: str, name: str, uid: str, expires: datetime) -> str:
        """A service account's token."""
        claims = {
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "uid": uid,
            "jti": str(uuid.uuid4()),
            "exp": int(expires.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def user(self, authorization: str | None) -> User:
        """The caller that an Authorization header names; nobody in particular without one.

        Raises:
            ApiError: 401 when the token is not one of ours, or has expired.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        try:
            claims = jwt.decode(token.strip(), self._key, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            raise ApiError(401, "Unauthorized", "Unauthorized") from None
        name = str(claims["sub"])
        if name.startswith("system:serviceaccount:"):
            namespace = name.split(":")[2]
            groups: tuple[str, ...] = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
            groups += ("system:authenticated",)
            extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
            return User(name, groups, uid=claims["uid"], extra=extra)
        role = claims.get("role", "none")
        groups = ("system:masters", "system:authenticated") if role == "admin" else ("system:authenticated",)
        return User(name, groups, role, claims.get("namespace", ""))


def impersonated(user: User, headers: Any) -> User:
    """The user that an admin asks to be (``kubectl --as``); anybody else's request is refused."""
    name = headers.get("Impersonate-User")
    if not name:
        return user
    if user.role != "admin":
        why = f'User "{user.name}" cannot impersonate resource "users" in API group "" at the cluster scope'
        raise forbidden("users", "", name, why)
    groups = tuple(headers.getall("Impersonate-Group", ()))
    if name.startswith("system:serviceaccount:") and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
    role = "admin" if "system:masters" in groups else "none"
    return User(name, (*groups, "system:authenticated"), role)


def allowed(user: User, wanted: Attributes) -> bool:
    """Whether the caller may do it."""
    if user.role == "admin" and not user.namespace:
        return True
    if wanted.path:
        return _path_allowed(user, wanted)
    if user is ANONYMOUS:
        return False
    if wanted.resource in _REVIEWS:
        return wanted.verb == "create"
    if user.role == "none" or (user.namespace and wanted.namespace != user.namespace):
        return False
    if user.role == "admin":
        return True
    if wanted.resource == "secrets" and user.role == "view":
        return False
    if wanted.verb in _READ and wanted.subresource != "proxy":
        return True
    return user.role == "edit" and wanted.resource not in _CLUSTER_OWNED


def _path_allowed(user: User, wanted: Attributes) -> bool:
    if wanted.verb not in ("get", "head"):
        return False
    if wanted.path in _PUBLIC or wanted.path.startswith(("/livez/", "/readyz/", "/healthz/")):
        return True
    return user is not ANONYMOUS and any(
        wanted.path == prefix or wanted.path.startswith(prefix + "/") for prefix in _DISCOVERY
    )


def refusal(user: User, wanted: Attributes) -> ApiError:
    """The 403 that Kubernetes answers."""
    if wanted.path:
        text = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return ApiError(403, "Forbidden", text, {})
    resource = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {wanted.verb} resource "{resource}" in API group "{wanted.group}" {where}'
    )
    return forbidden(wanted.resource, wanted.group, wanted.name, why)


def _resource_rules(user: User, namespace: str) -> list[Object]:
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for resource in RESOURCES.values():
        space = namespace if resource.namespaced else ""
        for sub in ("", *resource.subresources):
            asked = (Attributes(verb, resource.group, resource.plural, sub, space) for verb in ALL_VERBS)
            verbs = tuple(one.verb for one in asked if allowed(user, one))
            if verbs:
                names = found.setdefault((resource.group, verbs), [])
                names.append(f"{resource.plural}/{sub}" if sub else resource.plural)
    return [
        {"verbs": list(verbs), "apiGroups": [group], "resources": names}
        for (group, verbs), names in found.items()
    ]


def rules(user: User, namespace: str) -> tuple[list[Object], list[Object]]:
    """The resource rules and path rules of a SelfSubjectRulesReview."""
    resources: list[Object] = []
    paths: list[Object] = []
    if user.role == "admin" and user.namespace in ("", namespace):
        resources.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        if not user.namespace:
            paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    else:
        resources += _resource_rules(user, namespace)
    resources += [
        {
            "verbs": ["create"],
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        },
        {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
    ]
    public = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"]
    paths.append({"verbs": ["get"], "nonResourceURLs": [*public, "/version", "/version/"]})
    return resources, paths
