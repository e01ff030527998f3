"""An API server that answers what a test has written down: lists, and watches line by line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes_asyncio import client

from include.release.kube_async import AsyncCluster

HANG = "hang"
CUT = "cut"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any = None

    @property
    def watch(self) -> bool:
        return self.query.get("watch") == "true"


@dataclass
class Answer:
    """One answer: a status with a body, or the lines of a watch. After the lines it ends, hangs or is cut."""

    body: Any = None
    status: int = 200
    lines: list[Any] = field(default_factory=list)
    then: str = ""


class Replay:
    """The server. What is not written down is an empty list, or a watch that stays silent."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.lists: dict[str, list[Answer]] = defaultdict(list)
        """By plural, such as pods; the last one is answered again and again."""
        self.watches: dict[str, list[Answer]] = defaultdict(list)
        """By plural; each is answered once."""
        self.objects: dict[str, dict[str, Any]] = {}
        """ConfigMaps by name."""
        self.url = ""

    def requests(self, plural: str, *, watch: bool) -> list[Asked]:
        return [each for each in self.asked if each.path.endswith(f"/{plural}") and each.watch == watch]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        asked = Asked(request.method, request.path, dict(request.query), body)
        self.asked.append(asked)
        plural = request.path.rsplit("/", 1)[-1]
        if "configmaps" in request.path:
            return self._config_map(request.method, plural, body)
        if request.path.endswith("/log"):
            return web.Response(text="")
        if asked.watch:
            answer = self.watches[plural].pop(0) if self.watches[plural] else Answer(then=HANG)
            return await self._stream(request, answer)
        kept = self.lists[plural]
        answer = (kept.pop(0) if len(kept) > 1 else kept[0]) if kept else Answer(listed())
        return self._plain(answer)

    @staticmethod
    def _plain(answer: Answer) -> web.Response:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return web.Response(text=text, status=answer.status, content_type="application/json")

    async def _stream(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.status != 200:
            return self._plain(answer)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in answer.lines:
            text = line if isinstance(line, str) else json.dumps(line)
            await response.write(text.encode() + b"\n")
        if answer.then == HANG:
            await asyncio.sleep(60)
        if answer.then == CUT and request.transport is not None:
            await asyncio.sleep(0.05)
            request.transport.abort()
        return response

    def _config_map(self, method: str, name: str, body: Any) -> web.Response:
        if method == "POST":
            name = body["metadata"]["name"]
            if name in self.objects:
                return self._plain(
                    Answer(status(409, "AlreadyExists", f'configmaps "{name}" already exists'), 409)
                )
            self.objects[name] = body
        elif name not in self.objects:
            return self._plain(Answer(status(404, "NotFound", f'configmaps "{name}" not found'), 404))
        elif method == "PATCH":
            self.objects[name]["data"].update(body["data"])
        elif method == "PUT":
            self.objects[name] = body
        self.objects[name]["metadata"]["resourceVersion"] = str(len(self.asked))
        return self._plain(Answer(self.objects[name]))

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncCluster]:
        """A client of it, as the hook would make it."""
        configuration = client.Configuration(host=self.url)
        api = client.ApiClient(configuration)
        try:
            yield AsyncCluster(api)
        finally:
            await api.close()


@contextlib.asynccontextmanager
async def replay() -> AsyncIterator[Replay]:
    """A server that runs."""
    server = Replay()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def listed(*items: dict[str, Any], revision: str = "10", **about: str) -> dict[str, Any]:
    """A list as the API answers it."""
    return {
        "kind": "List",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": revision, **about},
        "items": list(items),
    }


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A Status as the API answers it."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip


def thing(name: str, revision: str, owner: tuple[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """An object with a uid of its own; ``owner`` is kind and name of its controller."""
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "resourceVersion": revision}
    if owner:
        kind, of = owner
        metadata["ownerReferences"] = [{"kind": kind, "name": of, "uid": f"uid-{of}", "controller": True}]
    return {"metadata": metadata, **more}
