"""The server's front: every request is read, its caller known and allowed, and handed to whoever answers it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from include.cluster import auth
from include.cluster.errors import ApiError
from include.cluster.http import info as request_info
from include.cluster.http import meta
from include.cluster.http.answers import (
    OPTIONS,
    failure,
    no_such_resource,
    not_allowed,
    not_found_page,
    warning,
)
from include.cluster.http.bodies import LIMIT
from include.cluster.http.info import Info
from include.cluster.http.logs import LogReader
from include.cluster.http.objects import Objects
from include.cluster.http.proxy import Proxy
from include.cluster.http.subresources import Subresources
from include.cluster.http.views import GROUP_VERSIONS, VIEWS
from include.cluster.http.watching import Hub
from include.cluster.registry import Registry

_DEPRECATED = web.RequestKey("deprecated", str)
_OLD_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
Object = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)


class Api:
    """The API of one registry.

    Args:
        registry: the objects.
        tokens: checks the callers.
        node: reads logs; None while there is no node.
    """

    def __init__(self, registry: Registry, tokens: auth.Tokens, node: LogReader | None = None) -> None:
        self.registry = registry
        self.tokens = tokens
        self.hub = Hub(registry)
        self.proxy = Proxy()
        self.objects = Objects(registry, self.hub)
        self.subresources = Subresources(registry, tokens, self.proxy, self.objects)
        self.subresources.node = node

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=LIMIT)
        app.router.add_route("*", "/{path:.*}", self.handle)
        app.on_response_prepare.append(_warn)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._end_watches)
        app.on_cleanup.append(self._stop)
        return app

    async def _start(self, _: web.Application) -> None:
        await self.proxy.start()

    async def _end_watches(self, _: web.Application) -> None:
        self.hub.close()

    async def _stop(self, _: web.Application) -> None:
        await self.proxy.stop()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers any request; what goes wrong becomes a Status."""
        try:
            return await self._answer(request)
        except ApiError as error:
            options = request.get(OPTIONS)
            return failure(error, options.warnings if options is not None else None)
        except (ConnectionResetError, web.HTTPException):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path_qs)
            return failure(ApiError(500, "InternalError", "Internal error occurred: see the stand-in's log"))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = request_info.parse(request.method, request.rel_url.raw_path, request.query)
        user = self._caller(request)
        wanted = _attributes(asked)
        if not auth.allowed(user, wanted):
            raise auth.refusal(user, wanted)
        if not asked.resource:
            return meta.respond(request, asked)
        if asked.group not in GROUP_VERSIONS:
            return not_found_page()
        review = meta.REVIEWED.get((asked.group, asked.version, asked.resource))
        if review is not None:
            return await meta.review(request, asked, user, review)
        view = VIEWS.get((asked.group, asked.version, asked.resource))
        if view is None or (
            asked.namespace and not view.resource.namespaced and asked.resource != "namespaces"
        ):
            raise no_such_resource()
        if view.resource.plural == "endpoints":
            request[_DEPRECATED] = _OLD_ENDPOINTS
        if asked.subresource:
            return await self.subresources.respond(request, asked, view)
        if request.method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise not_allowed()
        return await self.objects.respond(request, asked, view)

    def _caller(self, request: web.Request) -> auth.User:
        user = self.tokens.user(request.headers.get("Authorization"))
        if user.name.startswith("system:serviceaccount:"):
            _, _, namespace, name = user.name.split(":")
            account = self.registry.find("serviceaccounts", namespace, name)
            if account is None or account["metadata"]["uid"] != user.uid:
                raise ApiError(401, "Unauthorized", "Unauthorized")
        return auth.impersonated(user, request.headers)


async def _warn(request: web.Request, response: web.StreamResponse) -> None:
    """Tells the client that it uses an old kind, whatever it does with it."""
    text = request.get(_DEPRECATED)
    if text is not None:
        response.headers.add("Warning", warning(text))


def _attributes(asked: Info) -> auth.Attributes:
    if not asked.resource:
        return auth.Attributes(asked.verb, path=asked.path)
    # A namespace's own requests count as requests in that namespace.
    name = asked.name
    if asked.subresource == "proxy":
        name = name.split(":")[1] if name.count(":") == 2 else name.split(":")[0]
    return auth.Attributes(asked.verb, asked.group, asked.resource, asked.subresource, asked.namespace, name)
