"""Discovery: plain lists for old clients, the aggregated document for new ones, and the version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from include.cluster.http.answers import json_text
from include.cluster.http.views import GROUP_VERSIONS, VIEWS
from include.cluster.resources import Resource

Object = dict[str, Any]

AGGREGATED = "APIGroupDiscoveryList"
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2+standin",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-08-21T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_STATUS_VERBS = ("get", "patch", "update")


@dataclass(frozen=True)
class Sub:
    """What discovery says of a subresource. ``kind`` is empty for the parent's own."""

    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


SUBRESOURCES = {
    "status": Sub(_STATUS_VERBS),
    "scale": Sub(_STATUS_VERBS, "Scale", "autoscaling", "v1"),
    "finalize": Sub(("update",)),
    "log": Sub(("get",)),
    "eviction": Sub(("create",), "Eviction", "policy", "v1"),
    "proxy": Sub(("create", "delete", "get", "patch", "update")),
    "token": Sub(("create",), "TokenRequest", "authentication.k8s.io", "v1"),
}
_PROXY_KINDS = {"pods": "PodProxyOptions", "services": "ServiceProxyOptions"}

REVIEWS: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("authorization.k8s.io", "v1"): (
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ),
    ("authentication.k8s.io", "v1"): (("selfsubjectreviews", "SelfSubjectReview"),),
}
"""Kinds that are only ever created, and never stored."""


def resources(group: str, version: str) -> list[Resource]:
    """The stored kinds of a group and version, by name."""
    found = [view.resource for key, view in VIEWS.items() if key[:2] == (group, version)]
    return sorted(found, key=lambda resource: resource.plural)


def _sub_kind(resource: Resource, name: str) -> str:
    sub = SUBRESOURCES[name]
    return sub.kind or (_PROXY_KINDS.get(resource.plural, "") if name == "proxy" else resource.kind)


def api_versions(address: str) -> Object:
    """``/api``."""
    where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}


def group(name: str) -> Object:
    """``/apis/<group>``."""
    versions = [{"groupVersion": f"{name}/{one}", "version": one} for one in GROUP_VERSIONS[name]]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def groups() -> Object:
    """``/apis``."""
    listed = []
    for name in GROUP_VERSIONS:
        if name:
            one = group(name)
            listed.append({key: one[key] for key in ("name", "versions", "preferredVersion")})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def resource_list(group_name: str, version: str) -> Object:
    """``/api/v1`` and ``/apis/<group>/<version>``."""
    listed: list[Object] = []
    for resource in resources(group_name, version):
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        listed.append(entry)
        for name in sorted(resource.subresources):
            sub = SUBRESOURCES[name]
            entry = {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "group": sub.group,
                "version": sub.version,
                "kind": _sub_kind(resource, name),
                "verbs": list(sub.verbs),
            }
            listed.append(
                {key: value for key, value in entry.items() if value != "" or key == "singularName"}
            )
    for plural, kind in REVIEWS.get((group_name, version), ()):
        entry = {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": False,
            "kind": kind,
            "verbs": ["create"],
        }
        listed.append(entry)
    group_version = f"{group_name}/{version}" if group_name else version
    head: Object = {"kind": "APIResourceList"}
    if group_name:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": group_version, "resources": listed}


def aggregated(core: bool, version: str) -> Object:
    """``/api`` (``core``) or ``/apis`` as one document."""
    items = []
    for name, versions in GROUP_VERSIONS.items():
        if core == (name == ""):
            listed = [
                {"version": one, "resources": _aggregated_resources(name, one), "freshness": "Current"}
                for one in versions
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": listed})
    return {
        "kind": AGGREGATED,
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_resources(group_name: str, version: str) -> list[Object]:
    listed: list[Object] = []
    for resource in resources(group_name, version):
        entry: Object = {
            "resource": resource.plural,
            "responseKind": {"group": "", "version": "", "kind": resource.kind},
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "singularResource": resource.singular,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        if resource.subresources:
            entry["subresources"] = [
                {
                    "subresource": name,
                    "responseKind": {
                        "group": SUBRESOURCES[name].group,
                        "version": SUBRESOURCES[name].version,
                        "kind": _sub_kind(resource, name),
                    },
                    "verbs": list(SUBRESOURCES[name].verbs),
                }
                for name in sorted(resource.subresources)
            ]
        listed.append(entry)
    for plural, kind in REVIEWS.get((group_name, version), ()):
        listed.append(
            {
                "resource": plural,
                "responseKind": {"group": "", "version": "", "kind": kind},
                "scope": "Cluster",
                "singularResource": kind.lower(),
                "verbs": ["create"],
            }
        )
    return listed


def etag(document: Object) -> str:
    """The document's digest, which clients send back to ask whether it changed."""
    return '"' + hashlib.sha512(json_text(document).encode()).hexdigest().upper() + '"'


def paths() -> Object:
    """``/``."""
    found = ["/api", "/api/v1", "/apis", "/apis/"]
    for name, versions in GROUP_VERSIONS.items():
        if name:
            found.append(f"/apis/{name}")
            found += [f"/apis/{name}/{one}" for one in versions]
    found += ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/readyz", "/version"]
    return {"paths": sorted(found)}
