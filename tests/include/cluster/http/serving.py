"""A real server on a real port, with TLS and a state directory of its own, but no controllers and no node."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.cluster.server import Server
from include.cluster.settings import Settings
from include.cluster.tls import ca_certificate


@dataclass
class Answer:
    """One answer: code, headers, and the body as text."""

    code: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Cluster:
    """A running server, and the means to ask it."""

    server: Server
    loop: asyncio.AbstractEventLoop
    token: str
    context: ssl.SSLContext = field(repr=False)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        token: str | None = "admin",
    ) -> Answer:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.server.settings.port, context=self.context, timeout=30
        )
        given = dict(headers or {})
        if token and "Authorization" not in given:
            given["Authorization"] = f"Bearer {self.token if token == 'admin' else token}"
        content = body if isinstance(body, str | bytes | None) else json.dumps(body)
        if content is not None and "Content-Type" not in given:
            given["Content-Type"] = "application/json"
        if isinstance(content, str):
            content = content.encode()
        connection.request(method, path, content, given)
        response = connection.getresponse()
        text = response.read().decode(errors="surrogateescape")
        connection.close()
        return Answer(response.status, response.getheaders(), text)

    def run(self, call: Callable[[], Any]) -> Any:
        """Calls something on the server's own thread."""

        async def within() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(within(), self.loop).result(10)


def serve(state: Path, settings: Settings | None = None) -> Iterator[Cluster]:
    """A server in a thread, until the generator is closed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(settings or Settings(state, state / "images"), workers=False)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
    context = ssl.create_default_context(cadata=ca_certificate(state).decode())
    try:
        yield Cluster(server, loop, server.tokens.user_token("admin", "admin"), context)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
