"""As much OpenAPI as kubectl needs: which kinds take ``dryRun`` and ``fieldValidation``, and what ``explain`` shows."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from include.cluster.http.answers import json_text
from include.cluster.http.discovery import VERSION, resources
from include.cluster.http.schemas import schemas
from include.cluster.http.views import GROUP_VERSIONS
from include.cluster.resources import Resource

Object = dict[str, Any]

PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_TITLE = "Kubernetes"


@cache
def index() -> Object:
    """``/openapi/v3``: where each group version's document is."""
    found = {}
    for group, versions in GROUP_VERSIONS.items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha512(json_text(document(group, version)).encode()).hexdigest().upper()
            found[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": found}


@cache
def document(group: str, version: str) -> Object:
    """The OpenAPI v3 document of one group version: its schemas, and a path per kind with the parameters of a patch.

    No path says that it takes a strategic merge patch: then kubectl makes its patches by the types it knows, which
    tell how lists are merged. The schemas here do not.
    """
    paths = {}
    kinds = resources(group, version)
    for resource in kinds:
        paths[_path(resource)] = {"patch": _patch(resource, {"schema": {"type": "string"}})}
    info = {"title": _TITLE, "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas(kinds)}}


def swagger() -> Object:
    """``/openapi/v2`` as JSON."""
    paths = {}
    for group, versions in GROUP_VERSIONS.items():
        for version in versions:
            for resource in resources(group, version):
                paths[_path(resource)] = {"patch": _patch(resource, {"type": "string"})}
    info = {"title": _TITLE, "version": VERSION["gitVersion"]}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": {}}


def swagger_protobuf() -> bytes:
    """``/openapi/v2`` in the protobuf form that old kubectl insists on: version and title, and no schemas.

    The message is gnostic's ``openapi.v2.Document``: field 1 is ``swagger``, field 2 is ``info`` (title 1, version 2),
    field 8 is ``paths``. With no schema for a kind, kubectl leaves validation to the server.
    """
    info = _field(1, _TITLE.encode()) + _field(2, str(VERSION["gitVersion"]).encode())
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"")


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _path(resource: Resource) -> str:
    middle = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{resource.prefix}{middle}/{resource.plural}/{{name}}"


def _patch(resource: Resource, schema: Object) -> Object:
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "operationId": f"patch{resource.kind}",
        "parameters": [{"name": name, "in": "query", **schema} for name in names],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
    }
