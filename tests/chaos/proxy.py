"""A proxy between a client and the API server that counts the calls which change something."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.chaos.counting import Change, Counter

CHAT = "/chat"
"""Where the proxy is a chat's webhook."""
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HOP_BY_HOP = frozenset({"host", "connection", "transfer-encoding", "keep-alive", "content-encoding", "content-length"})  # fmt: skip


def changes_something(request: web.Request) -> bool:
    """Whether the API server may change an object for this request."""
    asks_only = "dryRun" in request.query or request.path.endswith("reviews")
    return request.method in CHANGING and not asks_only


@contextlib.contextmanager
def proxy(kubeconfig: Path, counter: Counter, to: Path) -> Iterator[Path]:
    """Serve until the block ends; yields a kubeconfig (``to``) whose server is the proxy."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    upstream = cluster["server"]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    serving = _Serving(upstream, counter)
    try:
        port = run(serving.start())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        to.write_text(yaml.safe_dump(config))
        yield to
    finally:
        run(serving.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Serving:
    def __init__(self, upstream: str, counter: Counter) -> None:
        self.upstream, self.counter = upstream, counter

    async def start(self) -> int:
        # The stand-in's own certificate: this test talks to nobody else.
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        connector = aiohttp.TCPConnector(ssl=trusting, limit=0)
        self.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self.forward)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return int(self.runner.addresses[0][1])

    async def stop(self) -> None:
        await self.session.close()
        await self.runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:  # of clients that are dead
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        change = None
        if changes_something(request):
            change, goes_on = self.counter.begins(f"{request.method} {request.path}")
            if not goes_on:
                return self._hang_up(request)
        if request.path == CHAT and change is not None:
            return await self._listen(request, change)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = self.upstream + request.raw_path
        body = await request.read()
        async with self.session.request(
            request.method, aiohttp.client.URL(url, encoded=True), headers=headers, data=body or None,
            timeout=aiohttp.ClientTimeout(total=None), allow_redirects=False,
        ) as answer:  # fmt: skip
            if change is not None:
                whole = await answer.read()
                if not self.counter.has_happened(change):
                    return self._hang_up(request)
                return web.Response(status=answer.status, headers=_kept(answer), body=whole)
            response = web.StreamResponse(status=answer.status, headers=_kept(answer))
            await response.prepare(request)
            with contextlib.suppress(ConnectionError, aiohttp.ClientPayloadError):
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response

    async def _listen(self, request: web.Request, change: Change) -> web.StreamResponse:
        """A chat that people are told in."""
        self.counter.told.append(str((await request.json()).get("text", "")))
        if not self.counter.has_happened(change):
            return self._hang_up(request)
        return web.Response(text="ok")

    def _hang_up(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)


def _kept(answer: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    dropped = HOP_BY_HOP - {"content-encoding"}
    return [(name, value) for name, value in answer.headers.items() if name.lower() not in dropped]
