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


@cache
def swagger_protobuf() -> bytes:
    """``/openapi/v2`` in the protobuf form that old kubectl insists on: the paths, and no schemas.

    The message is gnostic's ``openapi.v2.Document``. With no schema for a kind, kubectl leaves validation to the server;
    that a kind's patch takes ``dryRun`` it must find here.
    """
    info = _field(1, _TITLE) + _field(2, str(VERSION["gitVersion"]))
    paths = b"".join(
        _field(2, _field(1, _path(resource)) + _field(2, _field(8, _operation(resource))))
        for group, versions in GROUP_VERSIONS.items()
        for version in versions
        for resource in resources(group, version)
    )
    return _field(1, "2.0") + _field(2, info) + _field(8, paths)


def _operation(resource: Resource) -> bytes:
    patch = _patch(resource, {})
    parameters = b"".join(
        _field(8, _field(1, _field(2, _field(3, _field(2, one["in"]) + _field(4, one["name"])))))
        for one in patch["parameters"]
    )
    name = "x-kubernetes-group-version-kind"
    kind = _field(1, name) + _field(2, _field(2, json_text(patch[name])))
    return _field(5, patch["operationId"]) + parameters + _field(13, kind)


def _field(number: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


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
