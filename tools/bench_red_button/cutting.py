"""A TCP proxy before the API server that cuts connections, as a bad network does."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tools.demo.options import DemoError

CHUNK = 65536
_LOOK_SECONDS = 0.2


class Proxy:
    """Passes bytes on in both directions; ``cut_every`` makes each connection live so many seconds on average.

    Args:
        host: the API server's address.
        port: its port.
        seed: for the times of the cuts.
    """

    def __init__(self, host: str, port: int, seed: int = 1) -> None:
        self._where = (host, port)
        self._random = random.Random(seed)
        self.cut_every: float | None = None
        self.cuts = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._run(self._listen())

    def close(self) -> None:
        """End, with every connection."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            server, forth = await asyncio.open_connection(*self._where)
        except OSError:
            back.close()
            return
        try:
            both = [_pump(client, forth), _pump(server, back), self._cut()]
            _, left = await asyncio.wait(
                [asyncio.ensure_future(each) for each in both], return_when=asyncio.FIRST_COMPLETED
            )
            for each in left:
                each.cancel()
        finally:
            for writer in (forth, back):
                with contextlib.suppress(OSError, RuntimeError):
                    writer.transport.abort()

    async def _cut(self) -> None:
        """Return when this connection has lived long enough; while nothing is cut, never."""
        while True:
            every = self.cut_every
            await asyncio.sleep(_LOOK_SECONDS)
            if every is not None and self._random.random() < _LOOK_SECONDS / every:
                self.cuts += 1
                return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()


@contextlib.contextmanager
def between(kubeconfig: Path, to: Path) -> Iterator[Proxy]:
    """A proxy before the current cluster of a kubeconfig; ``to`` is the same kubeconfig by way of the proxy.

    Raises:
        DemoError: the kubeconfig names no server.
    """
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = _current(config, kubeconfig)
    server = urlsplit(str(cluster.get("server", "")))
    if not server.hostname:
        raise DemoError(f"{kubeconfig} names no server")
    proxy = Proxy(server.hostname, server.port or (443 if server.scheme == "https" else 80))
    proxy.start()
    try:
        cluster["server"] = f"{server.scheme}://127.0.0.1:{proxy.port}{server.path}"
        # The certificate is for the server's name, not for the proxy's.
        cluster.setdefault("tls-server-name", server.hostname)
        to.write_text(yaml.safe_dump(config))
        to.chmod(0o600)
        yield proxy
    finally:
        proxy.close()


def _current(config: dict[str, Any], path: Path) -> dict[str, Any]:
    contexts = {each["name"]: each["context"] for each in config.get("contexts") or []}
    clusters = {each["name"]: each["cluster"] for each in config.get("clusters") or []}
    context = contexts.get(config.get("current-context") or "")
    if context is None or context.get("cluster") not in clusters:
        raise DemoError(f"{path} has no current context")
    found: dict[str, Any] = clusters[context["cluster"]]
    return found
