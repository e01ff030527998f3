"""Everything that is not an object: health, version, discovery, OpenAPI, and reviews."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.cluster import auth
from include.cluster.errors import ApiError, bad_request
from include.cluster.http import bodies, discovery, openapi, reviews
from include.cluster.http.answers import answer, no_such_resource, not_allowed, not_found_page, page, raw
from include.cluster.http.info import Info
from include.cluster.http.negotiation import JSON, Form, clauses, form
from include.cluster.http.views import GROUP_VERSIONS

Object = dict[str, Any]

_HEALTH = ("healthz", "livez", "readyz")
_CHECKS = ("ping", "log", "storage", "controllers", "node", "shutdown")

REVIEWED = {
    (group, version, plural): kind
    for (group, version), kinds in discovery.REVIEWS.items()
    for plural, kind in kinds
}


def respond(request: web.Request, asked: Info) -> web.Response:
    """Answers a path outside the objects."""
    parts = [part for part in asked.path.split("/") if part]
    if parts and parts[0] in _HEALTH:
        return _health(request, parts)
    if request.method not in ("GET", "HEAD"):
        return not_found_page() if not parts or parts[0] not in ("api", "apis") else _refused()
    if asked.path == "/":
        return answer(discovery.paths())
    if parts == ["version"]:
        return raw_json(discovery.VERSION)
    if parts[0] == "openapi":
        return _openapi(request, parts)
    if parts[0] in ("api", "apis"):
        return _discovery(request, parts)
    return not_found_page()


def raw_json(value: Object) -> web.Response:
    """A small document that is always JSON."""
    return answer(value)


def _refused() -> web.Response:
    raise not_allowed()


def _health(request: web.Request, parts: list[str]) -> web.Response:
    if len(parts) > 1:
        return page("ok") if len(parts) == 2 and parts[1] in _CHECKS else not_found_page()
    if "verbose" in request.query:
        lines = [f"[+]{name} ok" for name in _CHECKS]
        return page("\n".join([*lines, f"{parts[0]} check passed", ""]))
    return page("ok")


def _discovery(request: web.Request, parts: list[str]) -> web.Response:
    accept = request.headers.get("Accept")
    if len(parts) == 1:
        wanted = form(accept, (discovery.AGGREGATED,))
        if wanted.kind:
            return _aggregated(request, parts[0] == "api", wanted)
        host = request.host
        return answer(discovery.api_versions(host) if parts[0] == "api" else discovery.groups(), wanted)
    wanted = form(accept)
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
    if group not in GROUP_VERSIONS:
        return not_found_page()
    if not rest:
        return answer(discovery.group(group), wanted)
    if rest[0] not in GROUP_VERSIONS[group] or len(rest) > 1:
        if parts[0] == "api":
            return not_found_page()
        raise no_such_resource()
    return answer(discovery.resource_list(group, rest[0]), wanted)


def _aggregated(request: web.Request, core: bool, wanted: Form) -> web.Response:
    version = "v2beta1" if wanted.version == "v2beta1" else "v2"
    document = discovery.aggregated(core, version)
    tag = discovery.etag(document)
    headers = {"ETag": tag, "Vary": "Accept"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    response = answer(document)
    response.headers.update(headers)
    response.headers["Content-Type"] = discovery.AGGREGATED_TYPE.format(version=version)
    return response


def _openapi(request: web.Request, parts: list[str]) -> web.Response:
    if parts[1:] == ["v2"]:
        accepted = [name for name, _ in clauses(request.headers.get("Accept", ""))]
        if any("proto-openapi" in name for name in accepted):
            return raw(openapi.swagger_protobuf(), openapi.PROTOBUF_V2)
        return answer(openapi.swagger())
    if parts[1:] == ["v3"]:
        return answer(openapi.index())
    if len(parts) > 3 and parts[1] == "v3":
        group, version = ("", parts[3]) if parts[2] == "api" else (parts[3], parts[-1])
        if version in GROUP_VERSIONS.get(group, ()):
            return answer(openapi.document(group, version))
    return not_found_page()


async def review(request: web.Request, asked: Info, user: auth.User, kind: str) -> web.Response:
    """Answers a caller's question about itself."""
    if asked.verb != "create" or asked.name:
        raise not_allowed() if not asked.name else no_such_resource()
    content = await bodies.read(request)
    body, _ = bodies.parse_object(content, bodies.media_type(request), kind)
    if not isinstance(body, dict) or body.get("kind") not in (None, "", kind):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
    try:
        reviewed = reviews.review(user, kind, body)
    except (AttributeError, TypeError):
        raise ApiError(
            400,
            "BadRequest",
            f'{kind} in version "v1" cannot be handled as a {kind}: a field has the wrong type',
        ) from None
    return answer(reviewed, _review_form(request), 201)


def _review_form(request: web.Request) -> Form:
    return form(request.headers.get("Accept")) if request.headers.get("Accept") else Form(JSON)
