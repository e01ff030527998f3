"""The verbs on objects: get, list, watch, create, update, patch, delete, deletecollection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from include.cluster.errors import ApiError, bad_request
from include.cluster.http import bodies, listing, tables
from include.cluster.http.answers import OPTIONS, answer, json_text, no_such_resource, not_allowed, raw
from include.cluster.http.info import Info
from include.cluster.http.negotiation import JSON, Form, form
from include.cluster.http.params import delete_options, list_options, write_options
from include.cluster.http.views import View
from include.cluster.http.watching import Hub, Scope, Watch
from include.cluster.registry import Registry, WriteOptions, pipeline

Object = dict[str, Any]

_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; "
    "set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Objects:
    """Answers requests for whole objects."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._registry = registry
        self._hub = hub

    async def respond(self, request: web.Request, asked: Info, view: View) -> web.StreamResponse:
        """Answers one request."""
        if asked.verb == "watch":
            return await self.watch(request, asked, view)
        if asked.name:
            verbs = {"get": self.get, "update": self.update, "patch": self.patch, "delete": self.delete}
        else:
            if view.resource.namespaced and not asked.namespace and asked.verb != "list":
                raise not_allowed()
            verbs = {"list": self.list_, "create": self.create, "deletecollection": self.delete_collection}
        handler = verbs.get(asked.verb)
        if handler is None or (asked.verb == "deletecollection" and asked.verb not in view.resource.verbs):
            raise not_allowed()
        if view.resource.namespaced and asked.name and not asked.namespace:
            raise no_such_resource()
        return await handler(request, asked, view)

    async def get(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """One object."""
        wanted = form(request.headers.get("Accept"), tables.ONE)
        obj = self._registry.get(view.stored.plural, asked.namespace, asked.name)
        return self.one(request, view, obj, wanted)

    async def list_(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """A page of objects."""
        wanted = form(request.headers.get("Accept"), tables.MANY)
        options = list_options(request.query, watch=False)
        found = await listing.page(self._registry, view, _space(asked, view), options)
        if wanted.kind == tables.TABLE:
            include = request.query.get("includeObject", "")
            return answer(tables.table(view.stored, found.objects, found.metadata, wanted, include), wanted)
        if wanted.kind == tables.PARTIAL_LIST:
            return answer(tables.partial_list(found.objects, found.metadata, wanted.version), wanted)
        kind = f"{view.resource.kind}List"
        head = {"kind": kind, "apiVersion": view.resource.api_version, "metadata": found.metadata}
        if wanted.media_type == JSON and found.current and not view.converts:
            return raw(self._joined(view, head, found.objects), JSON)
        items = [_bare(view.show(obj)) for obj in found.objects]
        return answer({**head, "items": items}, wanted)

    async def watch(self, request: web.Request, asked: Info, view: View) -> web.StreamResponse:
        """A stream of changes."""
        wanted = form(request.headers.get("Accept"), tables.MANY)
        options = list_options(request.query, watch=True)
        matches = listing.matcher(view, options, asked.name)
        scope = Scope(
            view,
            _space(asked, view),
            matches,
            _renderer(view, wanted, request.query.get("includeObject", "")),
        )
        watch = Watch(self._hub, self._registry, scope, options)
        response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        watcher, first = watch.begin()
        try:
            if first:
                await response.write(first)
            async for lines in watch.lines(watcher):
                await response.write(lines)
            await response.write_eof()
        except ConnectionResetError:
            pass  # the client has gone, which is how most watches end
        finally:
            watch.leave(watcher)
        return response

    async def create(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """A new object."""
        wanted = form(request.headers.get("Accept"), tables.ONE)
        options = write_options(request.query, "CreateOptions", request.headers.get("User-Agent", ""))
        obj = await self.body(request, view, options)
        meta = obj["metadata"]
        _same_namespace(meta, asked, view)
        if meta.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        created = self._registry.create(view.stored.plural, asked.namespace, obj, options)
        return self.one(request, view, created, wanted, 201, options)

    async def update(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """An object written whole."""
        wanted = form(request.headers.get("Accept"), tables.ONE)
        options = write_options(request.query, "UpdateOptions", request.headers.get("User-Agent", ""))
        options.subresource = asked.subresource
        obj = await self.body(request, view, options)
        if not obj["metadata"].get("name"):
            text = f"the name of the object ({asked.name} based on URL) was undeterminable: name must be provided"
            raise bad_request(text)
        _same_name(obj["metadata"], asked)
        _same_namespace(obj["metadata"], asked, view)
        written = self._registry.replace(view.stored.plural, asked.namespace, asked.name, obj, options)
        return self.one(request, view, written, wanted, 200, options)

    async def patch(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """A patch, or a server-side apply."""
        wanted = form(request.headers.get("Accept"), tables.ONE)
        media, patch, options = await read_patch(request)
        options.subresource = asked.subresource
        there = self._registry.find(view.stored.plural, asked.namespace, asked.name)
        if media != pipeline.APPLY and isinstance(patch, dict):
            meta = patch.get("metadata")
            if there is not None and isinstance(meta, dict):
                _same_name(meta, asked)
        if view.converts:
            patch = view.take(patch) if isinstance(patch, dict) else patch
        written = self._registry.patch(view.stored.plural, asked.namespace, asked.name, media, patch, options)
        return self.one(request, view, written, wanted, 201 if there is None else 200, options)

    async def delete(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """The end of an object."""
        wanted = form(request.headers.get("Accept"), tables.ONE)
        options = delete_options(request.query, await bodies.read(request), bodies.media_type(request))
        last = self._registry.delete(view.stored.plural, asked.namespace, asked.name, options)
        warnings = [_ORPHANS] if view.stored.plural == "jobs" and not options.propagation else []
        if last["kind"] == "Status":
            return answer(last, Form(wanted.media_type), 200, warnings)
        return self.one(request, view, last, wanted, 200, WriteOptions(warnings=warnings))

    async def delete_collection(self, request: web.Request, asked: Info, view: View) -> web.Response:
        """The end of all objects selected."""
        wanted = form(request.headers.get("Accept"), tables.MANY)
        options = delete_options(request.query, await bodies.read(request), bodies.media_type(request))
        selected = list_options(request.query, watch=False)
        found = await listing.page(self._registry, view, _space(asked, view), selected)
        gone = []
        for obj in found.objects:
            try:
                last = self._registry.delete(
                    view.stored.plural, asked.namespace, obj["metadata"]["name"], options
                )
            except ApiError as error:
                if error.code != 404:
                    raise
                continue
            gone.append(obj if last["kind"] == "Status" else last)
        head = {"kind": f"{view.resource.kind}List", "apiVersion": view.resource.api_version}
        items = [_bare(view.show(obj)) for obj in gone]
        warnings = [_ORPHANS] if view.stored.plural == "jobs" and not options.propagation else []
        revision = {"resourceVersion": str(self._registry.store.revision)}
        return answer({**head, "metadata": revision, "items": items}, Form(wanted.media_type), 200, warnings)

    async def body(self, request: web.Request, view: View, options: WriteOptions) -> Object:
        """The object in a request's body, its types checked.

        Raises:
            ApiError: 400, 413 or 415.
        """
        request[OPTIONS] = options
        content = await bodies.read(request)
        parsed, duplicates = bodies.parse_object(content, bodies.media_type(request), view.resource.kind)
        options.duplicates = duplicates
        obj = view.take(pipeline.decoded(view.resource, parsed, options))
        obj.setdefault("metadata", {})
        return obj

    def one(
        self,
        request: web.Request,
        view: View,
        obj: Object,
        wanted: Form,
        code: int = 200,
        options: WriteOptions | None = None,
    ) -> web.Response:
        """One object as the client wants to see it."""
        shown = view.show(obj)
        if wanted.kind == tables.TABLE:
            shown = tables.shown(view.stored, obj, wanted, request.query.get("includeObject", ""))
        elif wanted.kind:
            shown = tables.shown(view.resource, shown, wanted, "")
        return answer(shown, wanted, code, options.warnings if options else None)

    def _joined(self, view: View, head: Object, objects: list[Object]) -> bytes:
        """A list from the JSON that the store has already written, without each item's kind and version."""
        start = f'{{"kind":"{view.stored.kind}","apiVersion":"{view.stored.api_version}",'
        items = []
        for obj in objects:
            meta = obj["metadata"]
            text = self._registry.store.text(view.stored.plural, meta.get("namespace", ""), meta["name"])
            items.append("{" + text[len(start) :] if text.startswith(start) else json_text(_bare(obj)))
        return f'{json_text(head)[:-1]},"items":[{",".join(items)}]}}\n'.encode("utf-8", "replace")


async def read_patch(request: web.Request) -> tuple[str, Any, WriteOptions]:
    """A patch's media type, its parsed body and its options.

    Raises:
        ApiError: 400, 413, 415 or 422.
    """
    media = bodies.media_type(request)
    if media not in pipeline.PATCHES:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    apply = media == pipeline.APPLY
    options = write_options(request.query, "PatchOptions", request.headers.get("User-Agent", ""), apply=apply)
    request[OPTIONS] = options
    patch, options.duplicates = bodies.parse_patch(await bodies.read(request), apply)
    return media, patch, options


def _renderer(view: View, wanted: Form, include: str) -> Callable[[Object], Object] | None:
    if not wanted.kind:
        return None
    return lambda obj: tables.shown(view.stored, obj, wanted, include)


def _bare(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def _space(asked: Info, view: View) -> str:
    return asked.namespace if view.resource.namespaced else ""


def _same_name(meta: Object, asked: Info) -> None:
    name = meta.get("name")
    if name and name != asked.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({asked.name})"
        )


def _same_namespace(meta: Object, asked: Info, view: View) -> None:
    space = meta.get("namespace")
    if view.resource.namespaced and space and space != asked.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
