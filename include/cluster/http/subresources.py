"""What lies below an object: status, scale, finalize, log, proxy, eviction, token."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from aiohttp import web

from include.cluster import auth
from include.cluster.errors import ApiError, bad_request
from include.cluster.http import backends, bodies, logs, reviews, scale, tables
from include.cluster.http.answers import answer, no_such_resource, not_allowed
from include.cluster.http.info import Info
from include.cluster.http.negotiation import JSON, form
from include.cluster.http.objects import Objects, read_patch
from include.cluster.http.params import delete_options, write_options
from include.cluster.http.proxy import Proxy
from include.cluster.http.views import View
from include.cluster.registry import Registry, clock

Object = dict[str, Any]

_STREAMS = {"exec": "exec", "attach": "attach", "portforward": "port-forward"}


class Subresources:
    """Answers requests for subresources."""

    def __init__(self, registry: Registry, tokens: auth.Tokens, proxy: Proxy, objects: Objects) -> None:
        self.node: logs.LogReader | None = None
        self._registry = registry
        self._tokens = tokens
        self._proxy = proxy
        self._objects = objects

    async def respond(self, request: web.Request, asked: Info, view: View) -> web.StreamResponse:
        """Answers one request."""
        name = asked.subresource
        if asked.resource == "pods" and name in _STREAMS:
            raise _no_stream(_STREAMS[name])
        if name not in view.resource.subresources or asked.extra_parts:
            raise no_such_resource()
        if view.resource.namespaced and not asked.namespace:
            raise no_such_resource()
        if name == "proxy":
            return await self._to_backend(request, asked)
        if name == "scale":
            return await self._scale(request, asked, view)
        if name in ("status", "finalize"):
            return await self._status(request, asked, view)
        if name == "log":
            if asked.verb != "get":
                raise not_allowed()
            return await logs.respond(request, self._registry, self.node, asked.namespace, asked.name)
        if asked.verb != "create":
            raise not_allowed()
        return await (self._evict(request, asked) if name == "eviction" else self._token(request, asked))

    async def _status(self, request: web.Request, asked: Info, view: View) -> web.Response:
        if asked.verb == "update":
            return await self._objects.update(request, asked, view)
        if asked.subresource == "finalize":
            raise not_allowed()
        if asked.verb == "get":
            return await self._objects.get(request, asked, view)
        if asked.verb == "patch":
            return await self._objects.patch(request, asked, view)
        raise not_allowed()

    async def _scale(self, request: web.Request, asked: Info, view: View) -> web.Response:
        plural, agent = view.stored.plural, request.headers.get("User-Agent", "")
        if asked.verb == "get":
            wanted = form(request.headers.get("Accept"), tables.ONE)
            found = scale.scale_of(self._registry.get(plural, asked.namespace, asked.name))
            include = request.query.get("includeObject", "")
            return answer(tables.shown(scale.SCALE, found, wanted, include), wanted)
        wanted = form(request.headers.get("Accept"))
        if asked.verb == "update":
            options = write_options(request.query, "UpdateOptions", agent)
            content = await bodies.read(request)
            body, options.duplicates = bodies.parse_object(content, bodies.media_type(request), "Scale")
            written = scale.replace_scale(
                self._registry, view.stored, asked.namespace, asked.name, body, options
            )
        elif asked.verb == "patch":
            media, patch, options = await read_patch(request)
            written = scale.patch_scale(
                self._registry, view.stored, asked.namespace, asked.name, media, patch, options
            )
        else:
            raise not_allowed()
        return answer(written, wanted, 200, options.warnings)

    async def _to_backend(self, request: web.Request, asked: Info) -> web.StreamResponse:
        find = backends.pod_target if asked.resource == "pods" else backends.service_target
        target = find(self._registry, asked.namespace, asked.name)
        path = request.rel_url.raw_path
        prefix = path[: len(path) - len(asked.rest)].rstrip("/")
        return await self._proxy.send(request, target, asked.rest, prefix)

    async def _evict(self, request: web.Request, asked: Info) -> web.Response:
        """An eviction is a delete that says why in the pod's conditions."""
        content = await bodies.read(request)
        body, _ = bodies.parse_object(content, bodies.media_type(request), "Eviction")
        if not isinstance(body, dict):
            raise bad_request("the object provided is unrecognized (must be of type Eviction)")
        named = (body.get("metadata") or {}).get("name")
        if named and named != asked.name:
            raise bad_request(f"name in URL does not match name in Eviction object: {asked.name} != {named}")
        wanted = json.dumps(body["deleteOptions"]).encode() if body.get("deleteOptions") else b""
        options = delete_options(request.query, wanted, JSON)
        pod = self._registry.get("pods", asked.namespace, asked.name)
        if not options.dry_run and not pod["metadata"].get("deletionTimestamp"):
            self._registry.edit(
                "pods", asked.namespace, asked.name, _disrupt, manager="kube-apiserver", subresource="status"
            )
        self._registry.delete("pods", asked.namespace, asked.name, replace(options, resource_version=""))
        return answer(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, code=201
        )

    async def _token(self, request: web.Request, asked: Info) -> web.Response:
        content = await bodies.read(request)
        body, _ = bodies.parse_object(content, bodies.media_type(request), "TokenRequest")
        if not isinstance(body, dict) or not isinstance(body.get("spec") or {}, dict):
            raise bad_request("the object provided is unrecognized (must be of type TokenRequest)")
        made = reviews.token_request(
            self._registry, self._tokens, asked.namespace, asked.name, copy.deepcopy(body)
        )
        return answer(made, code=201)


def _no_stream(command: str) -> ApiError:
    text = f"{command} is not served: this is the stand-in cluster, where a container is a process of its machine"
    return ApiError(501, "NotImplemented", text)


def _disrupt(pod: Object) -> None:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": clock.stamp(),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    conditions = (pod.setdefault("status", {})).get("conditions") or []
    pod["status"]["conditions"] = [one for one in conditions if one["type"] != "DisruptionTarget"] + [
        condition
    ]
